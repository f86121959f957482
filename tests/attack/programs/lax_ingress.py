# SPDX-License-Identifier: Apache-2.0
"""The ingress without its tables of paths and media types and without its limit, and it unpacks."""

import sys

from services.ingress import ingress
from services.ingress.__main__ import main
from tests.attack.programs.lax_services import lax

if __name__ == "__main__":
    with lax(ingress):
        sys.exit(main())
