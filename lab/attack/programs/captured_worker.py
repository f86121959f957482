# SPDX-License-Identifier: Apache-2.0
"""A zygote whose workers are in an attacker's hands: the request says what one is to try.

The worker opens its request as the guest's own does; then it breaks one rule of its doors. Without
one of the words of `Move` it behaves.
"""

from __future__ import annotations

import functools
import os
import socket
import time
from enum import StrEnum
from typing import Final

from guest import sandbox
from guest.channel import Channel, GoneError, pack
from guest.child import start
from guest.door import DoorError, Opening, Phase, Process, Question, Say
from guest.settings import GateSettings, ModelSettings, read_section
from guest.worker.intake import open_request
from guest.worker.modelfile import seal_model
from guest.worker.rehearsal import rehearse
from guest.worker.reply import ChunkedReply
from guest.worker.zygote import Zygote
from wire.api import Done, Ended, Milliseconds
from wire.sse import Delta, RecordShaper, write_event
from wire.suites import DEFAULT

HONEST: Final = "nothing was tried"
LOOT: Final = "got another secret"
CLOSED: Final = "the door was closed"
DONE: Final = Done(Ended.STOP, 1, 1, 0, Milliseconds(0, 0, 0, 0))
LISTEN_S: Final = 0.5
FOR_EVER_S: Final = 3600.0


class Move(StrEnum):
    """What a captured worker does after it has opened its request."""

    ASK_AGAIN = "move-ask-again"  # a second question to the keyholder
    GO_BACK = "move-go-back"  # a mark of an earlier phase, so that chunks are counted anew
    UNMARKED = "move-unmarked"  # chunks of which the keyholder does not know
    UNLISTED = "move-unlisted"  # a parcel that stands in no table of a worker's
    STAY = "move-stay"  # a whole answer, and then it lives on
    CRASH = "move-crash"  # a whole answer, and then it ends badly


class _Mute:
    """In the place of the door to the keyholder: what is said here, nobody hears."""

    def say(self, *_: object, **__: object) -> None:
        """Say nothing."""


def serve(policy: sandbox.Policy, opening: Opening, socket_fd: int, door_fd: int) -> None:
    """Answer, with the move that the request asks for."""
    door = socket.socket(fileno=door_fd)
    gate = Channel.adopt(socket_fd, us=Process.WORKER, them=Process.GATE)
    keyholder = Channel(door, us=Process.WORKER, them=Process.KEYHOLDER)
    sandbox.enter(Process.WORKER, os.getppid(), policy=policy)
    intake = open_request(gate, keyholder, chunked=opening.chunked)
    move = next((one for one in Move if one.encode() in intake.message), None)
    try:
        if move is Move.UNMARKED:
            # The keyholder counts one of two chunks, and would seal twice under one number.
            _answer(ChunkedReply(gate, _Mute(), intake.key), HONEST)  # type: ignore[arg-type]
            door.send(pack(Say.MARK, 0, bytes([Phase.ANSWERED])))
            return
        text = HONEST
        if move is Move.ASK_AGAIN:
            text = LOOT if _second_secret(keyholder) else CLOSED
        if move is Move.UNLISTED:
            door.send(pack(Say.PUBLISH, 0, b"{}"))
        _answer(ChunkedReply(gate, keyholder, intake.key), text)
        if move is Move.GO_BACK:
            door.send(pack(Say.MARK, 0, bytes([Phase.INFORMED])))
    except GoneError:
        return
    if move is Move.STAY:
        time.sleep(FOR_EVER_S)
    if move is Move.CRASH:
        os._exit(os.EX_SOFTWARE)


def _answer(reply: ChunkedReply, text: str) -> None:
    """A whole event stream: the text, and that it is done."""
    shaper = RecordShaper()
    shaper.push(write_event(Delta(text)))
    shaper.push(write_event(DONE))
    reply.open_stream()
    while True:
        record = shaper.record()
        reply.record(record, last=not shaper.pending)
        if not shaper.pending:
            return


def _second_secret(keyholder: Channel) -> bool:
    """Whether the keyholder answers another question."""
    question = Question(True, bytes(Question.HEADER_BYTES), bytes(DEFAULT.enc_bytes))
    try:
        keyholder.say(Say.ASK, body=question.write())
        until = time.monotonic() + LISTEN_S
        while time.monotonic() < until:
            if keyholder.hear(wait=False) is not None:
                return True
            time.sleep(0.01)
    except DoorError:
        return True  # it did answer; our own ear refuses a second answer
    except GoneError:
        return False
    return False


def main() -> None:
    """As `guest.worker.__main__.main`, without a model."""
    rehearse()
    wiring, first, policy = start(Process.ZYGOTE)
    seal_model(first.fds[0], read_section(first.body, ModelSettings).digest)
    deadline_s = read_section(first.body, GateSettings).deadline_s
    Zygote(wiring, functools.partial(serve, policy), deadline_s).serve()


if __name__ == "__main__":
    main()
