# SPDX-License-Identifier: Apache-2.0
"""What each process of the guest gives up, as one table, and the steps that do it.

A step says what it does (`describe`) and does it (`apply`); `POLICY` says who takes which step, so
`docs/processes.md` is checked against it. A step that the kernel refuses ends the process; one in
`WHERE_POSSIBLE` that the kernel does not have at all is reported by name as missing. Namespaces,
own users and the other processes' system call filters belong to this table too and are not in it
yet; `NOT_YET` names them, so that health and documents do.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from guest import seccomp
from guest.door import Process

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38
SYS_LANDLOCK_CREATE_RULESET: Final = 444
SYS_LANDLOCK_RESTRICT_SELF: Final = 446
LANDLOCK_CREATE_RULESET_VERSION: Final = 1
# Rights known to each Landlock ABI: file system, network, scope (Linux uapi/linux/landlock.h).
LANDLOCK_RIGHTS: Final[Mapping[int, tuple[int, int, int]]] = {
    1: ((1 << 13) - 1, 0, 0),
    2: ((1 << 14) - 1, 0, 0),
    3: ((1 << 15) - 1, 0, 0),
    4: ((1 << 15) - 1, 3, 0),
    5: ((1 << 16) - 1, 3, 0),
    6: ((1 << 16) - 1, 3, 3),
}
NOT_YET: Final = (
    "network-namespace",
    "own-user",
    "system-call-filter",
)

_libc = ctypes.CDLL(None, use_errno=True)


class SandboxError(Exception):
    """A step of the sandbox was refused by the kernel."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(f"sandbox step {step}: errno {number}")
        self.step = step
        self.errno = number


@dataclass(frozen=True, slots=True)
class Step:
    """One thing given up."""

    name: str
    describe: str
    apply: Callable[[], None]


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _limit(which: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(which, (value, value))


def _landlock_abi() -> int:
    return int(_libc.syscall(SYS_LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION))


def _landlock_nothing() -> None:
    """Enter an empty rule set: no path, no TCP port, no signal or abstract socket outside."""
    abi = _landlock_abi()
    if abi < 1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    rights = LANDLOCK_RIGHTS[min(abi, max(LANDLOCK_RIGHTS))]
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    attributes = struct.pack("=QQQ", *rights)[:size]
    ruleset = _libc.syscall(SYS_LANDLOCK_CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    try:
        if _libc.syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(ruleset)


DIE_WITH_PARENT: Final = Step(
    "die-with-parent",
    "killed when its parent dies",
    lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
)
NO_NEW_PRIVILEGES: Final = Step(
    "no-new-privileges", "exec can grant nothing", lambda: _prctl(PR_SET_NO_NEW_PRIVS, 1)
)
NOT_DUMPABLE: Final = Step(
    "not-dumpable",
    "no core dump, no ptrace, no /proc/PID/mem by others of the same user",
    lambda: _prctl(PR_SET_DUMPABLE, 0),
)
NO_CORE: Final = Step("no-core", "core size limit 0", _limit(resource.RLIMIT_CORE, 0))
NO_FILES: Final = Step("no-files", "file size limit 0", _limit(resource.RLIMIT_FSIZE, 0))
FEW_DESCRIPTORS: Final = Step(
    "few-descriptors", "at most 16 descriptors", _limit(resource.RLIMIT_NOFILE, 16)
)
NO_PATHS: Final = Step(
    "no-paths", "Landlock: no path, no TCP port, no foreign signal", _landlock_nothing
)

ONLY_LISTED_CALLS: Final = Step(
    "only-listed-calls", "system calls of `guest/seccomp.py` only", seccomp.restrict
)

WHERE_POSSIBLE: Final = frozenset({NO_PATHS.name})
ABSENT: Final = frozenset({errno.ENOSYS, errno.EOPNOTSUPP})  # not built in, or switched off at boot

POLICY: Final[Mapping[Process, tuple[Step, ...]]] = {
    Process.GATE: (DIE_WITH_PARENT, NO_NEW_PRIVILEGES, NOT_DUMPABLE, NO_CORE, NO_FILES),
    Process.KEYHOLDER: (DIE_WITH_PARENT, NO_NEW_PRIVILEGES, NOT_DUMPABLE, NO_CORE),
    Process.ZYGOTE: (DIE_WITH_PARENT, NO_NEW_PRIVILEGES, NOT_DUMPABLE, NO_CORE),
    Process.WORKER: (
        DIE_WITH_PARENT,
        NO_NEW_PRIVILEGES,
        NOT_DUMPABLE,
        NO_CORE,
        NO_FILES,
        NO_PATHS,
        FEW_DESCRIPTORS,
        ONLY_LISTED_CALLS,
    ),
}


def enter(
    process: Process, parent: int, *, policy: Mapping[Process, tuple[Step, ...]] = POLICY
) -> None:
    """Take every step of ``process``, in order; ``parent`` is the process that must still be alive.

    Raises:
        SandboxError: the kernel refused a step that is not in `WHERE_POSSIBLE`, or the parent died
            before its death could be noticed.
    """
    for step in policy[process]:
        try:
            step.apply()
        except OSError as error:
            if step.name not in WHERE_POSSIBLE or error.errno not in ABSENT:
                raise SandboxError(step.name, error.errno or 0) from error
        if step is DIE_WITH_PARENT and os.getppid() != parent:
            raise SandboxError(step.name, 0)


def missing() -> tuple[str, ...]:
    """Names of the steps that are not taken on this host, sorted, for statement and health."""
    absent = () if _landlock_abi() >= 1 else (NO_PATHS.name,)
    return tuple(sorted(absent + NOT_YET))
