# SPDX-License-Identifier: Apache-2.0
"""How gate, keyholder and zygote come to life: a socket to init, settings, then the sandbox.

A child is started with two arguments, both numbers: the descriptor of its door to init, and the
process id of init. Everything else comes through that door, what this host lacks included: the
child takes every other step of its sandbox, or ends.
"""

from __future__ import annotations

import codecs
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

from guest import faults, sandbox
from guest.channel import Channel, Parcel
from guest.door import Process, Say
from guest.settings import Identity, read_section

CODECS: Final = ("ascii", "utf-8", "latin-1", "utf-16-be", "idna")
NETWORK: Final = "network"  # the body of the LINK that carries the gate's listening socket


def start(
    process: Process,
    *,
    policy: sandbox.Policy = sandbox.POLICY,
    folder: Callable[[bytes], str | None] = lambda _: None,
) -> tuple[Channel, Parcel, sandbox.Policy]:
    """Hear the configuration and enter the sandbox; nobody but init was heard before.

    Args:
        process: who we are.
        policy: the steps to take.
        folder: from the configuration's body, a folder whose files may still be read.

    Returns:
        The door to init, the configuration, and the policy less what this host lacks.

    Raises:
        SandboxError: a step of the sandbox was refused.
        GoneError, DoorError: init is gone, or of another version.
    """
    faults.install(process)
    fd, parent = (int(argument) for argument in sys.argv[1:3])
    for name in CODECS:  # Python loads each when it is first used, and soon it can load nothing
        codecs.lookup(name)
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for init, which ends us in order
    wiring = Channel.adopt(fd, us=process, them=Process.INIT)
    first = wiring.hear()
    if first is None or first.say is not Say.CONFIG:
        raise SystemExit(1)
    policy = sandbox.without(policy, read_section(first.body, Identity).lacking)
    sandbox.enter(process, parent, policy=policy, folder=folder(first.body))
    return wiring, first, policy


def linked(parcel: Parcel, *, us: Process) -> tuple[str, int]:
    """The peer that a LINK names, and the descriptor of our end; ``us`` must not be the peer."""
    name = parcel.body.decode("ascii")
    if name == us:
        raise ValueError("linked to ourselves")
    return name, parcel.fds[0]
