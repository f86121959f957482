# SPDX-License-Identifier: Apache-2.0
"""The kernel's file systems, as a table, and what becomes read-only before anybody is served.

The root is the initramfs, so it is memory; nothing is ever written there, and there is no other
place to write: no ``/tmp``, no tmpfs. What stays writable is what the guest must write to: control
groups and configfs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from guest.boot.reasons import BootError, Reason
from guest.kernel import call

SYS_MOUNT: Final = 165


class Flag(IntFlag):
    """MS_* of linux/mount.h."""

    RDONLY = 1
    NOSUID = 2
    NODEV = 4
    NOEXEC = 8
    REMOUNT = 32
    BIND = 4096


_DATA: Final = Flag.NOSUID | Flag.NODEV | Flag.NOEXEC


@dataclass(frozen=True, slots=True)
class Mount:
    """One file system: its kind, where, with which flags and options."""

    kind: str
    target: str
    flags: Flag = _DATA
    options: str = ""


DEVICES: Final = Mount("devtmpfs", "/dev", Flag.NOSUID | Flag.NOEXEC)
PROC: Final = Mount("proc", "/proc", options="hidepid=invisible")
SYS: Final = Mount("sysfs", "/sys")
# On mount points in /sys that the kernel makes; configfs may come with a module.
BELOW_SYS: Final = (
    Mount("securityfs", "/sys/kernel/security"),
    Mount("configfs", "/sys/kernel/config"),
    Mount("cgroup2", "/sys/fs/cgroup"),
)
READ_ONLY: Final = (DEVICES, PROC, SYS, BELOW_SYS[0])
_ROOT: Final = Flag.REMOUNT | Flag.RDONLY | Flag.NOSUID | Flag.NODEV


def mount(what: Mount) -> None:
    """Mount one.

    Raises:
        BootError: the kernel refused.
    """
    _mount(what.kind, what.target, what.flags, what.options)


def close() -> None:
    """Make the root file system read-only, and every mount in `READ_ONLY`.

    Raises:
        BootError: the kernel refused.
    """
    for what in READ_ONLY:
        _mount("", what.target, what.flags | Flag.REMOUNT | Flag.BIND | Flag.RDONLY, "")
    _mount("", "/", _ROOT, "")


def _mount(kind: str, target: str, flags: Flag, options: str) -> None:
    words = (kind.encode("ascii"), target.encode("ascii"), kind.encode("ascii"))
    try:
        call(SYS_MOUNT, *words, int(flags), options.encode("ascii"))
    except OSError as error:
        raise BootError(Reason.MOUNTS, error.errno or 0) from error
