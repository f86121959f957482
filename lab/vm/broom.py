# SPDX-License-Identifier: Apache-2.0
"""A folder that goes when its maker goes, however that ends: ``python -m lab.vm.broom FOLDER``.

A process that is killed removes nothing. So another one waits for the end of its standard input,
which only the maker can write to and nobody writes to, and then removes the folder. It is in a
session of its own, where no signal for the maker's terminal or group reaches it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder with a short name, as the address of a unix socket has at most 107 bytes."""
    place = Path(tempfile.mkdtemp(prefix="sealroom-vm-"))
    with subprocess.Popen(  # noqa: S603 - this very module, no shell
        [sys.executable, "-m", "lab.vm.broom", str(place)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    ):
        yield place


def main() -> None:
    """Wait for the end, and sweep."""
    sys.stdin.buffer.read()
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
