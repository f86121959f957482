# SPDX-License-Identifier: Apache-2.0
"""How each attempt of the probe fails (`lab.vm.inside.ATTEMPTS`), by the name of the errno.

An attempt that fails is not yet refused: it may only have been badly put. So each must fail as it
does where the thing is not there at all, or in the one way that a refusal has.
"""

from __future__ import annotations

from typing import Final

NOT_BUILT: Final = dict.fromkeys(
    (
        "load a module from memory",
        "load a module from a file",
        "load another kernel",
        "load a BPF program",
        "set up io_uring",
        "read another process",
        "swap to a disk",
        "handle page faults",
        "change a segment of the processor",
        "use every port",
        "use some ports",
    ),
    "ENOSYS",
)
"""System calls that this kernel has not."""
NO_FILE: Final = dict.fromkeys(
    (
        "read physical memory",
        "read the kernel's memory",
        "use ports as a file",
        "write model registers",
        "allow modules again",
        "allow dumps",
        "hibernate",
        "start a shell",
    ),
    "ENOENT",
)
REFUSED: Final = {
    **NOT_BUILT,
    **NO_FILE,
    "make a user namespace": "EINVAL",  # as of any flag that is unknown
    "trace PID 1": "EPERM",
    "mount debugfs": "ENODEV",
    "mount tracefs": "ENODEV",
    "make a file in the root": "EROFS",
    "lift the lockdown": "EROFS",
    "write to the model's disk": "EPERM",
    "open a network socket": "EAFNOSUPPORT",
}
NOISE: Final = {
    "/dev/console": "written",
    "/dev/kmsg": "written",
    "/dev/ttyS0": "ENOENT",
    "/dev/tty0": "ENOENT",
    "/dev/hvc0": "ENOENT",
}
"""What comes of a line that is written where a host could see it."""
