# SPDX-License-Identifier: Apache-2.0
"""The gate with more places for arriving requests than one connection has streams."""

from unittest.mock import patch

from guest.gate import arrivals
from guest.gate.__main__ import main

if __name__ == "__main__":
    with patch.object(arrivals, "ARRIVING_MAX", 256):
        main()
