# SPDX-License-Identifier: Apache-2.0
"""How large each locked package of the guest is when installed, the numbers of ADR 0004.

python -m tests.contract.guest_sizes
"""

import sys
from importlib.metadata import distribution
from pathlib import Path

from tests.contract.repository import pins


def main() -> int:
    """Print one row for each package: installed KiB, files, lines of Python, native libraries."""
    for name in pins("requirements/guest.txt"):
        found = distribution(name)
        paths = {Path(str(path.locate())) for path in found.files or () if path.suffix != ".pyc"}
        contents = {path: path.read_bytes() for path in paths}
        kib = sum(map(len, contents.values())) // 1024
        python = (data for path, data in contents.items() if path.suffix == ".py")
        lines = sum(data.count(b"\n") for data in python)
        native = sum(".so" in path.name for path in paths)
        row = f"{name} {found.version}"
        sys.stdout.write(
            f"{row:28} {kib:7} KiB {len(paths):5} files {lines:7} lines {native:3} .so\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
