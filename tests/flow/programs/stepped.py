# SPDX-License-Identifier: Apache-2.0
"""The keyholder on the mock platform, whose wall clock steps by a year at a signal.

Ahead at SIGUSR1, back at SIGUSR2. What stands in is `time.time`, behind which stands the
hypervisor; the monotonic clock goes on as it is.
"""

import json
import signal
import sys
import time

from guest.keyholder.__main__ import main
from lab.mocktsm import MockTsm

YEAR_S = 365 * 24 * 3600

if __name__ == "__main__":
    real = time.time
    ahead = [0]

    def step(number: int, _frame: object) -> None:
        ahead[0] += YEAR_S if number == signal.SIGUSR1 else -YEAR_S

    signal.signal(signal.SIGUSR1, step)
    signal.signal(signal.SIGUSR2, step)
    time.time = lambda: real() + ahead[0]
    main(MockTsm.from_plain(json.loads(sys.argv[3])))
