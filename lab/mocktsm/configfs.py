# SPDX-License-Identifier: Apache-2.0
"""A configfs-tsm with the kernel's rules (drivers/virt/coco/guest/report.c) over a mock platform.

It is the four verbs of `guest.keyholder.tsm.Configfs` and nothing else, and it fails as the kernel
fails: with `OSError` and the kernel's errno. The rules that it keeps:

* an entry is a directory of its own; ENXIO without a provider, EEXIST, ENOENT;
* every successful write of an input raises the generation; reading ``generation`` returns it;
* ``inblob`` takes at most 64 bytes at write (EFBIG); it commits when the file is closed, and an
  error of the commit (not exactly 64 bytes, EINVAL; wrap of the generation, EBUSY) is lost;
* reading ``outblob`` or ``auxblob`` before ``inblob`` was set is EINVAL; with the generation of the
  last report the same blobs come back, else a new report is made and both change together;
* ``privlevel`` below the floor or above 3 is EINVAL; what cannot be read or written is EACCES;
* an attribute that the platform's driver does not have (TDX: ``auxblob`` and the privilege levels)
  is not there at all: ENOENT.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from attest.statement import Platform
from lab.mocktsm.fault_plan import FaultPlan
from lab.mocktsm.faults import FaultKind
from lab.mocktsm.sev_guest import SevGuest
from lab.mocktsm.snp import MockSnp
from lab.mocktsm.tdx import MockTdx
from lab.mocktsm.tdx_guest import TdxGuest

INBLOB_BYTES = 64
PRIVLEVEL_MAX = 3
GENERATION_MODULUS = 2**32
SLOW_S = 2.0

_ALWAYS_THERE = frozenset({"generation", "provider", "inblob", "outblob"})
_READABLE = frozenset({"generation", "provider", "outblob", "auxblob", "privlevel_floor"})
_WRITABLE = frozenset({"inblob", "privlevel"})
_OTHER_PROVIDER = b"arm_cca_guest\n"
_PLAIN_KEYS = {
    Platform.SEV_SNP: frozenset({"platform", "line", "version", "seed", "faults"}),
    Platform.TDX: frozenset({"platform", "version", "seed", "faults"}),
}


class Driver(Protocol):
    """A guest driver below configfs-tsm (struct tsm_report_ops): the part that knows a platform."""

    provider: str
    attributes: frozenset[str]  # that it has besides those of every driver
    faults: frozenset[str]  # that can befall its platform

    def request(self, inblob: bytes, privlevel: int, faults: FaultPlan, /) -> tuple[bytes, bytes]:
        """A report over ``inblob``, and what goes with it into auxblob."""


@dataclass(slots=True)
class _Entry:
    """One directory; ``out`` and ``aux`` are those of ``read_generation``."""

    write_generation: int = 0
    read_generation: int = 0
    inblob: bytes = b""
    privlevel: int = 0
    out: bytes = b""
    aux: bytes = b""


class MockTsm:
    """The mock of /sys/kernel/config/tsm/report.

    Args:
        platform: what makes reports.
        faults: what goes wrong.
        privlevel_floor: the guest's own privilege level.
        sleep: how `FaultKind.SLOW` waits.
    """

    def __init__(
        self,
        platform: MockSnp | MockTdx,
        faults: FaultPlan | None = None,
        *,
        privlevel_floor: int = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.driver: Driver
        if isinstance(platform, MockSnp):
            self.driver = SevGuest(platform)
        else:
            self.driver = TdxGuest(platform)
        self.faults = faults or FaultPlan({})
        if foreign := sorted(self.faults.names - self.driver.faults):
            raise ValueError(f"{self.driver.provider} has no fault {', '.join(foreign)}")
        self.privlevel_floor = privlevel_floor
        self.entries: dict[str, _Entry] = {}
        self._sleep = sleep

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> MockTsm:
        """From JSON-like data: ``platform``, ``version``, ``seed``, ``faults``; SNP: ``line``.

        Raises:
            ValueError: other keys, or a value that is none of the known ones.
        """
        kind = Platform(str(plain.get("platform")))
        if set(plain) != _PLAIN_KEYS[kind]:
            raise ValueError(f"wanted {sorted(_PLAIN_KEYS[kind])}, got {sorted(plain)}")
        faults, version, seed = FaultPlan(plain["faults"]), plain["version"], plain["seed"]
        if kind is Platform.TDX:
            return cls(MockTdx(version=version, seed=seed), faults)
        return cls(MockSnp(line=plain["line"], version=version, seed=seed), faults)

    def make(self, name: str) -> None:
        """Make a directory."""
        if self.faults.strikes(FaultKind.NO_PROVIDER):
            _fail(errno.ENXIO, name)
        if name in self.entries:
            _fail(errno.EEXIST, name)
        self.entries[name] = _Entry()

    def remove(self, name: str) -> None:
        """Remove a directory."""
        self._entry(name)
        del self.entries[name]

    def write(self, name: str, attribute: str, data: bytes) -> None:
        """Open, write, close."""
        entry = self._entry(name)
        self._exists(attribute)
        if attribute not in _WRITABLE:
            _fail(errno.EACCES, attribute)
        if attribute == "privlevel":
            self._write_privlevel(entry, data)
        elif len(data) > INBLOB_BYTES:
            _fail(errno.EFBIG, attribute)
        else:
            self._commit_inblob(entry, data)

    def read(self, name: str, attribute: str) -> bytes:
        """Open, read to the end, close."""
        entry = self._entry(name)
        self._exists(attribute)
        if attribute not in _READABLE:
            _fail(errno.EACCES, attribute)
        if attribute == "generation":
            return f"{entry.write_generation}\n".encode("ascii")
        if attribute == "privlevel_floor":
            return f"{self.privlevel_floor}\n".encode("ascii")
        if attribute == "provider":
            wrong = self.faults.strikes(FaultKind.WRONG_PROVIDER)
            return _OTHER_PROVIDER if wrong else f"{self.driver.provider}\n".encode("ascii")
        if not entry.inblob:
            _fail(errno.EINVAL, attribute)
        if entry.read_generation != entry.write_generation or not entry.out:
            entry.out, entry.aux = self._request(entry)
            entry.read_generation = entry.write_generation
        if self.faults.strikes(FaultKind.MEDDLING_WRITER):
            self.write(name, "inblob", b"\x4d" * INBLOB_BYTES)
        return entry.out if attribute == "outblob" else entry.aux

    def _exists(self, attribute: str) -> None:
        if attribute not in _ALWAYS_THERE | self.driver.attributes:
            _fail(errno.ENOENT, attribute)

    def _entry(self, name: str) -> _Entry:
        if name not in self.entries:
            _fail(errno.ENOENT, name)
        return self.entries[name]

    def _commit_inblob(self, entry: _Entry, data: bytes) -> None:
        """What happens at close; its errors, EINVAL and EBUSY, are seen by nobody."""
        lost = self.faults.strikes(FaultKind.LOST_COMMIT)
        if len(data) == INBLOB_BYTES and self._may_write(entry) and not lost:
            entry.inblob = data
            entry.write_generation = (entry.write_generation + 1) % GENERATION_MODULUS

    @staticmethod
    def _may_write(entry: _Entry) -> bool:
        return entry.write_generation != (entry.read_generation - 1) % GENERATION_MODULUS

    def _write_privlevel(self, entry: _Entry, data: bytes) -> None:
        text = data.decode("ascii", "replace").strip()
        if not text.isdigit() or not self.privlevel_floor <= int(text) <= PRIVLEVEL_MAX:
            _fail(errno.EINVAL, "privlevel")
        if not self._may_write(entry):
            _fail(errno.EBUSY, "privlevel")
        entry.privlevel = int(text)
        entry.write_generation = (entry.write_generation + 1) % GENERATION_MODULUS

    def _request(self, entry: _Entry) -> tuple[bytes, bytes]:
        """A new report, or what stands in its way."""
        for kind, number in (
            (FaultKind.BUSY, errno.EBUSY),
            (FaultKind.TIMED_OUT, errno.ETIMEDOUT),
            (FaultKind.IO_ERROR, errno.EIO),
            (FaultKind.WIPED_KEY, errno.ENOTTY),
        ):
            if self.faults.strikes(kind):
                _fail(number, "outblob")
        if self.faults.strikes(FaultKind.SLOW):
            self._sleep(SLOW_S)
        level = entry.privlevel or self.privlevel_floor
        return self.driver.request(entry.inblob, level, self.faults)


def _fail(number: int, what: str) -> NoReturn:
    raise OSError(number, os.strerror(number), what)
