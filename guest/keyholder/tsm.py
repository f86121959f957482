# SPDX-License-Identifier: Apache-2.0
"""Asking the kernel for an attestation report: configfs-tsm (Linux ≥ 6.7).

The seam to the hardware is four verbs, `Configfs`; the protocol above it is the same for the kernel
and for a mock. The kernel commits ``inblob`` when the file is closed and drops the error of doing
so, hence the generation is the only proof of what a report is about: it must have moved by one with
our write and not at all since. Every errno that the drivers give has a class of its own.

An entry of the kernel's configfs belongs to root, whoever made it, and the keyholder is not root.
So PID 1 makes one entry and gives its input away (`guest.boot.entry`); to make and remove an entry
is then to take that one and to give it back.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, TypeVar

ENTRY_FOLDER: Final = Path("/sys/kernel/config/tsm/report/sealroom")
INBLOB: Final = "inblob"
CONFIGFS_MAGIC: Final = 0x62656570  # include/uapi/linux/magic.h
INBLOB_BYTES: Final = 64
BLOB_MAX_BYTES: Final = 262144  # a quote or report with certificates; the kernel allows 16 MiB
GENERATION_MAX_DIGITS: Final = 20
STATFS_MAX_BYTES: Final = 256  # struct statfs has 120 on 64-bit Linux
DEADLINE_S: Final = 90.0  # the SNP driver itself waits up to 60 s for a throttling host
ATTEMPTS_MAX: Final = 6
BACK_OFF_S: Final = 0.25
SNP_REPORT_BYTES: Final = 1184
VMPL_MAX: Final = 3

T = TypeVar("T")


class TsmError(Exception):
    """The kernel or the platform gave no report.

    Attributes:
        step: what was being done, such as "read outblob".
        errno: the kernel's error number, or None when the kernel reported none.
    """

    def __init__(self, step: str, problem: str, number: int | None = None) -> None:
        super().__init__(f"configfs-tsm, {step}: {problem}")
        self.step = step
        self.errno = number


class TsmUnavailableError(TsmError):
    """There is no such interface or provider, or its message key is gone until a reboot."""


class TsmBusyError(TsmError):
    """Somebody else's request is in the way. Trying again may help."""


class TsmTimeoutError(TsmError):
    """The host or the firmware did not answer in time."""


class TsmRefusedError(TsmError):
    """The kernel does not take what was asked, or does not take it from us."""


class TsmRaceError(TsmError):
    """The generation did not move by one step: a write was lost, or somebody else wrote."""


class TsmBlobError(TsmError):
    """An answer came, but not of a form that a provider gives."""


class TsmIoError(TsmError):
    """The firmware or the host failed, or the kernel gave an error that is in no table."""


ERRORS: Final[dict[int, type[TsmError]]] = {
    errno.ENOENT: TsmUnavailableError,  # no such kernel, or the module is not loaded
    errno.ENODEV: TsmUnavailableError,  # the folder is not on configfs
    errno.ENXIO: TsmUnavailableError,  # no provider registered, or gone
    errno.ENOTTY: TsmUnavailableError,  # SNP: message key wiped; older kernels: provider gone
    errno.EBUSY: TsmBusyError,
    errno.EAGAIN: TsmBusyError,
    errno.EINTR: TsmBusyError,
    errno.EEXIST: TsmBusyError,
    errno.ETIMEDOUT: TsmTimeoutError,
    errno.EINVAL: TsmRefusedError,
    errno.EFBIG: TsmRefusedError,
    errno.EACCES: TsmRefusedError,
    errno.EPERM: TsmRefusedError,
    errno.ETXTBSY: TsmRefusedError,
    errno.EIO: TsmIoError,
    errno.EFAULT: TsmIoError,
    errno.ENOMEM: TsmIoError,
}
RETRIED: Final = (TsmBusyError, TsmRaceError)


class Provider(StrEnum):
    """The kernel driver that answers, by the name it gives itself."""

    SEV_GUEST = "sev_guest"
    TDX_GUEST = "tdx_guest"


@dataclass(frozen=True, slots=True)
class TsmReport:
    """What the kernel answered: a report or quote, and the host's certificate table (SNP)."""

    provider: Provider
    outblob: bytes
    auxblob: bytes


class Configfs(Protocol):
    """The seam: what this program does to configfs. Each verb raises OSError as the kernel does."""

    def make(self, name: str) -> None:
        """Make an entry."""

    def read(self, name: str, attribute: str) -> bytes:
        """Open an attribute, read it to its end, close it."""

    def write(self, name: str, attribute: str, data: bytes) -> None:
        """Open an attribute, write it at once, close it."""

    def remove(self, name: str) -> None:
        """Remove an entry."""


class KernelConfigfs:
    """The kernel's own, with its one entry. There is no way to point it at another folder."""

    def __init__(self) -> None:
        self._taken: str | None = None

    def make(self, name: str) -> None:
        """Take the entry; ENODEV when its folder is not on configfs, whatever it looks like."""
        _verify_mounted()
        if self._taken is not None:
            raise _error(errno.EBUSY, name)
        self._taken = name

    def read(self, name: str, attribute: str) -> bytes:
        """Read an attribute of at most `BLOB_MAX_BYTES`; EFBIG when it is longer."""
        with self._path(name, attribute).open("rb", buffering=0) as file:
            chunks: list[bytes] = []
            left = BLOB_MAX_BYTES + 1
            while left and (chunk := file.read(left)):
                chunks.append(chunk)
                left -= len(chunk)
        if not left:
            raise _error(errno.EFBIG, attribute)
        return b"".join(chunks)

    def write(self, name: str, attribute: str, data: bytes) -> None:
        """Write an attribute in one call, without creating anything."""
        fd = os.open(self._path(name, attribute), os.O_WRONLY | os.O_CLOEXEC)
        try:
            written = os.write(fd, data)
        finally:
            os.close(fd)
        if written != len(data):
            raise OSError(errno.EIO, "short write", attribute)

    def remove(self, name: str) -> None:
        """Give the entry back."""
        self._path(name)
        self._taken = None

    def _path(self, name: str, *attribute: str) -> Path:
        if name != self._taken:
            raise _error(errno.ENOENT, name)
        return ENTRY_FOLDER.joinpath(*attribute)


