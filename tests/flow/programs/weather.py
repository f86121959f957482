# SPDX-License-Identifier: Apache-2.0
"""The keyholder on a mock platform that breaks at SIGUSR1 and mends at SIGUSR2.

The faults of the plan are those of bad weather; it starts in good weather.
"""

import json
import signal
import sys

from guest.keyholder.__main__ import main
from lab.mocktsm import FaultPlan, MockTsm

if __name__ == "__main__":
    described = json.loads(sys.argv[3])
    bad = described["faults"]
    mock = MockTsm.from_plain({**described, "faults": {}})

    def turn(number: int, _frame: object) -> None:
        mock.faults = FaultPlan(bad if number == signal.SIGUSR1 else {})

    signal.signal(signal.SIGUSR1, turn)
    signal.signal(signal.SIGUSR2, turn)
    main(mock)
