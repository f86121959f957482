# SPDX-License-Identifier: Apache-2.0
"""`python -m sealroom` is the command `sealroom`."""

import sys

from sealroom.cli import main

sys.exit(main())
