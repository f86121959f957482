# SPDX-License-Identifier: Apache-2.0
"""A folder that goes when its maker goes, however that ends.

A process that is killed removes nothing, so another one does (`lab.vm.broom`). It is in a session
of its own, where no signal for the maker's terminal or process group reaches it.
"""

from __future__ import annotations

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
    with subprocess.Popen(  # noqa: S603 - a module of ours, no shell
        [sys.executable, "-m", "lab.vm.broom", str(place)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    ):
        yield place
