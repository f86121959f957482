# SPDX-License-Identifier: Apache-2.0
"""From ciphertext to one opened request, in any pieces; what cannot be opened is one word."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from guest.channel import GoneError
from guest.door import DoorError, Refusal, Say
from guest.worker import intake as intake_module
from guest.worker.intake import Intake, NotOpenedError, open_request
from tests.guest.worker.room import NONCE, Doors, chunked_request, doors, whole_request
from wire.chunked import ChunkedResponseSealer
from wire.ohttp import seal_response

MESSAGE = b"a request"


@contextmanager
def answering(denial: Refusal | None = None) -> Iterator[Doors]:
    """Doors with a keyholder that answers, or denies, on a thread."""
    with doors() as it:
        thread = threading.Thread(target=it.answer_questions, args=(denial,))
        thread.start()
        try:
            yield it
        finally:
            it.worker_keyholder.close()
            thread.join()


def opened(it: Doors, *, chunked: bool = True) -> Intake:
    return open_request(it.worker_gate, it.worker_keyholder, chunked=chunked)


def refused(it: Doors, *, chunked: bool = True) -> Refusal:
    with pytest.raises(NotOpenedError) as caught:
        opened(it, chunked=chunked)
    return caught.value.refusal


def test_a_chunked_request_is_opened_and_its_answer_can_be_sealed() -> None:
    sealed, opener = chunked_request(b"a ", b"request")
    with answering() as it:
        it.give(*sealed)
        got = opened(it)
    assert got.message == MESSAGE
    sealer = ChunkedResponseSealer(got.key)
    assert opener.receive(sealer.begin() + sealer.seal_final(b"answer")) == []
    assert opener.finish() == b"answer"


def test_a_plain_request_is_opened_and_its_answer_can_be_sealed() -> None:
    sealed, opener = whole_request(MESSAGE)
    with answering() as it:
        it.give(sealed[:20], sealed[20:])
        got = opened(it, chunked=False)
    assert got.message == MESSAGE
    assert got.key.response_nonce == NONCE
    assert opener.open(seal_response(got.key, b"answer")) == b"answer"


@pytest.mark.parametrize("chunked", [True, False])
def test_a_request_may_be_cut_at_every_byte(chunked: bool) -> None:
    pieces = chunked_request(b"a ", b"request")[0] if chunked else [whole_request(MESSAGE)[0]]
    sealed = b"".join(pieces)
    for at in range(1, len(sealed)):
        with answering() as it:
            it.give(sealed[:at], sealed[at:])
            assert opened(it, chunked=chunked).message == MESSAGE


@pytest.mark.parametrize("chunked", [True, False])
def test_a_request_may_come_byte_by_byte(chunked: bool) -> None:
    pieces = chunked_request(b"a ", b"request")[0] if chunked else [whole_request(MESSAGE)[0]]
    with answering() as it:
        feeder = threading.Thread(target=it.give, args=[bytes([byte]) for byte in b"".join(pieces)])
        feeder.start()
        assert opened(it, chunked=chunked).message == MESSAGE
        feeder.join()
        assert len(it.questions) == 1


@pytest.mark.parametrize("chunked", [True, False])
def test_the_keyholder_is_asked_once_for_exactly_this_encapsulation(chunked: bool) -> None:
    pieces = chunked_request(MESSAGE)[0] if chunked else [whole_request(MESSAGE)[0]]
    with answering() as it:
        it.give(*pieces)
        opened(it, chunked=chunked)
    sealed = b"".join(pieces)
    (question,) = it.questions
    assert (question.chunked, question.header, question.enc) == (chunked, sealed[:7], sealed[7:39])


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("word", [Refusal.UNKNOWN_KEY, Refusal.REFUSED, Refusal.UNAVAILABLE])
def test_the_keyholders_word_is_passed_on(word: Refusal, chunked: bool) -> None:
    pieces = chunked_request(MESSAGE)[0] if chunked else [whole_request(MESSAGE)[0]]
    with answering(word) as it:
        it.give(*pieces)
        assert refused(it, chunked=chunked) is word


@pytest.mark.parametrize("chunked", [True, False])
def test_a_request_that_is_cut_short_anywhere_is_refused(chunked: bool) -> None:
    pieces = chunked_request(MESSAGE)[0] if chunked else [whole_request(MESSAGE)[0]]
    sealed = b"".join(pieces)
    for size in range(1, len(sealed)):
        with answering() as it:
            it.give(sealed[:size])
            assert refused(it, chunked=chunked) is Refusal.REFUSED


@pytest.mark.parametrize("chunked", [True, False])
def test_no_request_at_all_is_refused_without_a_question(chunked: bool) -> None:
    with answering() as it:
        it.give()
        assert refused(it, chunked=chunked) is Refusal.REFUSED
    assert it.questions == []


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("at", [*range(1, 7), 7, 38, 39, 41, -1])
def test_a_changed_bit_anywhere_is_refused(at: int, chunked: bool) -> None:
    """Byte 0 is the key id, which is the keyholder's to judge."""
    pieces = chunked_request(MESSAGE)[0] if chunked else [whole_request(MESSAGE)[0]]
    sealed = bytearray(b"".join(pieces))
    sealed[at] ^= 1
    with answering() as it:
        it.give(bytes(sealed))
        assert refused(it, chunked=chunked) is Refusal.REFUSED


