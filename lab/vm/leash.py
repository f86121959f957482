# SPDX-License-Identifier: Apache-2.0
"""Run a program that ends with its parent: ``python -m lab.vm.leash PARENT PROGRAM ARGUMENTS…``.

A test run that is killed must leave no machine behind, and the vsock device has no option for it.
The kernel's signal is asked for here, after the fork, because a fork that runs Python beside
threads may hang (PR_SET_PDEATHSIG survives execve, prctl(2)).
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

from guest.kernel import prctl

PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Replace this process by the program, unless the parent has gone already."""
    parent, program, *arguments = sys.argv[1:]
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("lab.vm.leash: the parent has ended")
    os.execv(program, [program, *arguments])  # noqa: S606 - the words come from lab.vm


if __name__ == "__main__":
    main()
