# SPDX-License-Identifier: Apache-2.0
"""One worker watched over a real door: what it may say, and what its end is worth."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from attest import receipt
from attest.receipt import Fact, Kernel
from guest.channel import Channel, GoneError, Parcel, pack, pair
from guest.door import Cause, Ended, Ending, Phase, Process, Question, Say
from guest.keyholder.epoch import Epoch
from guest.keyholder.ring import Ring
from guest.keyholder.service import SECRETS_MAX
from guest.keyholder.vigil import LOST, PARCELS_MAX, Vigil
from guest.secretmem import SecretMemory
from tests.guest.keyholder.clients import (
    SETTINGS,
    Client,
    ask,
    ask_whole,
    opened,
    receipt_of,
)
from wire import bhttp_pieces as pieces
from wire.api import EVENT_STREAM
from wire.chunked import ChunkedResponseSealer
from wire.errors import WireError
from wire.ohttp import Mode, response_key

KERNEL = Kernel(init_on_free=Fact.ON, swap=Fact.OFF, core_dumps=Fact.UNKNOWN)
EXITED = Ending(Ended.EXITED, 0, Cause.NONE)
OPENED = pieces.begin_response() + pieces.head(200, (("content-type", EVENT_STREAM),))
BORN = 100.0


@dataclass
class Watched:
    """A vigil, its worker's side of the door, and a client."""

    vigil: Vigil
    worker: Channel
    ring: Ring
    epoch: Epoch
    client: Client

    def ask(self, question: Question | None = None) -> None:
        self.worker.say(Say.ASK, body=(question or self.client.question).write())

    def mark(self, *phases: int) -> None:
        for phase in phases:
            self.worker.say(Say.MARK, body=bytes([phase]))

    def heard(self) -> Parcel:
        parcel = self.worker.hear()
        assert parcel is not None
        return parcel

    def sealer(self, answer: bytes) -> ChunkedResponseSealer:
        client = self.client
        key = response_key(Mode.CHUNKED, client.header, client.enc, answer[:32], answer[32:])
        return ChunkedResponseSealer(key)

    def end(self, ending: Ending = EXITED, *, gone: float | None = None) -> bytes:
        """Close the worker's door and conclude, as the keyholder does."""
        self.worker.close()
        self.vigil.gone = self.vigil.born + 2.5 if gone is None else gone
        self.vigil.ending = ending
        self.vigil.hear_out(self.ring)
        return self.vigil.conclude(KERNEL)


@contextmanager
def watched() -> Iterator[Watched]:
    """A worker of which nothing is known yet."""
    ring = Ring(SETTINGS, SecretMemory(SECRETS_MAX))
    epoch = ring.bear(monotonic=0.0, wall=1_700_000_000)
    ring.publish(epoch, b"evidence")
    near, far = pair()
    door = Channel(near, us=Process.KEYHOLDER, them=Process.WORKER)
    worker = Channel(far, us=Process.WORKER, them=Process.KEYHOLDER)
    try:
        yield Watched(Vigil(7, door, -1, born=BORN), worker, ring, epoch, ask(epoch.configs[0]))
    finally:
        door.close()
        worker.close()


def test_a_question_is_answered_and_the_answer_ends_with_a_receipt() -> None:
    with watched() as it:
        it.ask()
        assert it.vigil.listen(it.ring)
        answer = it.heard()
        assert answer.say is Say.SECRET
        it.mark(Phase.STREAMING, Phase.ANSWERED)
        sealer = it.sealer(answer.body)
        sent = sealer.begin() + sealer.seal(OPENED) + sealer.seal(pieces.content(b"words"))
        response = opened(it.client.opener, sent + it.end())
        assert response.content == b"words"
        read = receipt_of(response, it.epoch.receipt_public)
        assert (read.epoch, read.exchange) == (it.epoch.number, it.client.opener.exchange_id)
        assert (read.ended, read.code) == (receipt.Ended.EXITED, 0)
        assert (read.lived_ms, read.kernel) == (2500, KERNEL)


