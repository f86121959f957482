# SPDX-License-Identifier: Apache-2.0
"""The final chunk: wherever a worker stopped, its client reads one complete, clean answer."""

import itertools

import pytest

from guest.door import Cause, Ended, Ending, Phase
from guest.keyholder.epoch import Ticket
from guest.keyholder.ring import Ring
from guest.keyholder.service import SECRETS_MAX
from guest.keyholder.tail import FAILURES, TAIL_BYTES, seal_tail, seal_whole_failure
from guest.secretmem import SecretMemory
from tests.guest.keyholder.clients import SETTINGS, Client, ask, ask_whole, opened
from wire import bhttp_pieces as pieces
from wire.api import EVENT_STREAM, JSON, RECEIPT, RECEIPT_SIGNATURE, STATUS, parse_failure
from wire.bhttp import Informational, parse_response
from wire.chunked import ChunkedResponseSealer
from wire.errors import OpenError, WireError
from wire.ohttp import Mode, response_key
from wire.sse import Delta, EventReader, write_event
from wire.suites import TAG_BYTES

RECEIPT_BYTES = b"r" * 500
SIGNATURE = b"s" * 64
HEAD = pieces.head(200, (("content-type", EVENT_STREAM),))
DELTA = pieces.content(write_event(Delta("so far")))

# What the worker sends, chunk by chunk, until it stops in each phase.
SENT = {
    Phase.NOTHING: (),
    Phase.INFORMED: (
        pieces.begin_response() + pieces.informational(102),
        pieces.informational(102),
    ),
    Phase.STREAMING: (pieces.begin_response() + HEAD, DELTA),
    Phase.ANSWERED: (pieces.begin_response() + HEAD, DELTA, DELTA),
}
EXITED = Ending(Ended.EXITED, 0, Cause.NONE)
ENDINGS = [
    Ending(Ended.EXITED, 70, Cause.NONE),
    Ending(Ended.SIGNALLED, 9, Cause.NONE),
    Ending(Ended.SIGNALLED, 9, Cause.DEADLINE),
    Ending(Ended.SIGNALLED, 9, Cause.CANCELLED),
    Ending(Ended.UNKNOWN, 0, Cause.NONE),
]


def exchange(index: int = 0) -> tuple[Client, ChunkedResponseSealer, Ticket]:
    """A client, its worker's sealer, and the keyholder's ticket for the same answer."""
    ring = Ring(SETTINGS, SecretMemory(SECRETS_MAX))
    epoch = ring.bear(monotonic=0.0, wall=1_700_000_000)
    ring.publish(epoch, b"evidence")
    client = ask(epoch.configs[index])
    answer, ticket = ring.answer(client.question)
    key = response_key(Mode.CHUNKED, client.header, client.enc, answer[:32], answer[32:])
    return client, ChunkedResponseSealer(key), ticket


def sent_by_worker(sealer: ChunkedResponseSealer, plain: tuple[bytes, ...]) -> bytes:
    return b"".join([sealer.begin(), *map(sealer.seal, plain)]) if plain else b""


def tail_of(ticket: Ticket, phase: Phase, ending: Ending, chunks: int | None = None) -> bytes:
    return seal_tail(
        ticket.key,
        phase=phase,
        chunks=len(SENT[phase]) if chunks is None else chunks,
        ending=ending,
        receipt=RECEIPT_BYTES,
        signature=SIGNATURE,
    )


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda e: e.write().decode())
@pytest.mark.parametrize("phase", SENT)
def test_the_answer_opens_complete_wherever_the_worker_stopped(
    phase: Phase, ending: Ending, index: int
) -> None:
    client, sealer, ticket = exchange(index)
    sent = sent_by_worker(sealer, SENT[phase])
    response = opened(client.opener, sent + tail_of(ticket, phase, ending))
    assert [name for name, _ in response.trailers] == [RECEIPT, RECEIPT_SIGNATURE]
    code = FAILURES[ending.cause]
    if phase in {Phase.NOTHING, Phase.INFORMED}:
        assert response.status == STATUS[code]
        assert response.headers == (("content-type", JSON),)
        assert parse_failure(response.content).code is code
    else:
        reader = EventReader()
        events = reader.receive(response.content)
        assert response.status == 200
        assert events[0] == Delta("so far")
        if phase is Phase.STREAMING:
            reader.finish()
            assert [event.code for event in events[1:]] == [code]  # type: ignore[union-attr]
        else:
            assert events[1:] == [Delta("so far")]
    informed = 2 if phase is Phase.INFORMED else 0
    assert response.informational == (Informational(102, ()),) * informed


