# SPDX-License-Identifier: Apache-2.0
"""The event stream: its exact lines, records of one size, and reading in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.api import Done, Ended, ErrorCode, Failure, Milliseconds
from wire.errors import FormatError, SpentError, TruncatedError
from wire.sse import (
    DELTA_CHARACTERS,
    LINE_MAX_BYTES,
    RECORD_BYTES,
    Delta,
    Event,
    EventReader,
    RecordShaper,
    write_deltas,
    write_event,
)

DONE = Done(Ended.LENGTH, 10, 20, 1, Milliseconds(0, 1, 2, 3))
DELTA = b'event: delta\ndata: {"text":"a\\nb"}\n\n'
FAILED = b'event: error\ndata: {"error":"deadline"}\n\n'


def read(*pieces: bytes) -> list[Event]:
    """The events of a complete stream."""
    reader = EventReader()
    events = [event for piece in pieces for event in reader.receive(piece)]
    reader.finish()
    return events


def test_events_are_written_like_this() -> None:
    assert write_event(Delta("a\nb")) == DELTA
    assert write_event(Failure(ErrorCode.DEADLINE)) == FAILED
    assert write_event(DONE) == (
        b'event: done\ndata: {"ended":"length","tokens_in":10,"tokens_out":20,"omitted":1,'
        b'"ms":{"queue":0,"open":1,"prefill":2,"decode":3}}\n\n'
    )


def test_a_stream_reads_the_same_byte_by_byte() -> None:
    stream = DELTA + b":\n:  \n\n" + DELTA + write_event(DONE) + b":\n\n"
    wanted = [Delta("a\nb"), Delta("a\nb"), DONE]
    assert read(stream) == wanted
    assert read(*(bytes([byte]) for byte in stream)) == wanted


def test_a_record_without_events_is_all_comment() -> None:
    record = RecordShaper().record()
    assert len(record) == RECORD_BYTES
    assert record[:1] == b":"
    assert record.count(b"\n") == 1
    assert EventReader().receive(record) == []


@pytest.mark.parametrize("missing", range(4))
def test_a_record_is_full_whatever_is_missing(missing: int) -> None:
    empty = len(write_event(Delta("")))
    event = write_event(Delta("x" * (RECORD_BYTES - missing - empty)))
    shaper = RecordShaper()
    shaper.push(event)
    assert shaper.pending == RECORD_BYTES - missing
    record = shaper.record()
    assert len(record) == RECORD_BYTES
    assert shaper.pending == 0
    assert read(record, shaper.record(), FAILED)[0] == Delta("x" * (RECORD_BYTES - missing - empty))


@given(st.lists(st.tuples(st.text(max_size=300), st.integers(0, 2)), max_size=6))
def test_records_have_one_size_and_carry_every_event(texts: list[tuple[str, int]]) -> None:
    clean = [(text.replace("\0", ""), records) for text, records in texts]
    shaper = RecordShaper()
    sent = []
    for text, records in clean:
        for event in write_deltas(text):
            shaper.push(event)
        sent += [shaper.record() for _ in range(records)]
    shaper.push(write_event(DONE))
    while shaper.pending:
        sent.append(shaper.record())
    assert {len(record) for record in sent} == {RECORD_BYTES}
    *deltas, done = read(*sent)
    assert done == DONE
    assert "".join(d.text for d in deltas if isinstance(d, Delta)) == "".join(t for t, _ in clean)
    for whole in range(len(sent)):  # a failure may follow any record but the one with the end
        assert read(*sent[:whole], FAILED)[-1] == Failure(ErrorCode.DEADLINE)


def test_the_longest_spelling_of_a_delta_fits_a_record() -> None:
    (event,) = write_deltas("\U0010ffff" * DELTA_CHARACTERS)
    assert len(event) <= RECORD_BYTES
    RecordShaper().push(event)


def test_an_event_longer_than_a_record_is_not_taken() -> None:
    shaper = RecordShaper()
    with pytest.raises(ValueError, match="event: wanted at most 512 bytes"):
        shaper.push(write_event(Delta("x" * RECORD_BYTES)))
    assert shaper.pending == 0


REFUSED = {
    "another event": b"event: delts\ndata: {}\n\n",
    "data first": b'data: {"text":""}\nevent: delta\n\n',
    "no data": b"event: delta\n\n",
    "no event": b'data: {"text":""}\n\n',
    "two data lines": b'event: delta\ndata: {"text":\ndata: ""}\n\n',
    "an id": b'event: delta\ndata: {"text":""}\nid: 1\n\n',
    "no space": b'event:delta\ndata: {"text":""}\n\n',
    "CR LF": DELTA.replace(b"\n", b"\r\n"),
    "data that is not JSON": b"event: delta\ndata: x\n\n",
    "data of another schema": b'event: delta\ndata: {"error":"deadline"}\n\n',
    "a long line": b":" * (LINE_MAX_BYTES + 1),
    "an event after the end": FAILED + DELTA,
    "a second end": FAILED + FAILED,
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_stream_is_refused_with(what: str) -> None:
    with pytest.raises(FormatError):
        EventReader().receive(REFUSED[what])


@pytest.mark.parametrize("stream", [b"", DELTA, FAILED[:-1], FAILED + b":"])
def test_a_stream_without_its_end_is_truncated(stream: bytes) -> None:
    with pytest.raises(TruncatedError):
        read(stream)


def test_a_reader_that_failed_takes_nothing_more() -> None:
    reader = EventReader()
    with pytest.raises(FormatError):
        reader.receive(b"x\n\n")
    with pytest.raises(SpentError):
        reader.receive(b"")


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_bytes_give_events_or_a_wire_error(pieces: list[bytes]) -> None:
    with pytest.raises((FormatError, TruncatedError)):
        read(*pieces)
