# SPDX-License-Identifier: Apache-2.0
"""Calls of the kernel that Python has no function for; each raises OSError as Python's own do."""

from __future__ import annotations

import ctypes
import os
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.prctl.restype = ctypes.c_int


def call(number: int, *arguments: int | bytes) -> int:
    """The result of a system call by its number (x86-64); ``bytes`` go as their address.

    Raises:
        OSError: the kernel refused.
    """
    result: int = _libc.syscall(ctypes.c_long(number), *map(_word, arguments))
    return _checked(result)


def prctl(option: int, *arguments: int | bytes) -> int:
    """The result of an operation on this process; an argument that is not given is 0.

    Raises:
        OSError: the kernel refused.
    """
    padded = (*arguments, *(0,) * (4 - len(arguments)))
    result: int = _libc.prctl(ctypes.c_int(option), *map(_word, padded))
    return _checked(result)


def _word(argument: int | bytes) -> ctypes.c_long | ctypes.c_char_p:
    return ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_char_p(argument)


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
