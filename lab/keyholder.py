# SPDX-License-Identifier: Apache-2.0
"""The keyholder of the lab: the guest's own, with a mock in place of the kernel's configfs.

This file is the whole difference between a lab guest and a real one: one argument to
`guest.keyholder.__main__.main`. The mock is described by a JSON argument that holds no secret.
"""

from __future__ import annotations

import json
import sys

from guest.keyholder.__main__ import main
from lab.mocktsm import MockTsm

if __name__ == "__main__":
    main(MockTsm.from_plain(json.loads(sys.argv[3])))
