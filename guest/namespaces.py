# SPDX-License-Identifier: Apache-2.0
"""Out of the host's namespaces: no network, no System V or POSIX queues, no host name of others.

A socket belongs to the network it was made in, so the gate goes on accepting from the listening
socket that init made and can itself reach nobody; not even loopback is up. A root makes namespaces
outright, anyone else inside a user namespace of its own, where the host allows that.
"""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import Final

from guest.kernel import call
from guest.users import effective_capabilities

SYS_UNSHARE: Final = 272
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
CAP_SYS_ADMIN: Final = 21

_TASKS: Final = Path("/proc/self/task")


class NamespaceError(OSError):
    """The namespaces are not what was asked for."""


def leave() -> None:
    """Go into new, empty namespaces; children are born there.

    Raises:
        OSError: the host does not allow it.
        NamespaceError: this process has threads, which would stay behind, or a network is there.
    """
    if len(list(_TASKS.iterdir())) != 1:
        raise NamespaceError(errno.EBUSY, "wanted one thread")
    flags = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    if not effective_capabilities() >> CAP_SYS_ADMIN & 1:
        flags |= CLONE_NEWUSER
    call(SYS_UNSHARE, flags)
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        raise NamespaceError(errno.EADDRINUSE, "wanted no network but loopback")
