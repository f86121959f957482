# SPDX-License-Identifier: Apache-2.0
"""What the kernel was told that matters to erasure, read once at start. "unknown" is an answer."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Final

from attest.receipt import Fact, Kernel

CMDLINE: Final = Path("/proc/cmdline")
SWAPS: Final = Path("/proc/swaps")
_READ_MAX_BYTES: Final = 16 * 1024


def kernel_facts() -> Kernel:
    """Freed memory is zeroed; there is swap; this process and its kin may dump core."""
    cmdline = _read(CMDLINE)
    # A kernel without swap has no such file; where another of /proc can be read, it is not hidden.
    without = None if cmdline is None else ""
    return Kernel(
        init_on_free=init_on_free(cmdline),
        swap=swap(_read(SWAPS, absent=without)),
        core_dumps=Fact.OFF if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 else Fact.ON,
    )


def init_on_free(cmdline: str | None) -> Fact:
    """The last word on the kernel command line; a kernel's built-in default cannot be read."""
    words = [w for w in (cmdline or "").split() if w.startswith("init_on_free=")]
    return {"init_on_free=1": Fact.ON, "init_on_free=0": Fact.OFF}.get(
        words[-1] if words else "", Fact.UNKNOWN
    )


def swap(swaps: str | None) -> Fact:
    """Whether /proc/swaps lists anything below its header; a kernel without swap has no text."""
    if swaps is None:
        return Fact.UNKNOWN
    return Fact.ON if len(swaps.splitlines()) > 1 else Fact.OFF


def _read(path: Path, absent: str | None = None) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_READ_MAX_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return absent
    except OSError:
        return None  # becomes "unknown"
