# SPDX-License-Identifier: Apache-2.0
"""Finding the processes of a guest, and what they hold open. All waiting here is by polling."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from guest.door import Process
from lab.memscan import children

POLL_S = 0.05
PATIENCE_S = 60.0

# What the module of a process is called, in the guest or in tests/flow/programs.
NAMES = {
    "gate": Process.GATE,
    "keyholder": Process.KEYHOLDER,
    "worker": Process.ZYGOTE,
    "zygote": Process.ZYGOTE,
    "drill": Process.ZYGOTE,
    "stub": Process.ZYGOTE,
    "overheard": Process.ZYGOTE,
    "echo": Process.ZYGOTE,
    "crowded": Process.ZYGOTE,
    "weather": Process.KEYHOLDER,
}

T = TypeVar("T")


def until(what: str, look: Callable[[], T | None], patience_s: float = PATIENCE_S) -> T:
    """What `look` returns once it is neither None nor False nor empty."""
    end = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < end, f"waited {patience_s} s for {what}"
        time.sleep(POLL_S)
    return found


def arguments(pid: int) -> list[str]:
    """The argument vector of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def guest_processes(init: int) -> dict[Process, int]:
    """gate, keyholder and zygote by process id, once all three have been started."""

    def look() -> dict[Process, int] | None:
        found = {}
        for pid in children(init):
            words = arguments(pid)
            if words[1:3] == ["-I", "-m"]:  # else it has not come to its program yet
                found[NAMES[words[3].rpartition(".")[2]]] = pid
        return found if len(found) == 3 else None

    return until("gate, keyholder and zygote", look)


def workers(init: int) -> list[int]:
    """The living workers."""
    return children(guest_processes(init)[Process.ZYGOTE])


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def resident_bytes(pid: int) -> int:
    """The memory of a process that is in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
