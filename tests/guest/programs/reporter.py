# SPDX-License-Identifier: Apache-2.0
"""A child of init that reports what it was given: ``reporter DOOR INIT_PID PROCESS SOCKET MOOD``.

It starts as the guest's own programs do and then tells a datagram socket, one JSON object each,
what it hears. MOOD says how it misbehaves, if it does.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

from guest import sandbox
from guest.channel import GoneError, Parcel
from guest.child import linked, start
from guest.door import Process, Say

PEER_MAX_S = 8.0
STEPS = (sandbox.DIE_WITH_PARENT, sandbox.NO_NEW_PRIVILEGES)  # else it could report nothing


def main() -> None:
    name, path, mood = sys.argv[3:6]
    process = Process(name)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mood == "stubborn" else signal.SIG_DFL)
    listed = list(Path("/proc/self/fd").iterdir())
    inherited = sorted(int(path.name) for path in listed if path.exists())
    wiring, first, _ = start(process, policy={process: STEPS})
    reports = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    reports.connect(path)

    def report(event: str, **facts: object) -> None:
        told = {"process": name, "pid": os.getpid(), "event": event, **facts}
        reports.send(json.dumps(told).encode())

    report(
        "born",
        environment=dict(os.environ),
        isolated=bool(sys.flags.isolated),
        standard_input=str(Path("/proc/self/fd/0").readlink()),
        inherited=inherited,
        door=wiring.fileno(),
        umask=os.umask(0o077),
        sections=[line.split(b" ")[0].decode() for line in first.body.split(b"\n")],
        model=os.pread(first.fds[0], 64, 0).decode() if first.fds else None,
    )
    if mood == "fall":
        sys.exit(3)
    if mood == "break":
        wiring._sock.send(b"\xff" * 9)
        signal.pause()
    wiring.say(Say.READY)
    peers = []
    try:
        while (parcel := wiring.hear()) is not None:
            peers.append(greet(process, parcel, report))
    except GoneError:
        return


def greet(process: Process, parcel: Parcel, report: object) -> socket.socket:
    """Tell a new peer who we are, and report who it says it is."""
    assert callable(report)
    peer, fd = linked(parcel, us=process)
    sock = socket.socket(fileno=fd)
    if peer == "network":
        report("link", peer=peer, said=sock.getsockname()[1])
        return sock
    sock.settimeout(PEER_MAX_S)
    try:
        sock.send(str(os.getpid()).encode())
        said = int(sock.recv(64) or b"0")
    except OSError:
        said = 0  # it fell before it could say anything
    report("link", peer=peer, said=said)
    return sock


if __name__ == "__main__":
    main()