@pytest.mark.parametrize(
    ("ending", "ended", "code"),
    [
        (Ending(Ended.EXITED, 0, Cause.NONE), receipt.Ended.EXITED, 0),
        (Ending(Ended.EXITED, 70, Cause.NONE), receipt.Ended.EXITED, 70),
        (Ending(Ended.SIGNALLED, 11, Cause.NONE), receipt.Ended.SIGNALLED, 11),
        (Ending(Ended.SIGNALLED, 9, Cause.DEADLINE), receipt.Ended.KILLED, 9),
        (Ending(Ended.SIGNALLED, 9, Cause.CANCELLED), receipt.Ended.KILLED, 9),
        (LOST, receipt.Ended.UNKNOWN, 0),
    ],
)
def test_the_receipt_says_how_the_worker_ended(
    ending: Ending, ended: receipt.Ended, code: int
) -> None:
    with watched() as it:
        it.ask()
        response = opened(it.client.opener, it.end(ending))
        read = receipt_of(response, it.epoch.receipt_public)
        assert (read.ended, read.code, read.lived_ms, read.erased_ms) == (ended, code, 2500, 2500)


def test_erasure_is_counted_from_the_last_chunk_that_was_announced() -> None:
    with watched() as it:
        it.ask()
        it.vigil.listen(it.ring)
        it.mark(Phase.ANSWERED)
        it.vigil.listen(it.ring)
        sealer = it.sealer(it.heard().body)
        sent = sealer.begin() + sealer.seal(OPENED)
        last = it.vigil.last_mark
        it.vigil.born = last - 2.0
        response = opened(it.client.opener, sent + it.end(gone=last + 0.25))
        read = receipt_of(response, it.epoch.receipt_public)
        assert (read.lived_ms, read.erased_ms) == (2250, 250)


def test_a_mark_that_is_heard_after_the_end_does_not_count_backwards() -> None:
    with watched() as it:
        it.ask()
        it.vigil.listen(it.ring)
        sealer = it.sealer(it.heard().body)
        it.mark(Phase.ANSWERED)
        response = opened(it.client.opener, sealer.begin() + sealer.seal(OPENED) + it.end())
        assert receipt_of(response, it.epoch.receipt_public).erased_ms == 0


def test_marks_that_were_not_heard_before_the_end_still_count() -> None:
    with watched() as it:
        it.ask()
        it.vigil.listen(it.ring)
        sealer = it.sealer(it.heard().body)
        it.mark(Phase.INFORMED, Phase.INFORMED, Phase.STREAMING, Phase.ANSWERED)
        parts = (pieces.begin_response() + pieces.informational(102), pieces.informational(102))
        head = pieces.head(200, (("content-type", EVENT_STREAM),))
        sent = sealer.begin() + b"".join(map(sealer.seal, (*parts, head, pieces.content(b"x"))))
        assert opened(it.client.opener, sent + it.end()).content == b"x"
        assert it.vigil.chunks == 4


@pytest.mark.parametrize("unsent", [1, 2])
def test_a_worker_that_dies_between_mark_and_chunk_leaves_no_answer_and_no_nonce_twice(
    unsent: int,
) -> None:
    with watched() as it:
        it.ask()
        it.vigil.listen(it.ring)
        sealer = it.sealer(it.heard().body)
        it.mark(Phase.STREAMING, *[Phase.STREAMING] * unsent)
        sent = sealer.begin() + sealer.seal(OPENED)
        tail = it.end(Ending(Ended.SIGNALLED, 9, Cause.NONE))
        assert it.vigil.chunks == 1 + unsent > sealer.counter
        with pytest.raises(WireError):
            opened(it.client.opener, sent + tail)


def test_nothing_is_over_before_both_the_end_and_its_manner_are_known() -> None:
    with watched() as it:
        it.ask()
        it.vigil.listen(it.ring)
        assert not it.vigil.over()
        it.vigil.gone = BORN + 1
        assert not it.vigil.over()
        assert it.vigil.conclude(KERNEL) == b""
        it.vigil.gone, it.vigil.ending = None, EXITED
        assert not it.vigil.over()
        assert it.vigil.conclude(KERNEL) == b""
        it.vigil.gone = BORN + 1
        assert it.vigil.over()


def test_a_worker_that_never_asked_gets_no_tail() -> None:
    with watched() as it:
        assert it.end(Ending(Ended.EXITED, 70, Cause.NONE)) == b""
        assert not it.vigil.captured


def test_a_question_that_is_denied_is_told_one_word_and_gets_no_tail() -> None:
    with watched() as it:
        it.ring.answer(it.client.question)
        it.ask()
        it.vigil.listen(it.ring)
        parcel = it.heard()
        assert (parcel.say, parcel.body) == (Say.DENIED, b"refused")
        assert it.end() == b""


