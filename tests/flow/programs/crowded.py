# SPDX-License-Identifier: Apache-2.0
"""The echo, for which the kernel makes no more processes at SIGUSR1, and does again at SIGUSR2.

The limit is RLIMIT_NPROC. Root may always fork, so started as root this is a user of its own.
"""

import os
import resource
import signal

from tests.flow.programs.echo import main

NOBODY_ELSE = 61_387

if __name__ == "__main__":
    if os.geteuid() == 0:
        os.setresuid(NOBODY_ELSE, NOBODY_ELSE, NOBODY_ELSE)
    before = resource.getrlimit(resource.RLIMIT_NPROC)

    def crowd(number: int, _frame: object) -> None:
        soft = 1 if number == signal.SIGUSR1 else before[0]
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, before[1]))

    signal.signal(signal.SIGUSR1, crowd)
    signal.signal(signal.SIGUSR2, crowd)
    main()
