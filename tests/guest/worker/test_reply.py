# SPDX-License-Identifier: Apache-2.0
"""Sealing an answer: a mark before each chunk, phases forward, and never the final chunk."""

import threading
from collections.abc import Callable

import pytest

from guest.channel import GoneError
from guest.door import Phase, Say
from guest.worker.reply import ChunkedReply, WholeReply
from tests.guest.worker.room import Doors, chunked_key, doors, whole_key
from wire.api import (
    EVENT_STREAM,
    JSON,
    Answer,
    Done,
    Ended,
    ErrorCode,
    Failure,
    Milliseconds,
    parse_answer,
    parse_failure,
)
from wire.bhttp import parse_response
from wire.bhttp_stream import Content, Informational, ResponseHead, ResponseReader
from wire.chunked import ChunkedResponseOpener
from wire.errors import TruncatedError
from wire.padding import RESPONSE_BUCKETS_BYTES
from wire.sse import RECORD_BYTES

DONE = Done(Ended.STOP, 10, 5, 0, Milliseconds(1, 2, 3, 4))
ANSWER = Answer("all is well", DONE)
RECORD = bytes(RECORD_BYTES)


def chunked(it: Doors) -> tuple[ChunkedReply, ChunkedResponseOpener]:
    key, opener = chunked_key()
    return ChunkedReply(it.worker_gate, it.worker_keyholder, key), opener


def whole(it: Doors) -> WholeReply:
    return WholeReply(it.worker_gate, it.worker_keyholder, whole_key()[0])


def read(opener: ChunkedResponseOpener, sealed: list[bytes]) -> list[object]:
    """What the client has so far."""
    reader = ResponseReader()
    return [e for chunk in sealed for part in opener.receive(chunk) for e in reader.receive(part)]


STEPS: dict[str, tuple[list[Callable[[ChunkedReply], None]], list[Phase]]] = {
    "an answer": ([lambda r: r.answer(ANSWER)], [Phase.ANSWERED]),
    "a failure": ([lambda r: r.fail(Failure(ErrorCode.TOO_LONG))], [Phase.ANSWERED]),
    "signs of life, then an answer": (
        [lambda r: r.inform(), lambda r: r.inform(), lambda r: r.answer(ANSWER)],
        [Phase.INFORMED, Phase.INFORMED, Phase.ANSWERED],
    ),
    "a stream": (
        [
            lambda r: r.open_stream(),
            lambda r: r.record(RECORD, last=False),
            lambda r: r.record(RECORD, last=True),
        ],
        [Phase.STREAMING, Phase.STREAMING, Phase.ANSWERED],
    ),
    "a sign of life too late": (
        [lambda r: r.open_stream(), lambda r: r.inform()],
        [Phase.STREAMING],
    ),
}


@pytest.mark.parametrize("steps", STEPS)
def test_each_chunk_is_announced_with_its_phase(steps: str) -> None:
    with doors() as it:
        reply, opener = chunked(it)
        for step in STEPS[steps][0]:
            step(reply)
        assert it.marks() == STEPS[steps][1]
        sealed = it.chunks()
        assert len(sealed) == len(STEPS[steps][1])
        assert read(opener, sealed)
        with pytest.raises(TruncatedError):  # the final chunk is not the worker's to seal
            opener.finish()


def test_no_chunk_leaves_without_its_mark() -> None:
    with doors() as it:
        reply, _ = chunked(it)
        reply.open_stream()
        it.keyholder.close()
        with pytest.raises(GoneError):
            reply.record(RECORD, last=False)
        assert len(it.chunks()) == 1


def test_an_answer_is_head_and_padded_content() -> None:
    with doors() as it:
        reply, opener = chunked(it)
        reply.answer(ANSWER)
        head, content = read(opener, it.chunks())
        assert head == ResponseHead(200, (("content-type", JSON),))
        assert isinstance(content, Content)
        assert len(content.data) == RESPONSE_BUCKETS_BYTES[0]
        assert parse_answer(content.data) == ANSWER


