# SPDX-License-Identifier: Apache-2.0
"""From a table of system calls (`guest.calls`) to the filter that the kernel checks them with.

A classic BPF program (Linux Documentation/userspace-api/seccomp_filter.rst) over the number and
the arguments of each call. What is not in the table fails with EPERM; a call of another ABI kills.
`clone3`, whose arguments a filter cannot see, answers ENOSYS, upon which glibc uses `clone`.

A hundred lines of assembler, and no libseccomp in the trusted base (ADR 0012).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Final

from guest.calls import CALLS, CLONE3, NUMBERS, SELF, Argument, Calls
from guest.door import Process
from guest.kernel import prctl

PR_SET_SECCOMP: Final = 22
SECCOMP_MODE_FILTER: Final = 2
AUDIT_ARCH_X86_64: Final = 0xC000003E
X32_SYSCALL_BIT: Final = 0x40000000

# struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = 16  # of each the low half; the values compared here have 32 bits

# linux/bpf_common.h
_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

_ALLOW: Final = 0x7FFF0000  # SECCOMP_RET_ALLOW
_KILL: Final = 0x80000000  # SECCOMP_RET_KILL_PROCESS
_ERROR: Final = 0x00050000  # SECCOMP_RET_ERRNO, with the number in the low bits


class SeccompError(Exception):
    """There is no table for this processor."""


def program(calls: Calls, pid: int) -> bytes:
    """The filter for ``calls`` in the process ``pid``, as an array of struct sock_filter."""
    plain = sorted(NUMBERS[name] for name, ways in calls.items() if not ways)
    code = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, AUDIT_ARCH_X86_64, true=1),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
        _instruction(_AT_LEAST, X32_SYSCALL_BIT, false=1),
        _instruction(_RETURN, _KILL),
        # as if the kernel did not have it
        _instruction(_EQUAL, CLONE3, false=1),
        _instruction(_RETURN, _ERROR | errno.ENOSYS),
    ]
    for number in plain:
        code += [_instruction(_EQUAL, number, false=1), _instruction(_RETURN, _ALLOW)]
    for name, ways in calls.items():
        if ways:
            code += _conditional(NUMBERS[name], ways, pid)
    code.append(_instruction(_RETURN, _ERROR | errno.EPERM))
    return b"".join(code)


def restrict(process: Process) -> None:
    """Put this process, and every thread it will have, under its filter. There is no way back.

    Raises:
        SeccompError: not an x86-64 processor.
        OSError: the kernel refused, for example before no-new-privileges was set.
    """
    if platform.machine() != "x86_64":
        raise SeccompError(f"system call filter: no table for {platform.machine()}")
    filters = program(CALLS[process], os.getpid())
    buffer = ctypes.create_string_buffer(filters, len(filters))
    header = struct.pack("@HxxxxxxP", len(filters) // 8, ctypes.addressof(buffer))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header)


def _conditional(number: int, ways: tuple[tuple[Argument, ...], ...], pid: int) -> list[bytes]:
    """Allow the call if all arguments of one of its ways are as they must be."""
    body: list[bytes] = []
    for way in ways:
        tests = [_test(argument, pid) for argument in way]
        left = 3 * len(tests) + 1
        for load, mask, value in tests:
            left -= 3
            body += [load, mask, _instruction(_EQUAL, value, false=left)]
        body.append(_instruction(_RETURN, _ALLOW))
    body.append(_instruction(_RETURN, _ERROR | errno.EPERM))
    return [_instruction(_EQUAL, number, false=len(body)), *body]


def _test(argument: Argument, pid: int) -> tuple[bytes, bytes, int]:
    value = pid if argument.value == SELF else argument.value
    load = _instruction(_LOAD, _ARGUMENTS + 8 * argument.at)
    return load, _instruction(_AND, argument.mask), value


def _instruction(code: int, k: int, *, true: int = 0, false: int = 0) -> bytes:
    """A struct sock_filter: __u16 code; __u8 jt, jf; __u32 k."""
    return struct.pack("=HBBI", code, true, false, k)
