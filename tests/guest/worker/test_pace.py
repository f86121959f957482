# SPDX-License-Identifier: Apache-2.0
"""The clock of an answer: records leave on ticks and on nothing else."""

import threading

import pytest

from guest.channel import GoneError
from guest.worker.pace import EventStream, Pace
from guest.worker.reply import ChunkedReply
from tests.guest.worker.room import chunked_key, doors
from wire.sse import RECORD_BYTES, Delta, EventReader, write_event

TICK_MS = 5
EVENT = write_event(Delta("word"))


class Recorded:
    """Takes records in place of a sealed answer, which `test_reply` is about."""

    def __init__(self, *, gone_after: int | None = None) -> None:
        self.records: list[tuple[bytes, bool]] = []
        self.first = threading.Event()
        self._gone_after = gone_after

    def record(self, record: bytes, *, last: bool) -> None:
        if self._gone_after is not None and len(self.records) >= self._gone_after:
            raise GoneError(0)
        self.records.append((record, last))
        self.first.set()


def stream_to(recorded: Recorded) -> EventStream:
    return EventStream(recorded)  # type: ignore[arg-type]  # only `record` is used


def test_nothing_leaves_between_ticks() -> None:
    recorded = Recorded()
    stream = stream_to(recorded)
    for _ in range(100):
        stream.push(EVENT)
    assert recorded.records == []
    stream.beat()
    assert len(recorded.records) == 1


def test_every_tick_sends_one_record_of_one_size() -> None:
    recorded = Recorded()
    stream = stream_to(recorded)
    stream.push(EVENT)
    for _ in range(5):
        assert not stream.beat()
    assert [len(record) for record, _ in recorded.records] == [RECORD_BYTES] * 5
    assert EVENT in recorded.records[0][0]
    assert all(record.startswith(b":") for record, _ in recorded.records[1:])


def test_the_last_record_is_flagged_once_and_only_when_all_has_left() -> None:
    recorded = Recorded()
    stream = stream_to(recorded)
    words = [Delta(letter * 400) for letter in "abc"]
    for word in words:
        stream.push(write_event(word), last=word is words[-1])
    beats = [stream.beat() for _ in range(3)]
    assert beats == [False, False, True]
    assert [last for _, last in recorded.records] == [False, False, True]
    reader = EventReader()
    events = [event for record, _ in recorded.records for event in reader.receive(record)]
    assert events == words


def test_a_pace_beats_until_it_has_nothing_left() -> None:
    recorded = Recorded()
    stream = stream_to(recorded)
    with Pace(TICK_MS, stream.beat) as pace:
        stream.push(EVENT)
        recorded.first.wait(5)
        stream.push(EVENT, last=True)
        pace.drained()
    assert not pace.gone
    assert [last for _, last in recorded.records].count(True) == 1
    assert recorded.records[-1][1]


def test_a_pace_beats_while_nothing_is_said() -> None:
    recorded = Recorded()
    stream = stream_to(recorded)
    enough = threading.Event()

    def beat() -> bool:
        stream.beat()
        if len(recorded.records) >= 5:
            enough.set()
        return False

    with Pace(TICK_MS, beat):
        assert enough.wait(10)
    assert all(record.startswith(b":") for record, _ in recorded.records)


def test_a_pace_that_is_left_stops() -> None:
    beats = []

    def beat() -> bool:
        beats.append(1)
        return False

    with Pace(TICK_MS, beat) as pace:
        pass
    count = len(beats)
    assert not pace._thread.is_alive()
    assert len(beats) == count


def test_a_door_that_is_closed_ends_the_pace_and_is_noted() -> None:
    recorded = Recorded(gone_after=2)
    with Pace(TICK_MS, stream_to(recorded).beat) as pace:
        pace.drained()
    assert pace.gone
    assert len(recorded.records) == 2


@pytest.mark.parametrize("gone", ["gate", "keyholder"])
def test_a_real_door_that_is_closed_is_noted(gone: str) -> None:
    with doors() as it:
        key, _ = chunked_key()
        reply = ChunkedReply(it.worker_gate, it.worker_keyholder, key)
        reply.open_stream()
        getattr(it, gone).close()
        with Pace(TICK_MS, EventStream(reply).beat) as pace:
            pace.drained()
        assert pace.gone


def test_an_error_in_the_block_stops_the_pace_too() -> None:
    with pytest.raises(ZeroDivisionError), Pace(TICK_MS, lambda: False) as pace:
        raise ZeroDivisionError
    assert not pace._thread.is_alive()
