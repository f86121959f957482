# SPDX-License-Identifier: Apache-2.0
"""One request, from its birth as a fork of the zygote to its last sealed chunk.

Everything that is known about the request is known here and dies with this process. No exception
leaves it: what goes wrong becomes a word for the gate or a code for the client.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from guest import sandbox
from guest.channel import Channel, GoneError
from guest.door import Opening, Process, Say
from guest.worker import tasks
from guest.worker.engine import AbortedError, Engine, EngineError, RoomError
from guest.worker.intake import NotOpenedError, open_request
from guest.worker.outward import EmptyAnswerError, shown
from guest.worker.pace import HEARTBEAT_MS, EventStream, Pace
from guest.worker.reply import ChunkedReply, Reply, WholeReply
from wire.api import (
    EVENT_STREAM,
    JSON,
    Answer,
    Done,
    Ended,
    ErrorCode,
    Failure,
    Milliseconds,
)
from wire.bhttp import Request, parse_request
from wire.errors import FormatError
from wire.sse import write_deltas, write_event


@dataclass(frozen=True, slots=True, repr=False)
class Room:
    """What every worker of this zygote starts with."""

    engine: Engine
    secret: bytes | memoryview  # of this boot; makes delimiters that no sender can guess
    tick_ms: int
    deadline_s: int
    policy: Mapping[Process, tuple[sandbox.Step, ...]]


class FailedError(Exception):
    """The task ends with a code for the client."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.value)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Clock:
    """When the parts of this request began (monotonic seconds)."""

    queued_ms: int
    born: float

    def since_birth_ms(self) -> int:
        return round((time.monotonic() - self.born) * 1000)


def serve(room: Room, opening: Opening, socket_fd: int, door_fd: int) -> None:
    """Answer the one request of this process; returning ends it with exit code 0."""
    clock = _Clock(opening.queued_ms, time.monotonic())
    us = Process.WORKER
    # A client that reads slowly is back-pressure: sending may wait as long as a request may live.
    gate = Channel.adopt(socket_fd, us=us, them=Process.GATE, send_max_s=room.deadline_s)
    keyholder = Channel.adopt(door_fd, us=us, them=Process.KEYHOLDER)
    sandbox.enter(Process.WORKER, os.getppid(), policy=room.policy)  # nothing was read so far
    try:
        intake = open_request(gate, keyholder, chunked=opening.chunked)
    except NotOpenedError as error:
        gate.say(Say.REFUSE, body=error.refusal.encode("ascii"))
        return
    kind = ChunkedReply if opening.chunked else WholeReply
    reply: ChunkedReply | WholeReply = kind(gate, keyholder, intake.key)
    try:
        _answer(room, reply, intake.message, clock)
    except FailedError as error:
        reply.fail(Failure(error.code))
    except GoneError:
        return  # nobody is left to answer


def _answer(room: Room, reply: ChunkedReply | WholeReply, message: bytes, clock: _Clock) -> None:
    """Run the task; failures before the first byte of content have a status of their own.

    Raises:
        FailedError: before anything but informational responses was sent.
    """
    open_ms = clock.since_birth_ms()
    request, wants_stream = _parse(message)
    try:
        nonce = tasks.make_nonce(room.secret, request.content)
        prompt = tasks.build_prompt(request.path, request.content, nonce=nonce, meter=room.engine)
    except tasks.UnknownTaskError as error:
        raise FailedError(ErrorCode.UNKNOWN_TASK) from error
    except tasks.TooLongError as error:
        raise FailedError(ErrorCode.TOO_LONG) from error
    except FormatError as error:
        raise FailedError(ErrorCode.BAD_REQUEST) from error

    def done() -> Done:
        engine = room.engine
        ms = Milliseconds(clock.queued_ms, open_ms, engine.prefill_ms, engine.decode_ms)
        ended = Ended(engine.ended)
        return Done(ended, engine.tokens_in, engine.tokens_out, prompt.omitted, ms)

    if wants_stream and isinstance(reply, ChunkedReply):
        _stream(room, reply, prompt, done)
    else:
        _batch(room, reply, prompt, done)


def _parse(message: bytes) -> tuple[Request, bool]:
    """The request, and whether it asks for an event stream.

    Raises:
        FailedError: not Binary HTTP, not a POST of JSON.
    """
    try:
        request = parse_request(message)
    except FormatError as error:
        raise FailedError(ErrorCode.BAD_REQUEST) from error
    fields = dict(request.headers)
    if request.method != "POST" or fields.get("content-type") != JSON:
        raise FailedError(ErrorCode.BAD_REQUEST)
    return request, fields.get("accept") == EVENT_STREAM


def _words(room: Room, prompt: tasks.Prompt, pace: Pace) -> Iterator[str]:
    """The answer that may be shown, piece by piece.

    Raises:
        FailedError: the model said nothing that may be shown, or could not run.
        GoneError: nobody listens any more.
    """
    said = room.engine.generate(
        prompt.prefix,
        prompt.text,
        max_tokens=prompt.max_tokens,
        stop=prompt.stop,
        abort=lambda: pace.gone,
    )
    try:
        yield from shown(
            said, begins=prompt.begins, max_chars=prompt.max_chars, carried=prompt.carried
        )
    except AbortedError as error:
        raise GoneError(0) from error
    except RoomError as error:
        raise FailedError(ErrorCode.TOO_LONG) from error
    except EngineError as error:
        raise FailedError(ErrorCode.WORKER_FAILED) from error
    except EmptyAnswerError as error:
        raise FailedError(ErrorCode.NO_OUTPUT) from error


def _stream(
    room: Room, reply: ChunkedReply, prompt: tasks.Prompt, done: Callable[[], Done]
) -> None:
    reply.open_stream()
    stream = EventStream(reply)
    with Pace(room.tick_ms, stream.beat) as pace:
        try:
            for text in _words(room, prompt, pace):
                for event in write_deltas(text):
                    stream.push(event)
            stream.push(write_event(done()), last=True)
        except FailedError as error:
            stream.push(write_event(Failure(error.code)), last=True)
        pace.drained()


def _batch(room: Room, reply: Reply, prompt: tasks.Prompt, done: Callable[[], Done]) -> None:
    def beat() -> bool:
        reply.inform()
        return False

    reply.inform()  # at once: the client sees that a room has opened
    with Pace(HEARTBEAT_MS, beat) as pace:
        text = "".join(_words(room, prompt, pace))
    if pace.gone:
        raise GoneError(0)
    reply.answer(Answer(text, done()))
