# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a platform, as plain data: which faults, and for how many requests."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

ALWAYS = "always"


class FaultKind(StrEnum):
    """One way in which a report request is spoiled."""

    BUSY = "busy"  # reading outblob fails with EBUSY
    MEDDLING_WRITER = "meddling-writer"  # somebody else writes to the entry meanwhile
    SLOW = "slow"  # the firmware takes `SLOW_S` to answer
    SHORT_BLOB = "short-blob"  # outblob is cut off
    WRONG_PROVIDER = "wrong-provider"  # another platform's driver answers
    WRONG_REPORT_DATA = "wrong-report-data"  # a genuine report over other bytes
    OTHER_VMPL = "other-vmpl"  # a genuine report, requested at VMPL 1
    STALE_TCB = "stale-tcb"  # a genuine report of a chip with old firmware
    NO_PROVIDER = "no-provider"  # making an entry fails with ENXIO
    NO_CERTIFICATES = "no-certificates"  # auxblob is empty
    LOST_COMMIT = "lost-commit"  # the write of inblob is lost, without an error
    TIMED_OUT = "timed-out"  # reading outblob fails with ETIMEDOUT
    WIPED_KEY = "wiped-key"  # ENOTTY: the guest's message key is gone until it reboots


class FaultPlan:
    """How many report requests each fault spoils: a number, or "always".

    Raises:
        ValueError: an unknown fault, or a count that is neither.
    """

    def __init__(self, faults: Mapping[str, int | str]) -> None:
        self._left: dict[FaultKind, int | None] = {}
        for name, times in faults.items():
            if times != ALWAYS and (type(times) is not int or times < 0):
                raise ValueError(
                    f"{name}: wanted a number of requests or {ALWAYS!r}, got {times!r}"
                )
            self._left[FaultKind(name)] = None if isinstance(times, str) else times

    def strikes(self, kind: FaultKind) -> bool:
        """Whether the fault spoils this request; counts it if so."""
        left = self._left.get(kind, 0)
        if left is None:
            return True
        if left > 0:
            self._left[kind] = left - 1
        return left > 0