@pytest.mark.parametrize("chunked", [True, False])
def test_bytes_after_the_end_are_refused(chunked: bool) -> None:
    pieces = chunked_request(MESSAGE)[0] if chunked else [whole_request(MESSAGE)[0]]
    with answering() as it:
        it.give(*pieces, b"x")
        assert refused(it, chunked=chunked) is Refusal.REFUSED


def test_a_request_in_the_clear_is_refused() -> None:
    with answering() as it:
        it.give(b'POST /v1/summarize HTTP/1.1\r\n\r\n{"messages": []}')
        assert refused(it) is Refusal.REFUSED
    assert it.questions == []


@pytest.mark.parametrize("chunked", [True, False])
def test_a_request_of_the_other_kind_is_refused(chunked: bool) -> None:
    pieces = [whole_request(MESSAGE)[0]] if chunked else chunked_request(MESSAGE)[0]
    with answering() as it:
        it.give(*pieces)
        assert refused(it, chunked=chunked) is Refusal.REFUSED


@pytest.mark.parametrize("chunked", [True, False])
def test_a_request_that_is_too_long_is_refused(
    chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = chunked_request(MESSAGE)[0] if chunked else [whole_request(MESSAGE)[0]]
    monkeypatch.setattr(intake_module, "REQUEST_MAX_BYTES", len(b"".join(pieces)) - 1)
    with answering() as it:
        it.give(*pieces)
        assert refused(it, chunked=chunked) is Refusal.REFUSED


def test_a_gate_that_is_gone_leaves_nothing_to_answer() -> None:
    sealed, _ = chunked_request(MESSAGE)
    with answering() as it:
        it.give(sealed[0], end=False)
        it.gate.close()
        with pytest.raises(GoneError):
            opened(it)


def test_a_keyholder_that_is_gone_leaves_nothing_to_answer() -> None:
    sealed, _ = chunked_request(MESSAGE)
    with doors() as it:
        it.give(*sealed)
        it.keyholder.close()
        with pytest.raises(GoneError):
            opened(it)


def test_a_gate_that_breaks_its_door_is_not_believed() -> None:
    with doors() as it:
        it.give()
        it.gate._sock.send(bytes([Say.SECRET]) + bytes(8))
        assert it.worker_gate.hear() is not None
        with pytest.raises(DoorError):
            opened(it)


def test_an_intake_does_not_show_its_message() -> None:
    sealed, _ = chunked_request(MESSAGE)
    with answering() as it:
        it.give(*sealed)
        assert "request" not in repr(opened(it))