@pytest.mark.parametrize("characters", [5_000, 17_000, 50_000])
def test_a_long_answer_comes_in_several_chunks(characters: int) -> None:
    answer = Answer("w" * characters, DONE)
    with doors() as it:
        reply, opener = chunked(it)
        sending = threading.Thread(target=reply.answer, args=(answer,))
        sending.start()
        events: list[object] = []
        reader = ResponseReader()
        marks = []
        while Phase.ANSWERED not in marks:
            parcel = it.keyholder.hear()
            assert parcel is not None
            marks.append(Phase(parcel.body[0]))
            chunk = it.gate.hear()
            assert chunk is not None
            for plain in opener.receive(chunk.body):
                events += reader.receive(plain)
        sending.join()
        assert marks[:-1] == [Phase.STREAMING] * (len(marks) - 1)
        content = b"".join(event.data for event in events if isinstance(event, Content))
        assert len(content) in RESPONSE_BUCKETS_BYTES
        assert parse_answer(content) == answer


def test_a_failure_is_its_status_and_code() -> None:
    with doors() as it:
        reply, opener = chunked(it)
        reply.fail(Failure(ErrorCode.TOO_LONG))
        head, content = read(opener, it.chunks())
        assert isinstance(head, ResponseHead)
        assert isinstance(content, Content)
        assert (head.status, parse_failure(content.data).code) == (413, ErrorCode.TOO_LONG)


def test_a_sign_of_life_is_an_informational_response() -> None:
    with doors() as it:
        reply, opener = chunked(it)
        reply.inform()
        assert read(opener, it.chunks()) == [Informational(102, ())]


def test_a_stream_is_an_event_stream_of_records() -> None:
    with doors() as it:
        reply, opener = chunked(it)
        reply.open_stream()
        reply.record(RECORD, last=True)
        head = ResponseHead(200, (("content-type", EVENT_STREAM),))
        assert read(opener, it.chunks()) == [head, Content(RECORD)]


def test_two_threads_send_no_chunk_out_of_order() -> None:
    with doors() as it:
        reply, opener = chunked(it)
        reply.open_stream()

        def send() -> None:
            for _ in range(20):
                reply.record(RECORD, last=False)

        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(read(opener, it.chunks())) == 41
        assert len(it.marks()) == 41


def test_a_plain_answer_is_one_message_announced_as_such() -> None:
    with doors() as it:
        key, opener = whole_key()
        reply = WholeReply(it.worker_gate, it.worker_keyholder, key)
        reply.inform()
        assert it.chunks() == []
        reply.answer(ANSWER)
        assert it.marks() == [Phase.WHOLE]
        response = parse_response(opener.open(b"".join(it.chunks())))
        assert (response.status, parse_answer(response.content)) == (200, ANSWER)


def test_a_plain_failure_is_its_status_and_code() -> None:
    with doors() as it:
        key, opener = whole_key()
        WholeReply(it.worker_gate, it.worker_keyholder, key).fail(Failure(ErrorCode.NO_OUTPUT))
        response = parse_response(opener.open(b"".join(it.chunks())))
        assert parse_failure(response.content).code is ErrorCode.NO_OUTPUT


def test_a_long_plain_answer_fits_its_door() -> None:
    answer = Answer("w" * 50_000, DONE)
    with doors() as it:
        key, opener = whole_key()
        WholeReply(it.worker_gate, it.worker_keyholder, key).answer(answer)
        assert it.marks() == [Phase.WHOLE]
        response = parse_response(opener.open(b"".join(it.chunks())))
        assert parse_answer(response.content) == answer


def test_a_plain_answer_can_be_given_once() -> None:
    with doors() as it:
        reply = whole(it)
        reply.answer(ANSWER)
        with pytest.raises(RuntimeError):
            reply.answer(ANSWER)


def test_a_gate_that_is_gone_is_noticed() -> None:
    with doors() as it:
        reply, _ = chunked(it)
        it.gate.close()
        with pytest.raises(GoneError):
            reply.answer(ANSWER)
        parcel = it.keyholder.hear()
        assert parcel is not None
        assert parcel.say is Say.MARK
