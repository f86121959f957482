# SPDX-License-Identifier: Apache-2.0
"""The end of the machine: a last word in the journal, a moment for it to leave, and power off.

There is no other end. PID 1 never returns and never restarts the machine.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import stat
import sys
from types import TracebackType
from typing import Final, Self

from guest import journal
from guest.boot.reasons import BootError, Reason
from guest.boot.sink import STANDARD_ERROR
from guest.kernel import call

SYS_REBOOT: Final = 169
MAGIC: Final = (0xFEE1DEAD, 672274793)  # linux/reboot.h
CAD_OFF: Final = 0
POWER_OFF: Final = 0x4321FEDC
DRAIN_MAX_S: Final = 1.0


class PowerOff:
    """A context that ends with the machine, whatever happened in it."""

    def __enter__(self) -> Self:
        """From now on the keys that restart a machine only tell PID 1, which may not listen yet."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        call(SYS_REBOOT, *MAGIC, CAD_OFF, 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say why, and switch off."""
        if kind is not None and error is not None and not isinstance(error, BootError):
            sys.excepthook(kind, error, trace)  # of `guest.faults`: an event
        reason, code = why(error)
        journal.record(journal.Event.POWER_OFF, reason=reason, code=code)
        drain(STANDARD_ERROR)
        call(SYS_REBOOT, *MAGIC, POWER_OFF, 0)


def why(error: BaseException | None) -> tuple[Reason, int]:
    """The reason and the errno, by what ended the context."""
    if error is None:
        return Reason.STOPPED, 0
    if isinstance(error, BootError):
        return error.reason, error.code
    return Reason.FAULT, 0


def drain(fd: int) -> None:
    """Wait until the other end of a stream has read everything and closed, or `DRAIN_MAX_S`."""
    with contextlib.suppress(OSError):  # no stream, or one that is closed: nobody reads the journal
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            with socket.socket(fileno=os.dup(fd)) as stream:
                stream.shutdown(socket.SHUT_WR)
                select.select([stream], [], [], DRAIN_MAX_S)
