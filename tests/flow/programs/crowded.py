# SPDX-License-Identifier: Apache-2.0
"""The echo, for which the kernel runs out of something at a signal, by a limit of its own.

SIGUSR1 takes away processes, SIGUSR2 all descriptors but one, SIGHUP all; SIGWINCH gives back.
"""

import resource
import signal

from tests.flow.programs.echo import main
from tests.guest.rig import is_open

DESCRIPTORS_LEFT = {signal.SIGUSR2: 1, signal.SIGHUP: 0}
TAKEN = (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE)


def leave(room: int) -> None:
    """Let this process open only so many more descriptors."""
    limit = 0
    while room or is_open(limit):
        room -= not is_open(limit)
        limit += 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(TAKEN[1])[1]))


def crowd(number: int, _frame: object) -> None:
    """Take away, or give back."""
    if number == signal.SIGWINCH:
        for which in TAKEN:
            hard = resource.getrlimit(which)[1]
            resource.setrlimit(which, (hard, hard))
    elif number == signal.SIGUSR1:
        resource.setrlimit(resource.RLIMIT_NPROC, (1, resource.getrlimit(TAKEN[0])[1]))
    else:
        leave(DESCRIPTORS_LEFT[signal.Signals(number)])


if __name__ == "__main__":
    for number in (signal.SIGUSR1, signal.SIGWINCH, *DESCRIPTORS_LEFT):
        signal.signal(number, crowd)
    main()
