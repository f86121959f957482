# SPDX-License-Identifier: Apache-2.0
"""The system calls that each process may make once it is in its sandbox, as tables.

A call without ways may be made with any arguments; otherwise the arguments must be as in one of
its ways. No table has a call that executes a program, mounts, traces, or reaches into another
process. Only the zygote can make a process, and only by the fork that Python does; the worker has
none that opens, connects or makes one, so nothing of a request outlives it, on which the erasure
receipt rests. The zygote's filter stays over its workers, so its table contains theirs.

The tables were drawn from traces of a running guest and then read line by line (ADR 0015).
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from guest.door import Process
from guest.users import USERS

SELF: Final = -1  # stands for the process that enters the filter
CLONE_THREAD: Final = 0x00010000
FORK_FLAGS: Final = 0x01000000 | 0x00200000 | signal.SIGCHLD  # CHILD_SETTID, CHILD_CLEARTID: glibc
CLONE3: Final = 435
FIONBIO: Final = 0x5421
AF_UNIX: Final = 1
AT_EMPTY_PATH: Final = 0x1000


@dataclass(frozen=True, slots=True)
class Argument:
    """The low half of the argument ``at``, under ``mask``, must be ``value``."""

    at: int
    value: int
    mask: int = 0xFFFFFFFF


Way = tuple[Argument, ...]
Calls = Mapping[str, tuple[Way, ...]]


def _any(*names: str) -> dict[str, tuple[Way, ...]]:
    return dict.fromkeys(names, ())


def _all(*values: int) -> Way:
    """The first arguments, all of them given."""
    return tuple(Argument(at, value) for at, value in enumerate(values))


_CORE: Final[Calls] = {
    **_any("read", "write", "close", "recvmsg", "sendmsg"),
    **_any("mmap", "mprotect", "munmap", "brk", "mremap", "madvise"),
    **_any("futex", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack"),
    **_any("getpid", "gettid", "exit", "exit_group", "restart_syscall", "sched_yield"),
    **_any("clock_gettime", "clock_nanosleep", "nanosleep", "getrandom"),
}
_THREADS: Final[Calls] = {
    **_any("set_robust_list", "rseq", "sched_getaffinity"),
    "clone": ((Argument(0, CLONE_THREAD, CLONE_THREAD),),),
}
_ABORT: Final[Calls] = {"tgkill": ((Argument(0, SELF),),)}
_LOOP: Final[Calls] = {
    **_any("epoll_create1", "epoll_ctl", "epoll_wait", "recvfrom", "sendto", "fstat"),
    **_any("getsockname", "getsockopt", "setsockopt", "fcntl", "shutdown"),
    "socketpair": ((Argument(0, AF_UNIX),),),
    "ioctl": ((Argument(1, FIONBIO),),),
    "newfstatat": ((Argument(3, AT_EMPTY_PATH),),),  # as fstat; which of them, glibc's version says
}
_WORKER: Final[Calls] = {
    **_CORE,
    **_THREADS,
    **_ABORT,
    **_any("recvfrom", "sendto", "shutdown"),
}
_workers_ids = (USERS[Process.WORKER].real,) * 3

CALLS: Final[Mapping[Process, Calls]] = {
    Process.GATE: {**_CORE, **_LOOP, **_ABORT, **_any("listen", "accept4", "getpeername")},
    Process.KEYHOLDER: {
        **_CORE,
        **_LOOP,
        **_THREADS,
        **_ABORT,
        # the TSM and the endorsement bundle; where, Landlock says
        **_any("openat", "newfstatat", "statfs", "lseek"),
        # how large a core dump may be, for the receipts
        "prlimit64": ((Argument(0, 0), Argument(2, 0)),),
    },
    Process.ZYGOTE: {
        **_WORKER,
        **_LOOP,
        # a worker: made, watched, ended and collected
        "clone": ((Argument(0, FORK_FLAGS),), *_THREADS["clone"]),
        **_any("wait4", "waitid", "pidfd_open"),
        "pidfd_send_signal": ((Argument(1, signal.SIGKILL),),),
        "tgkill": (),  # of a worker by itself; whom else, its own filter says
        # what a worker does on its way into its sandbox
        **_any("dup2", "close_range", "getppid", "getuid", "geteuid", "getgid", "getegid"),
        **_any("getgroups", "getresuid", "getresgid", "capget", "capset"),
        "setresuid": (_all(*_workers_ids),),
        "setresgid": (_all(*_workers_ids),),
        "prlimit64": ((Argument(0, 0),),),
        "prctl": (
            _all(1, signal.SIGKILL),  # PR_SET_PDEATHSIG
            _all(4, 0),  # PR_SET_DUMPABLE: not
            _all(22, 2),  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            _all(38, 1),  # PR_SET_NO_NEW_PRIVS
            _all(47, 4),  # PR_CAP_AMBIENT, CLEAR_ALL
        ),
        **_any("landlock_create_ruleset", "landlock_restrict_self"),
    },
    Process.WORKER: _WORKER,
}

# Numbers of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl), the only processor of both platforms.
NUMBERS: Final[Mapping[str, int]] = {
    "read": 0,
    "write": 1,
    "close": 3,
    "fstat": 5,
    "lseek": 8,
    "mmap": 9,
    "mprotect": 10,
    "munmap": 11,
    "brk": 12,
    "rt_sigaction": 13,
    "rt_sigprocmask": 14,
    "rt_sigreturn": 15,
    "ioctl": 16,
    "sched_yield": 24,
    "mremap": 25,
    "madvise": 28,
    "dup2": 33,
    "nanosleep": 35,
    "getpid": 39,
    "sendto": 44,
    "recvfrom": 45,
    "sendmsg": 46,
    "recvmsg": 47,
    "shutdown": 48,
    "listen": 50,
    "getsockname": 51,
    "getpeername": 52,
    "socketpair": 53,
    "setsockopt": 54,
    "getsockopt": 55,
    "clone": 56,
    "exit": 60,
    "wait4": 61,
    "fcntl": 72,
    "getuid": 102,
    "getgid": 104,
    "geteuid": 107,
    "getegid": 108,
    "getppid": 110,
    "getgroups": 115,
    "setresuid": 117,
    "getresuid": 118,
    "setresgid": 119,
    "getresgid": 120,
    "capget": 125,
    "capset": 126,
    "sigaltstack": 131,
    "statfs": 137,
    "prctl": 157,
    "gettid": 186,
    "futex": 202,
    "sched_getaffinity": 204,
    "restart_syscall": 219,
    "clock_gettime": 228,
    "clock_nanosleep": 230,
    "exit_group": 231,
    "epoll_wait": 232,
    "epoll_ctl": 233,
    "tgkill": 234,
    "waitid": 247,
    "openat": 257,
    "newfstatat": 262,
    "set_robust_list": 273,
    "accept4": 288,
    "epoll_create1": 291,
    "prlimit64": 302,
    "getrandom": 318,
    "rseq": 334,
    "pidfd_send_signal": 424,
    "pidfd_open": 434,
    "close_range": 436,
    "landlock_create_ruleset": 444,
    "landlock_restrict_self": 446,
}
