# SPDX-License-Identifier: Apache-2.0
"""What is examined: a platform through configfs-tsm, and what its reports are held against.

The seam is the keyholder's (`guest.keyholder.tsm.Configfs`): the same checks run over the kernel's
configfs on real hardware, and over the mock's here, where they are tested themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from attest.endorsements import Endorsements
from attest.roots import Roots
from attest.tdx.launch.registers import Register
from guest.boot import entry
from guest.keyholder.tsm import (
    ENTRY_FOLDER,
    Configfs,
    KernelConfigfs,
    TsmReport,
    request_report,
)

REGISTERS = Path("/sys/devices/virtual/misc/tdx_guest/measurements")  # Linux 6.16 and later


class CheckError(Exception):
    """A check that does not hold.

    Attributes:
        what: was looked at.
        wanted: of it.
        got: instead; never a key, never a chip's identifier.
    """

    def __init__(self, what: str, wanted: str, got: str) -> None:
        super().__init__(f"{what}: wanted {wanted}, got {got}")
        self.what = what
        self.wanted = wanted
        self.got = got


class NotHereError(Exception):
    """A check that has no meaning on this machine, or needs something that was not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A platform under examination.

    Attributes:
        configfs: through which it is asked.
        roots: whom a report must lead to.
        endorsements: what vouches for its reports, if the platform does not bring it itself.
        expected: what its reports must show, by name, as `sealroom measure` names it; may be empty.
        now: the time at which to judge.
        registers: where the kernel shows a TD's registers.
        clock: monotonic seconds.
        sleep: waits for seconds.
        asked: the reports so far, by what was asked for.
    """

    configfs: Configfs
    roots: Roots
    endorsements: Endorsements | None
    expected: Mapping[str, bytes]
    now: datetime
    registers: Path = REGISTERS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    asked: dict[bytes, TsmReport] = field(default_factory=dict)

    def report(self, report_data: bytes) -> TsmReport:
        """A report over these bytes, asked for once.

        Raises:
            TsmError: the platform gives none.
        """
        if report_data not in self.asked:
            self.asked[report_data] = request_report(
                self.configfs, report_data, clock=self.clock, sleep=self.sleep
            )
        return self.asked[report_data]


@contextmanager
def kernel_configfs() -> Iterator[KernelConfigfs]:
    """The kernel's configfs-tsm, prepared for a keyholder as PID 1 prepares it; needs root.

    Raises:
        BootError: no platform vouches for this machine.
    """
    made = not ENTRY_FOLDER.exists()
    if made:
        entry.make()
    try:
        yield KernelConfigfs()
    finally:
        if made:
            ENTRY_FOLDER.rmdir()


def wanted_registers(expected: Mapping[str, bytes]) -> dict[Register, bytes]:
    """Of what is expected, the registers of a TD."""
    return {name: expected[name] for name in Register if name in expected}
