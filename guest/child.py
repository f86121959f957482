# SPDX-License-Identifier: Apache-2.0
"""How gate, keyholder and zygote come to life: a socket to init, the sandbox, then settings.

A child is started with two arguments, both numbers: the descriptor of its door to init, and the
process id of init. Everything else comes through that door.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from typing import Final

from guest import faults, sandbox
from guest.channel import Channel, Parcel
from guest.door import Process, Say

NETWORK: Final = "network"  # the body of the LINK that carries the gate's listening socket


def start(
    process: Process, *, policy: Mapping[Process, tuple[sandbox.Step, ...]] = sandbox.POLICY
) -> tuple[Channel, Parcel]:
    """Enter the sandbox and return the door to init with the configuration heard there.

    Raises:
        SandboxError: a step of the sandbox was refused.
        GoneError, DoorError: init is gone, or of another version.
    """
    faults.install(process)
    fd, parent = (int(argument) for argument in sys.argv[1:3])
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for init, which ends us in order
    wiring = Channel.adopt(fd, us=process, them=Process.INIT)
    sandbox.enter(process, parent, policy=policy)
    first = wiring.hear()
    if first is None or first.say is not Say.CONFIG:
        raise SystemExit(1)
    return wiring, first


def linked(parcel: Parcel, *, us: Process) -> tuple[str, int]:
    """The peer that a LINK names, and the descriptor of our end; ``us`` must not be the peer."""
    name = parcel.body.decode("ascii")
    if name == us:
        raise ValueError("linked to ourselves")
    return name, parcel.fds[0]
