# SPDX-License-Identifier: Apache-2.0
"""A gate in an attacker's hands: it says to its peers what its table does not have.

It writes to standard error what it does: ``captured MOVE made``, then ``captured MOVE answered`` if
the peer went along. A peer that did not has closed the door, upon which init ends this process.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Final

from guest.channel import HEAD, PARCEL_MAX_BYTES, pack, pair
from guest.child import NETWORK, linked, start
from guest.door import Opening, Process, Question, Say
from wire.suites import DEFAULT

MADE, ANSWERED = "made", "answered"
LISTEN_S: Final = 1.0
FOR_EVER_S: Final = 3600.0
PUBLISHED: Final = frozenset({Say.PUBLISH, Say.READY})  # what peers say unasked


def say(door: socket.socket, packet: bytes, fds: tuple[int, ...] = ()) -> None:
    """Send a packet, whatever any table says; a closed door is found out when one listens."""
    try:
        if fds:
            socket.send_fds(door, [packet], list(fds))
        else:
            door.send(packet)
    except OSError:
        return


def answered(door: socket.socket) -> bool:
    """Whether the peer says anything that it does not say unasked, and keeps its door open."""
    door.setblocking(False)  # a time limit would need poll, which a gate may not call
    until = time.monotonic() + LISTEN_S
    while time.monotonic() < until:
        try:
            packet, fds, _, _ = socket.recv_fds(door, PARCEL_MAX_BYTES, 4)
        except BlockingIOError:
            time.sleep(0.02)
            continue
        except OSError:
            return False
        for fd in fds:
            os.close(fd)
        if not packet:
            return False
        if Say(HEAD.unpack_from(packet)[0]) not in PUBLISHED:
            return True
    return False


def ask(door: socket.socket) -> bool:
    """The question of a worker, asked by the gate."""
    question = Question(True, bytes(Question.HEADER_BYTES), bytes(DEFAULT.enc_bytes))
    say(door, pack(Say.ASK, 1, question.write()))
    return answered(door)


def born(door: socket.socket) -> bool:
    """A worker of the gate's own making, announced to the keyholder, that then asks."""
    ours, theirs = pair()
    alive, pidfd = pair()  # readable at its end only, like a pidfd, which a gate may not open
    say(door, pack(Say.BORN, 7, b""), (theirs.fileno(), pidfd.fileno()))
    theirs.close()
    with alive, pidfd:
        return ask(ours)


def fork(door: socket.socket) -> bool:
    """One worker, as any gate may have: the control of `twice`."""
    ours, theirs = pair()
    say(door, pack(Say.FORK, 8, Opening(True, 0).write()), (theirs.fileno(),))
    theirs.close()
    time.sleep(LISTEN_S)
    return _lives(ours)


def twice(door: socket.socket) -> bool:
    """Two workers of one number: the keyholder would not know whose end it saw."""
    ends = [pair() for _ in range(2)]
    for _, theirs in ends:
        say(door, pack(Say.FORK, 9, Opening(True, 0).write()), (theirs.fileno(),))
        theirs.close()
    time.sleep(LISTEN_S)
    return all(_lives(ours) for ours, _ in ends)


def unknown(door: socket.socket) -> bool:
    """A parcel that nobody has."""
    say(door, pack(Say.CONFIG, 0, b"{}"))
    say(door, bytes([200]) + bytes(8))
    return _open(door)


def _lives(end: socket.socket) -> bool:
    """Whether there is a worker at the other end."""
    end.setblocking(False)
    try:
        return end.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _open(door: socket.socket) -> bool:
    """Whether the peer has kept its door open."""
    time.sleep(LISTEN_S)
    door.setblocking(False)
    while True:
        try:
            if not door.recv(PARCEL_MAX_BYTES):
                return False
        except BlockingIOError:
            return True
        except OSError:
            return False


# A peer that closes its door has ended the conversation: each program makes one forbidden move.
MOVES: Final[dict[str, tuple[Process, Callable[[socket.socket], bool]]]] = {
    "ask": (Process.KEYHOLDER, ask),
    "born": (Process.KEYHOLDER, born),
    "unknown": (Process.ZYGOTE, unknown),
    "fork": (Process.ZYGOTE, fork),  # allowed
    "twice": (Process.ZYGOTE, twice),
}


def main(*moves: str) -> None:
    """Take the doors from init as the gate does, and make the moves."""
    wiring, _, _ = start(Process.GATE)
    doors: dict[Process, socket.socket] = {}
    while len(doors) < 2:
        parcel = wiring.hear()
        if parcel is None:
            continue
        name, fd = linked(parcel, us=Process.GATE)
        if name == NETWORK:
            os.close(fd)
        else:
            doors[Process(name)] = socket.socket(fileno=fd)
    wiring.say(Say.READY)
    for door in doors.values():
        door.setblocking(True)
        door.recv(PARCEL_MAX_BYTES)  # what a peer says unasked: now it listens
    for move in moves:
        peer, run = MOVES[move]
        _tell(move, MADE)
        if run(doors[peer]):
            _tell(move, ANSWERED)
    time.sleep(FOR_EVER_S)


def _tell(move: str, word: str) -> None:
    sys.stderr.write(f"captured {move} {word}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main("ask")
