# SPDX-License-Identifier: Apache-2.0
"""The keyholder on the mock platform, scannable; its faults can be changed between two lives.

When the plan of faults is ``{"file": PATH}``, the plan is read from that file at each start.
"""

import json
import sys
from pathlib import Path

from guest.keyholder.__main__ import main
from lab.mocktsm import MockTsm
from tests.flow.programs.scannable import POLICY


def mock(plain: str) -> MockTsm:
    """The mock platform as the lab describes it, less the detour over a file."""
    described = json.loads(plain)
    if "file" in described["faults"]:
        described["faults"] = json.loads(Path(described["faults"]["file"]).read_bytes())
    return MockTsm.from_plain(described)


if __name__ == "__main__":
    main(mock(sys.argv[3]), POLICY)
