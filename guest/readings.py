# SPDX-License-Identifier: Apache-2.0
"""What the start self-test looks at: files of the kernel, and what this process asks for itself.

Nothing here judges; that is `guest.selftest`. Every file is read with `FILE_MAX_BYTES`. One that
the kernel does not have is `Nothing.ABSENT`, one that is there and cannot be read whole is
`Nothing.UNREADABLE`; the two differ, for a kernel without swap has no ``/proc/swaps``.
"""

from __future__ import annotations

import os
import resource
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

from guest.keyholder.tsm import (
    Configfs,
    KernelConfigfs,
    TsmError,
    filesystem_magic,
    read_privilege_floor,
    read_provider,
)

FILE_MAX_BYTES: Final = 1 << 20  # /proc/cpuinfo of a large machine; the others are a line or two
PIECE_BYTES: Final = 1 << 16
CLOCK_STEP_S: Final = 0.001
CLOCK_SOURCE: Final = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
UNCALIBRATED: Final = "tsc-early\n"
CALIBRATION_STEP_S: Final = 0.1
CALIBRATION_STEPS: Final = 50  # five seconds; the kernel takes one, if it takes any
GZIP: Final = 16 + zlib.MAX_WBITS


class Nothing(Enum):
    """Why a reading has no text."""

    ABSENT = "absent"
    UNREADABLE = "unreadable"


Reading = str | Nothing
Readings = Mapping[str, Reading]


def read(names: Iterable[str]) -> Readings:
    """What each name reads now: a path, or a probe of `PROBES`."""
    return {name: PROBES[name]() if name in PROBES else read_file(Path(name)) for name in names}


def read_file(path: Path) -> Reading:
    """The text of a file, of at most `FILE_MAX_BYTES`, counted after decompression."""
    try:
        data = _read_bounded(path)
        if path.suffix == ".gz":
            data = zlib.decompressobj(GZIP).decompress(data, FILE_MAX_BYTES + 1)
    except FileNotFoundError:
        return Nothing.ABSENT
    except (OSError, zlib.error):
        return Nothing.UNREADABLE
    return Nothing.UNREADABLE if len(data) > FILE_MAX_BYTES else data.decode("utf-8", "replace")


def _read_bounded(path: Path) -> bytes:
    """At most a byte more than is taken; files of the kernel come in pieces."""
    data = bytearray()
    with path.open("rb", buffering=0) as file:
        while len(data) <= FILE_MAX_BYTES and (piece := file.read(PIECE_BYTES)):
            data += piece
    return bytes(data[: FILE_MAX_BYTES + 1])


def read_magic(path: str) -> Reading:
    """The magic number of the file system at a path, in hexadecimal."""
    try:
        return f"{filesystem_magic(Path(path)):#x}"
    except FileNotFoundError:
        return Nothing.ABSENT
    except OSError:
        return Nothing.UNREADABLE


def read_clock_source(path: Path, wait: Callable[[float], object]) -> Reading:
    """The clock that the kernel goes by.

    A kernel that no processor told the TSC's frequency begins with a guess, under another name,
    and calibrates it for a second; a guest that starts faster waits for that.
    """
    for _ in range(CALIBRATION_STEPS):
        if read_file(path) != UNCALIBRATED:
            break
        wait(CALIBRATION_STEP_S)
    return read_file(path)


def read_tsm(configfs: Configfs) -> Reading:
    """The provider's name and the privilege level, such as ``sev_guest 0`` or ``tdx_guest``."""
    try:
        provider, level = read_provider(configfs), read_privilege_floor(configfs)
    except TsmError:
        return Nothing.ABSENT
    return provider.value if level is None else f"{provider.value} {level}"


def _crng() -> Reading:
    try:
        os.getrandom(1, os.GRND_NONBLOCK)
    except BlockingIOError:
        return "not ready"
    return "ready"


def _monotonic_ns() -> Reading:
    before = time.monotonic_ns()
    time.sleep(CLOCK_STEP_S)
    return str(time.monotonic_ns() - before)


def _python() -> Reading:
    site = int("site" in sys.modules)
    return f"isolated={sys.flags.isolated} no_site={sys.flags.no_site} site={site}"


def _limit(which: int) -> Callable[[], Reading]:
    return lambda: " ".join(str(value) for value in resource.getrlimit(which))


PROBES: Final[Mapping[str, Callable[[], Reading]]] = {
    "random number generator": _crng,
    "clock source": lambda: read_clock_source(CLOCK_SOURCE, time.sleep),
    "monotonic clock, ns": _monotonic_ns,
    "wall clock, s": lambda: str(int(time.time())),
    "file system of /proc": lambda: read_magic("/proc"),
    "file system of /sys": lambda: read_magic("/sys"),
    "file system of /sys/kernel/config": lambda: read_magic("/sys/kernel/config"),
    "configfs-tsm": lambda: read_tsm(KernelConfigfs()),
    "python": _python,
    "arguments": lambda: str(len(sys.argv) - 1),
    "core size limit": _limit(resource.RLIMIT_CORE),
    "locked memory limit": _limit(resource.RLIMIT_MEMLOCK),
}
"""What is not a file. -1 stands for no limit."""
