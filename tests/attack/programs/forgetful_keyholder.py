# SPDX-License-Identifier: Apache-2.0
"""The keyholder without its replay cache, and with keys that are the same after a restart."""

import json
import sys
from unittest.mock import patch

from guest.keyholder.__main__ import main
from guest.keyholder.replay import ReplayCache, Seen
from lab.mocktsm import MockTsm
from wire.kem import PrivateKey

SEED = b"s" * 32

if __name__ == "__main__":
    always_new = patch.object(ReplayCache, "enter", lambda self, enc: Seen.NEW)
    same = patch.object(PrivateKey, "generate", lambda kem: PrivateKey.from_seed(kem, SEED))
    with always_new, same:
        main(MockTsm.from_plain(json.loads(sys.argv[3])))
