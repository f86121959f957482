# SPDX-License-Identifier: Apache-2.0
"""How much of the host one process may take: descriptors, memory, file sizes.

Hard limits, which no process without a capability can raise again.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from guest.door import Process

# The gate: 64 connections, 64 workers, and as many again that are about to be turned away. The
# keyholder: a door and a pidfd for each of 128 workers. The zygote: a pidfd for each.
DESCRIPTORS_MAX: Final[Mapping[Process, int]] = {
    Process.GATE: 512,
    Process.KEYHOLDER: 512,
    Process.ZYGOTE: 256,
    Process.WORKER: 16,
}
MIB: Final = 1 << 20
# Beyond what a process has when it is ready. A worker has what its zygote had and this.
GROWTH_MAX_MIB: Final[Mapping[Process, int]] = {
    Process.GATE: 512,
    Process.KEYHOLDER: 512,
    Process.ZYGOTE: 256,
}
_STATM: Final = Path("/proc/self/statm")
_DATA: Final = 5  # the sixth number: pages of data and stack


def no_core() -> None:
    """Leave no core file."""
    _limit(resource.RLIMIT_CORE, 0)


def no_files() -> None:
    """Make no file longer."""
    _limit(resource.RLIMIT_FSIZE, 0)


def few_descriptors(process: Process) -> None:
    """Have no descriptor of this number or above."""
    _limit(resource.RLIMIT_NOFILE, DESCRIPTORS_MAX[process])


def bounded_memory(process: Process) -> None:
    """Grow by no more private writable memory than this; what is asked beyond fails."""
    pages = int(_STATM.read_bytes().split()[_DATA])
    now = pages * resource.getpagesize()
    _limit(resource.RLIMIT_DATA, now + GROWTH_MAX_MIB[process] * MIB)


def _limit(which: int, value: int) -> None:
    resource.setrlimit(which, (value, value))