def test_a_worker_that_dies_with_its_question_unread_leaves_a_sealed_failure() -> None:
    with watched() as it:
        it.ask()
        response = opened(it.client.opener, it.end(Ending(Ended.SIGNALLED, 9, Cause.NONE)))
        assert response.status == 500


BROKEN: dict[str, list[tuple[Say, bytes]]] = {
    "a mark before the question": [(Say.MARK, bytes([Phase.STREAMING]))],
    "a mark of nothing": [(Say.ASK, b""), (Say.MARK, bytes([Phase.NOTHING]))],
    "an unknown phase": [(Say.ASK, b""), (Say.MARK, b"\x09")],
    "no phase": [(Say.ASK, b""), (Say.MARK, b"")],
    "a mark backwards": [
        (Say.ASK, b""),
        (Say.MARK, bytes([Phase.STREAMING])),
        (Say.MARK, bytes([Phase.INFORMED])),
    ],
    "a mark after the answer": [
        (Say.ASK, b""),
        (Say.MARK, bytes([Phase.ANSWERED])),
        (Say.MARK, bytes([Phase.ANSWERED])),
    ],
    "a second question": [(Say.ASK, b""), (Say.ASK, b"")],
    "the mark of a plain answer": [(Say.ASK, b""), (Say.MARK, bytes([Phase.WHOLE]))],
    "a secret of its own": [(Say.ASK, b""), (Say.SECRET, b"")],
    "a question that is none": [(Say.ASK, b"\x00" * 8)],
    "a mark after a broken rule": [
        (Say.ASK, b""),
        (Say.MARK, b"\x09"),
        (Say.MARK, bytes([Phase.STREAMING])),
    ],
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_worker_that_breaks_its_door_gets_no_tail_by(rule: str) -> None:
    with watched() as it:
        for say, body in BROKEN[rule]:
            full = it.client.question.write() if say is Say.ASK and not body else body
            it.worker._sock.send(pack(say, 0, full))
        assert not it.vigil.listen(it.ring)
        assert it.end() == b""
        assert it.vigil.captured


def test_a_question_after_a_broken_rule_is_not_answered() -> None:
    with watched() as it:
        it.mark(Phase.STREAMING)
        it.ask()
        assert not it.vigil.listen(it.ring)
        assert it.end() == b""
        it.ring.answer(it.client.question)  # had it been answered, this would be a replay


def test_a_worker_that_never_stops_talking_keeps_nobody_waiting() -> None:
    with watched() as it:
        it.ask()
        it.vigil.listen(it.ring)
        heard = 0
        turns = 0
        while heard < PARCELS_MAX + 10:
            it.mark(*[Phase.STREAMING] * 50)
            heard += 50
            turns += it.vigil.listen(it.ring)
        assert it.vigil.chunks == heard
        assert turns == heard // 50


def test_a_door_that_outlives_its_worker_gets_no_tail() -> None:
    with watched() as it:
        it.ask()
        it.vigil.listen(it.ring)
        other_holder = os.dup(it.worker.fileno())
        assert it.end() == b""
        os.close(other_holder)


def test_a_plain_answer_that_was_sent_needs_no_tail() -> None:
    with watched() as it:
        question, _ = ask_whole(it.epoch.configs[0])
        it.ask(question)
        it.vigil.listen(it.ring)
        it.mark(Phase.WHOLE)
        assert it.end() == b""
        assert not it.vigil.captured


def test_a_plain_answer_that_was_not_sent_becomes_a_sealed_failure() -> None:
    with watched() as it:
        question, opener = ask_whole(it.epoch.configs[0])
        it.ask(question)
        assert b"worker-failed" in opener.open(it.end(Ending(Ended.SIGNALLED, 6, Cause.NONE)))


@pytest.mark.parametrize("phase", [Phase.INFORMED, Phase.STREAMING, Phase.ANSWERED])
def test_a_plain_answer_cannot_be_marked_as_a_chunked_one(phase: Phase) -> None:
    with watched() as it:
        question, _ = ask_whole(it.epoch.configs[0])
        it.ask(question)
        it.vigil.listen(it.ring)
        it.mark(phase)
        assert it.end() == b""
        assert it.vigil.captured


def test_a_vigil_does_not_show_its_ticket() -> None:
    with watched() as it:
        it.ask()
        it.vigil.listen(it.ring)
        assert repr(it.vigil).startswith("<")


def test_a_worker_whose_keyholder_is_gone_hears_that() -> None:
    with watched() as it:
        it.vigil.door.close()
        with pytest.raises(GoneError):
            it.heard()
