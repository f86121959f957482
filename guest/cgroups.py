# SPDX-License-Identifier: Apache-2.0
"""A control group for each of init's children (Linux Documentation/admin-guide/cgroup-v2.rst).

init makes the groups below its own and puts each child into its own before the child has heard
anything. The workers stay in the zygote's: when they take too much together, the kernel ends one
of them, not the gate. Only version 2, and only where init may: in the image it is alone in the
root group, on an ordinary host somebody must have delegated one.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guest.door import Process

MOUNT: Final = Path("/sys/fs/cgroup")
CONTROLLERS: Final = ("memory", "pids")
SWAP: Final = "memory.swap.max"  # a kernel without swap has no such limit
_OWN: Final = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Share:
    """Of what the host has: memory in percent, and processes with their threads."""

    memory_percent: int
    processes: int


SHARES: Final[Mapping[Process, Share]] = {
    Process.GATE: Share(memory_percent=20, processes=16),
    Process.KEYHOLDER: Share(memory_percent=20, processes=64),
    Process.ZYGOTE: Share(memory_percent=80, processes=2048),
}


def make() -> Groups | None:
    """The groups, or None where init may not make them or not limit them."""
    try:
        return Groups(own_group(), memory_bytes())
    except OSError:
        return None


def possible() -> bool:
    """Whether `make` makes them; found out by making them."""
    groups = make()
    if groups is None:
        return False
    groups.close()
    return True


class Groups:
    """The groups of one guest."""

    def __init__(
        self, own: Path, total_bytes: int, *, controllers: Sequence[str] = CONTROLLERS
    ) -> None:
        """Make one group per child below ``own``, with its share of ``total_bytes``.

        Raises:
            OSError: they cannot be made, or a controller is not to be had.
        """
        self._folders: dict[Process, Path] = {}
        _write(own / "cgroup.subtree_control", " ".join(f"+{name}" for name in controllers))
        try:
            for process, share in SHARES.items():
                folder = own / f"sealroom-{os.getpid()}-{process}"
                folder.mkdir()
                self._folders[process] = folder
                for name, value in _limits(share, total_bytes).items():
                    absent = name == SWAP and not (folder / name).exists()
                    if name.partition(".")[0] in controllers and not absent:
                        _write(folder / name, str(value))
        except OSError:
            self.close()
            raise

    def place(self, process: Process, pid: int) -> None:
        """Put a child that has started nothing yet into its group.

        Raises:
            OSError: it is gone.
        """
        _write(self._folders[process] / "cgroup.procs", str(pid))

    def close(self) -> None:
        """Remove the groups. One that a dying worker is still in stays behind, and is empty."""
        while self._folders:
            _, folder = self._folders.popitem()
            with contextlib.suppress(OSError):
                folder.rmdir()


def own_group() -> Path:
    """The group that this process is in.

    Raises:
        OSError: version 2 is not mounted where systemd and the image mount it.
    """
    for line in _OWN.read_text("utf-8").splitlines():
        hierarchy, _, path = line.split(":", 2)
        if hierarchy == "0":
            group = MOUNT / path.lstrip("/")
            (group / "cgroup.controllers").stat()
            return group
    raise FileNotFoundError(errno.ENOENT, "no control groups of version 2")


def memory_bytes() -> int:
    """All that the host has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _limits(share: Share, total_bytes: int) -> dict[str, int]:
    return {
        "memory.max": total_bytes * share.memory_percent // 100,
        SWAP: 0,
        "pids.max": share.processes,
    }


def _write(path: Path, text: str) -> None:
    """Write a control file, which must be there already."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode("ascii"))
    finally:
        os.close(fd)
