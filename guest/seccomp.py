# SPDX-License-Identifier: Apache-2.0
"""The system calls a worker may make, as a table, and the filter that the kernel checks them with.

A classic BPF program (Linux Documentation/userspace-api/seccomp_filter.rst) over the number and
the arguments of each call. What is not in the table fails with EPERM; a call of another ABI kills.
There is no call that opens, connects, executes or makes a process: `clone` is for threads only, so
nothing of a worker can outlive it, which is what the erasure receipt rests on. `clone3`, whose
arguments a filter cannot see, answers ENOSYS, upon which glibc uses `clone`.

A hundred lines of table and assembler, and no libseccomp in the trusted base (ADR 0012).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Mapping
from typing import Final

PR_SET_SECCOMP: Final = 22
SECCOMP_MODE_FILTER: Final = 2
AUDIT_ARCH_X86_64: Final = 0xC000003E
X32_SYSCALL_BIT: Final = 0x40000000
CLONE_THREAD: Final = 0x00010000

# struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENT_0: Final = 16  # its low half; the values compared here have 32 bits

# linux/bpf_common.h
_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

_ALLOW: Final = 0x7FFF0000  # SECCOMP_RET_ALLOW
_KILL: Final = 0x80000000  # SECCOMP_RET_KILL_PROCESS
_ERROR: Final = 0x00050000  # SECCOMP_RET_ERRNO, with the number in the low bits

# Numbers of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl), the only processor of both platforms.
ALLOWED: Final[Mapping[str, int]] = {
    # the two sockets
    "read": 0,
    "write": 1,
    "close": 3,
    "sendto": 44,
    "recvfrom": 45,
    "sendmsg": 46,
    "recvmsg": 47,
    "shutdown": 48,
    # memory
    "mmap": 9,
    "mprotect": 10,
    "munmap": 11,
    "brk": 12,
    "mremap": 25,
    "madvise": 28,
    # threads of this process
    "futex": 202,
    "sched_yield": 24,
    "sched_getaffinity": 204,
    "set_robust_list": 273,
    "rseq": 334,
    "rt_sigaction": 13,
    "rt_sigprocmask": 14,
    "rt_sigreturn": 15,
    "sigaltstack": 131,
    "getpid": 39,
    "gettid": 186,
    "exit": 60,
    "exit_group": 231,
    "restart_syscall": 219,
    # time and randomness
    "nanosleep": 35,
    "clock_gettime": 228,
    "clock_nanosleep": 230,
    "getrandom": 318,
}
CLONE: Final = 56
CLONE3: Final = 435
TGKILL: Final = 234  # only to ourselves: abort()


class SeccompError(Exception):
    """There is no table for this processor."""


def program(pid: int) -> bytes:
    """The filter for the process ``pid``, as an array of struct sock_filter."""
    allowed = sorted(ALLOWED.values())
    code = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, AUDIT_ARCH_X86_64, true=1),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
        _instruction(_AT_LEAST, X32_SYSCALL_BIT, false=1),
        _instruction(_RETURN, _KILL),
        # clone3: as if the kernel did not have it
        _instruction(_EQUAL, CLONE3, false=1),
        _instruction(_RETURN, _ERROR | errno.ENOSYS),
        # clone: with CLONE_THREAD
        _instruction(_EQUAL, CLONE, false=4),
        _instruction(_LOAD, _ARGUMENT_0),
        _instruction(_ANY_BIT, CLONE_THREAD, false=1),
        _instruction(_RETURN, _ALLOW),
        _instruction(_RETURN, _ERROR | errno.EPERM),
        # tgkill: to this process
        _instruction(_EQUAL, TGKILL, false=4),
        _instruction(_LOAD, _ARGUMENT_0),
        _instruction(_EQUAL, pid, false=1),
        _instruction(_RETURN, _ALLOW),
        _instruction(_RETURN, _ERROR | errno.EPERM),
    ]
    for at, number in enumerate(allowed):
        code.append(_instruction(_EQUAL, number, true=len(allowed) - at))
    code.append(_instruction(_RETURN, _ERROR | errno.EPERM))
    code.append(_instruction(_RETURN, _ALLOW))
    return b"".join(code)


def restrict() -> None:
    """Put this process, and every thread it will have, under the filter. There is no way back.

    Raises:
        SeccompError: not an x86-64 processor.
        OSError: the kernel refused, for example before no-new-privileges was set.
    """
    if platform.machine() != "x86_64":
        raise SeccompError(f"system call filter: no table for {platform.machine()}")
    filters = program(os.getpid())
    buffer = ctypes.create_string_buffer(filters, len(filters))
    header = struct.pack("@HxxxxxxP", len(filters) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _instruction(code: int, k: int, *, true: int = 0, false: int = 0) -> bytes:
    """A struct sock_filter: __u16 code; __u8 jt, jf; __u32 k."""
    return struct.pack("=HBBI", code, true, false, k)
