# SPDX-License-Identifier: Apache-2.0
"""PID 1 lives twice: as the kernel starts it, and once more with the environment of a guest.

What a process was started with stays readable in its memory and in ``/proc``, and the self-test
looks there, so the kernel's variables are not deleted but left behind by an exec. `/init` calls
`renew` before it imports anything that takes time.

The kernel turns each word of its command line that it does not know into a variable or an argument
of PID 1. With such a word `renew` does nothing and `verify` refuses.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

from guest.boot.reasons import BootError, Reason
from guest.environment import ENVIRONMENT

KERNELS: Final[Mapping[str, str]] = {"HOME": "/", "TERM": "linux"}  # init/main.c, envp_init
COERCED: Final[Mapping[str, str]] = {"LC_CTYPE": "C.UTF-8"}  # by Python itself (PEP 538)


def renew() -> None:
    """Start the same program again with the literal environment; return if that was done before."""
    if dict(os.environ) in (KERNELS, {**KERNELS, **COERCED}):
        os.execve(sys.executable, [sys.executable, "-I", "-S", *sys.argv], ENVIRONMENT)  # noqa: S606


def verify(environment: Mapping[str, str], arguments: list[str]) -> None:
    """Check that this is the second life, and that no word of the command line came along.

    Raises:
        BootError: there is another variable or an argument.
    """
    if environment != ENVIRONMENT or len(arguments) != 1:
        raise BootError(Reason.ENVIRONMENT)
