# SPDX-License-Identifier: Apache-2.0
"""Who each process of the guest is: a user and group of its own, and no capability.

A process that starts as root gives that up for good. The zygote must end its workers, which are
another user's, and make them that user's, without a capability: its *real* id is the workers'
(kill(2) compares with that one, and setresuid(2) lets anyone become whom its real id names), its
effective and saved id are its own. Signals are thus the one thing that ids do not keep apart
between a worker and the zygote; the worker's filter and its Landlock scope do (ADR 0015).

No account is needed: a number in nobody's range is enough, and owns no file.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Final

from guest.door import Process
from guest.kernel import call, prctl

PR_CAPBSET_READ: Final = 23
PR_CAPBSET_DROP: Final = 24
PR_SET_SECUREBITS: Final = 28
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
# NOROOT and NO_CAP_AMBIENT_RAISE, and every lock (linux/securebits.h).
SECUREBITS: Final = 0x01 | 0x02 | 0x08 | 0x20 | 0x40 | 0x80

SYS_CAPGET: Final = 125
SYS_CAPSET: Final = 126
CAPABILITY_VERSION_3: Final = 0x20080522
CAP_SETPCAP: Final = 8
CAPABILITIES_MAX: Final = 64  # two words; Linux 6 has 41


class CredentialError(OSError):
    """The kernel took the ids or capabilities and has others."""


@dataclass(frozen=True, slots=True)
class Ids:
    """User and group ids, which are the same numbers."""

    real: int
    effective: int
    saved: int


# 60578 to 61183 is a range that neither distributions nor systemd give to anybody
# (systemd.io/UIDS-GIDS).
_WORKER: Final = 60804
USERS: Final[Mapping[Process, Ids]] = {
    Process.GATE: Ids(60801, 60801, 60801),
    Process.KEYHOLDER: Ids(60802, 60802, 60802),
    Process.ZYGOTE: Ids(_WORKER, 60803, 60803),
    Process.WORKER: Ids(_WORKER, _WORKER, _WORKER),
}
# Processes and threads of one user; more than one guest on a host share the number.
PROCESSES_MAX: Final[Mapping[Process, int]] = {
    Process.GATE: 64,
    Process.KEYHOLDER: 512,
    Process.ZYGOTE: 4096,
    Process.WORKER: 4096,
}


def become(process: Process) -> None:
    """Be this process's user and group, in no other group, for good.

    Raises:
        OSError: not root and not its zygote, or the kernel has no such ids here.
        CredentialError: it can be undone.
    """
    ids = astuple(USERS[process])
    empty_bounds()
    if os.getgroups():
        os.setgroups([])
    limit = PROCESSES_MAX[process]
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
    os.setresgid(*ids)
    os.setresuid(*ids)
    if (os.getresuid(), os.getresgid(), os.getgroups()) != (ids, ids, []):
        raise CredentialError(errno.EPERM, "other ids than were asked for")
    for regain in (os.setuid, os.setgid):
        try:
            regain(0)
        except PermissionError:
            continue
        raise CredentialError(errno.EPERM, "root can be had back")


def empty_bounds() -> None:
    """Where that is allowed, see to it that no exec can bring a capability back."""
    if not effective_capabilities() >> CAP_SETPCAP & 1:
        return
    prctl(PR_SET_SECUREBITS, SECUREBITS)
    for capability in range(CAPABILITIES_MAX):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return  # the kernel knows no more of them


def drop_capabilities() -> None:
    """Have no capability, in any set.

    Raises:
        CredentialError: one is left.
    """
    empty_bounds()
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    call(SYS_CAPSET, _header(), bytes(24))
    if any(_capabilities()):
        raise CredentialError(errno.EPERM, "a capability is left")


def effective_capabilities() -> int:
    """The effective set of this process, as bits."""
    low, _, _, high, _, _ = _capabilities()
    return low | high << 32


def _capabilities() -> tuple[int, ...]:
    """Effective, permitted, inheritable: the low words of the three, then the high words."""
    data = ctypes.create_string_buffer(24)
    call(SYS_CAPGET, _header(), ctypes.addressof(data))
    return struct.unpack("=6I", data.raw)


def _header() -> bytes:
    """A struct __user_cap_header_struct, for this process."""
    return struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