def test_a_complete_answer_gets_nothing_but_trailers() -> None:
    client, sealer, ticket = exchange()
    sent = sent_by_worker(sealer, SENT[Phase.ANSWERED])
    response = opened(client.opener, sent + tail_of(ticket, Phase.ANSWERED, EXITED))
    assert response.content == write_event(Delta("so far")) * 2


@pytest.mark.parametrize("ending", [EXITED, *ENDINGS])
@pytest.mark.parametrize("phase", SENT)
def test_every_tail_is_of_one_size(phase: Phase, ending: Ending) -> None:
    _, _, ticket = exchange()
    nonce_bytes = 0 if SENT[phase] else len(ticket.key.response_nonce)
    assert len(tail_of(ticket, phase, ending)) == nonce_bytes + 1 + TAIL_BYTES + TAG_BYTES


@pytest.mark.parametrize("off", [-1, 1])
def test_a_tail_for_another_number_of_chunks_opens_nothing(off: int) -> None:
    client, sealer, ticket = exchange()
    plain = SENT[Phase.ANSWERED]
    tail = tail_of(ticket, Phase.ANSWERED, EXITED, chunks=len(plain) + off)
    with pytest.raises(OpenError):
        opened(client.opener, sent_by_worker(sealer, plain) + tail)


def test_an_answer_without_its_tail_is_not_complete() -> None:
    client, sealer, _ = exchange()
    with pytest.raises(WireError):
        opened(client.opener, sent_by_worker(sealer, SENT[Phase.ANSWERED]))


def test_the_nonce_of_the_tail_is_never_one_of_the_workers() -> None:
    """AES-GCM under one key and nonce is a keystream: two equal ones would show here."""
    _, sealer, ticket = exchange()
    plain = bytes(TAIL_BYTES)
    sealer.begin()
    sealed = [sealer.seal(plain)[2:] for _ in SENT[Phase.STREAMING]]
    tail = tail_of(ticket, Phase.STREAMING, EXITED)[1:]
    zeros = b"\x00" * 64  # the padding at the end of the tail is zeros, as all of `plain` is
    for one, other in itertools.combinations([*sealed, tail], 2):
        at = TAIL_BYTES - len(zeros)
        assert one[at : at + len(zeros)] != other[at : at + len(zeros)]


def test_a_ticket_seals_one_tail_only() -> None:
    _, _, ticket = exchange()
    tail_of(ticket, Phase.NOTHING, EXITED)
    with pytest.raises(RuntimeError):
        tail_of(ticket, Phase.NOTHING, EXITED)


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda e: e.write().decode())
def test_the_failure_of_plain_ohttp_opens_as_one_answer(ending: Ending) -> None:
    ring = Ring(SETTINGS, SecretMemory(SECRETS_MAX))
    epoch = ring.bear(monotonic=0.0, wall=1_700_000_000)
    ring.publish(epoch, b"evidence")
    question, opener = ask_whole(epoch.configs[0])
    _, ticket = ring.answer(question)
    response = parse_response(opener.open(seal_whole_failure(ticket.key, ending)))
    code = FAILURES[ending.cause]
    assert response.status == STATUS[code]
    assert parse_failure(response.content).code is code
    assert response.trailers == ()