def _error(number: int, what: str) -> OSError:
    return OSError(number, os.strerror(number), what)


def request_report(
    configfs: Configfs,
    report_data: bytes,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> TsmReport:
    """Have the hardware vouch for exactly 64 bytes.

    Tries again, at most `ATTEMPTS_MAX` times within `DEADLINE_S`, when somebody else is in the way.
    A single call of the kernel may itself block for as long as its driver waits for the host.

    Args:
        configfs: the kernel's, or a mock's.
        report_data: what is vouched for.
        clock: monotonic seconds.
        sleep: waits for seconds.

    Raises:
        TsmError: one of its subclasses; no entry is left behind.
        ValueError: not 64 bytes.
    """
    if len(report_data) != INBLOB_BYTES:
        raise ValueError(f"wanted {INBLOB_BYTES} bytes of report data, got {len(report_data)}")
    deadline = clock() + DEADLINE_S
    wait = BACK_OFF_S
    for _ in range(ATTEMPTS_MAX - 1):
        try:
            return _attempt(configfs, report_data)
        except RETRIED as error:
            if clock() + wait >= deadline:
                raise TsmTimeoutError(error.step, f"still not after {DEADLINE_S} s") from error
        sleep(wait)
        wait *= 2
    return _attempt(configfs, report_data)


def read_provider(configfs: Configfs) -> Provider:
    """Which driver would answer; a statement names its platform before the report is made.

    Raises:
        TsmError: there is none, or one that is not known here.
    """
    with _entry(configfs) as entry:
        return entry.provider()


def read_privilege_floor(configfs: Configfs) -> int | None:
    """The VMPL at which this guest runs; None on a platform that has no such levels (TDX).

    Raises:
        TsmError: there is no provider, or it gives no level from 0 to `VMPL_MAX`.
    """
    with _entry(configfs) as entry:
        if entry.provider() is not Provider.SEV_GUEST:
            return None
        text = entry.read("privlevel_floor").removesuffix(b"\n")
        if text not in {b"%d" % level for level in range(VMPL_MAX + 1)}:
            raise TsmBlobError("read privlevel_floor", f"wanted 0 to {VMPL_MAX}")
        return int(text)


def _attempt(configfs: Configfs, report_data: bytes) -> TsmReport:
    """One report in an entry of its own."""
    with _entry(configfs) as entry:
        provider = entry.provider()
        wanted = entry.generation() + 1
        entry.write(INBLOB, report_data)
        entry.expect(wanted)
        auxblob = entry.read("auxblob") if provider is Provider.SEV_GUEST else b""
        entry.expect(wanted)
        outblob = entry.read("outblob")
        entry.expect(wanted)
    if provider is Provider.SEV_GUEST and len(outblob) != SNP_REPORT_BYTES:
        problem = f"wanted {SNP_REPORT_BYTES} bytes, got {len(outblob)}"
        raise TsmBlobError("read outblob", problem)
    if not outblob:
        raise TsmBlobError("read outblob", "nothing came")
    return TsmReport(provider, outblob, auxblob)


@contextmanager
def _entry(configfs: Configfs) -> Iterator[_Entry]:
    """An entry whose name nobody can guess, always removed again."""
    name = f"sealroom-{secrets.token_hex(16)}"
    _call("make entry", lambda: configfs.make(name))
    try:
        yield _Entry(configfs, name)
    finally:
        _call("remove entry", lambda: configfs.remove(name))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry; every OSError becomes a TsmError that names the step."""

    configfs: Configfs
    name: str

    def read(self, attribute: str) -> bytes:
        return _call(f"read {attribute}", lambda: self.configfs.read(self.name, attribute))

    def write(self, attribute: str, data: bytes) -> None:
        _call(f"write {attribute}", lambda: self.configfs.write(self.name, attribute, data))

    def generation(self) -> int:
        text = self.read("generation")
        digits = text.removesuffix(b"\n")
        if not digits.isdigit() or len(digits) > GENERATION_MAX_DIGITS:
            raise TsmBlobError("read generation", "wanted a decimal number")
        return int(digits)

    def expect(self, wanted: int) -> None:
        if (got := self.generation()) != wanted:
            raise TsmRaceError("compare generation", f"wanted {wanted}, got {got}")

    def provider(self) -> Provider:
        text = self.read("provider").removesuffix(b"\n")
        for provider in Provider:
            if text == provider.encode("ascii"):
                return provider
        raise TsmBlobError("read provider", f"wanted {' or '.join(Provider)}")


def _call(step: str, verb: Callable[[], T]) -> T:
    try:
        return verb()
    except OSError as error:
        kind = ERRORS.get(error.errno or 0, TsmIoError)
        raise kind(step, error.strerror or type(error).__name__, error.errno) from error


def filesystem_magic(path: Path) -> int:
    """f_type, the first word of struct statfs; Python's own statvfs leaves it out.

    Raises:
        OSError: as the kernel says.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(STATFS_MAX_BYTES)
    if libc.statfs(bytes(path), buffer):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return int.from_bytes(buffer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder)


def _verify_mounted() -> None:
    if filesystem_magic(ENTRY_FOLDER) != CONFIGFS_MAGIC:
        raise OSError(errno.ENODEV, "not on configfs", str(ENTRY_FOLDER))
