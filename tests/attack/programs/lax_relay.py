# SPDX-License-Identifier: Apache-2.0
"""The relay without its tables of paths and media types and without its limit, and it unpacks."""

import sys

from services.relay import relay
from services.relay.__main__ import main
from tests.attack.programs.lax_services import lax

if __name__ == "__main__":
    with lax(relay):
        sys.exit(main())
