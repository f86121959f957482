# SPDX-License-Identifier: Apache-2.0
"""Remove a folder when whoever asked for it has ended: ``python -m lab.vm.broom FOLDER``.

That is the end of standard input, to which only the maker can write and nobody writes.
"""

from __future__ import annotations

import shutil
import sys


def main() -> None:
    """Wait for the end, and sweep."""
    sys.stdin.buffer.read()
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
