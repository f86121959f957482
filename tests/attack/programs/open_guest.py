# SPDX-License-Identifier: Apache-2.0
"""`lab.guest` whose init hands its own environment on, and takes arguments it does not know."""

import argparse
import os
import sys
from unittest.mock import patch

from guest import init
from lab import guest


def parse_some(self: argparse.ArgumentParser) -> argparse.Namespace:
    return self.parse_known_args()[0]


if __name__ == "__main__":
    with (
        patch.object(init, "ENVIRONMENT", dict(os.environ)),
        patch.object(argparse.ArgumentParser, "parse_args", parse_some),
    ):
        sys.exit(guest.main())
