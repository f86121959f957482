# SPDX-License-Identifier: Apache-2.0
"""Which key answers which question, and which question is denied with which word."""

from dataclasses import fields, replace

import pytest

from guest.door import Question, Refusal
from guest.keyholder.epoch import CLOCK_SKEW_S, DeniedError, Epoch, Ticket
from guest.keyholder.keylife import IllegalTransitionError, State
from guest.keyholder.ring import Ring
from guest.keyholder.service import SECRETS_MAX
from guest.secretmem import SecretMemory
from guest.settings import Kem, KeySettings
from tests.guest.keyholder.clients import SETTINGS, ask, ask_whole, settings
from wire.chunked import ChunkedResponseOpener, ChunkedResponseSealer
from wire.errors import OpenError
from wire.keyconfig import parse_key_config, parse_key_configs
from wire.ohttp import Mode, response_key, response_nonce_bytes, seal_response

START = 1000.0
WALL = 1_700_000_000


def ring_of(key_settings: KeySettings = SETTINGS) -> tuple[Ring, Epoch]:
    """A ring with one published epoch."""
    ring = Ring(key_settings, SecretMemory(SECRETS_MAX))
    epoch = ring.bear(monotonic=START, wall=WALL)
    ring.publish(epoch, b"evidence")
    return ring, epoch


def denied(ring: Ring, question: Question) -> Refusal:
    with pytest.raises(DeniedError) as caught:
        ring.answer(question)
    return caught.value.refusal


@pytest.mark.parametrize("index", [0, 1])
def test_a_question_to_each_key_is_answered_with_its_secret(index: int) -> None:
    ring, epoch = ring_of()
    client = ask(epoch.configs[index])
    answer, ticket = ring.answer(client.question)
    secret, nonce = answer[:32], answer[32:]
    assert len(nonce) == response_nonce_bytes(client.header.suite)
    worker = response_key(Mode.CHUNKED, client.header, client.enc, secret, nonce)
    sealer = ChunkedResponseSealer(worker)
    sent = sealer.begin() + sealer.seal(b"from the worker, ")
    tail = ChunkedResponseSealer.resume(ticket.key, at=1).seal_final(b"from the keyholder")
    assert client.opener.receive(sent + tail) == [b"from the worker, "]
    assert client.opener.finish() == b"from the keyholder"
    assert client.opener.exchange_id == ticket.exchange


def test_a_question_of_plain_ohttp_is_answered_with_a_key_of_plain_ohttp() -> None:
    ring, epoch = ring_of()
    question, opener = ask_whole(epoch.configs[0])
    _, ticket = ring.answer(question)
    assert opener.open(seal_response(ticket.key, b"answer")) == b"answer"


def test_the_second_copy_of_a_question_is_refused() -> None:
    ring, epoch = ring_of()
    question = ask(epoch.configs[0]).question
    ring.answer(question)
    assert denied(ring, question) is Refusal.REFUSED


def test_the_same_encapsulation_in_the_other_mode_is_a_replay_too() -> None:
    ring, epoch = ring_of()
    question = ask(epoch.configs[0]).question
    ring.answer(question)
    assert denied(ring, replace(question, chunked=False)) is Refusal.REFUSED


def test_two_answers_never_share_a_response_nonce() -> None:
    ring, epoch = ring_of(settings(replay_max=64))
    answers = [ring.answer(ask(epoch.configs[1]).question)[0] for _ in range(64)]
    assert len({answer[32:] for answer in answers}) == 64


def test_a_full_cache_denies_new_questions_and_still_refuses_old_ones() -> None:
    ring, epoch = ring_of(settings(replay_max=1))
    first = ask(epoch.configs[0]).question
    ring.answer(first)
    assert denied(ring, ask(epoch.configs[0]).question) is Refusal.UNAVAILABLE
    assert denied(ring, first) is Refusal.REFUSED


def test_an_unknown_key_id_is_denied() -> None:
    ring, epoch = ring_of()
    question = ask(epoch.configs[0]).question
    assert denied(ring, replace(question, header=b"\xee" + question.header[1:])) is (
        Refusal.UNKNOWN_KEY
    )


def test_a_key_id_with_the_kem_of_another_key_is_denied() -> None:
    ring, epoch = ring_of()
    question = ask(epoch.configs[0]).question
    other = bytes([parse_key_config(epoch.configs[1]).key_id]) + question.header[1:]
    assert denied(ring, replace(question, header=other)) is Refusal.UNKNOWN_KEY


@pytest.mark.parametrize("suite", ["647a00010002", "647a00020001", "001000010001", "000000000000"])
def test_a_suite_that_was_not_offered_is_denied(suite: str) -> None:
    ring, epoch = ring_of()
    question = ask(epoch.configs[0]).question
    header = question.header[:1] + bytes.fromhex(suite)
    assert denied(ring, replace(question, header=header)) is Refusal.UNKNOWN_KEY


@pytest.mark.parametrize("size", [1, 31, 33, 1119, 1121, 2000])
@pytest.mark.parametrize("index", [0, 1])
def test_bytes_of_a_length_that_is_no_encapsulation_are_refused(index: int, size: int) -> None:
    ring, epoch = ring_of()
    question = ask(epoch.configs[index]).question
    assert denied(ring, replace(question, enc=bytes(size))) is Refusal.REFUSED


def test_a_low_order_point_is_refused() -> None:
    ring, epoch = ring_of()
    question = ask(epoch.configs[1]).question
    assert denied(ring, replace(question, enc=bytes(32))) is Refusal.REFUSED


def test_an_encapsulation_to_another_key_opens_nothing() -> None:
    ring, _ = ring_of()
    elsewhere = ring_of()[1]
    client = ask(elsewhere.configs[0])
    _, ticket = ring.answer(client.question)  # X-Wing rejects implicitly: another secret
    tail = ChunkedResponseSealer(ticket.key)
    with pytest.raises(OpenError):
        client.opener.receive(tail.begin() + tail.seal(b"x"))


def test_an_epoch_that_is_not_published_does_not_answer() -> None:
    ring = Ring(SETTINGS, SecretMemory(SECRETS_MAX))
    epoch = ring.bear(monotonic=START, wall=WALL)
    assert denied(ring, ask(epoch.configs[0]).question) is Refusal.UNKNOWN_KEY
    assert ring.publication() is None


def test_a_retired_epoch_answers_but_is_not_handed_out() -> None:
    ring, epoch = ring_of()
    ring.tidy(START + SETTINGS.life_s)
    assert epoch.state is State.RETIRED
    assert ring.publication() is None
    ring.answer(ask(epoch.configs[0]).question)


def test_an_erased_epoch_has_no_key_and_answers_nothing() -> None:
    ring, epoch = ring_of()
    question = ask(epoch.configs[0]).question
    ring.tidy(START + SETTINGS.life_s + SETTINGS.grace_s)
    assert epoch.state is State.ERASED
    assert (epoch._keys, epoch._receipt_key) == ({}, None)
    assert list(ring) == []
    assert denied(ring, question) is Refusal.UNKNOWN_KEY


def test_a_replayed_question_stays_refused_when_its_epoch_is_retired() -> None:
    ring, epoch = ring_of()
    question = ask(epoch.configs[0]).question
    ring.answer(question)
    ring.tidy(START + SETTINGS.life_s)
    assert denied(ring, question) is Refusal.REFUSED


def test_a_discarded_epoch_is_erased_and_gone() -> None:
    ring = Ring(SETTINGS, SecretMemory(SECRETS_MAX))
    epoch = ring.bear(monotonic=START, wall=WALL)
    ring.discard(epoch)
    assert (epoch.state, epoch._keys, list(ring)) == (State.ERASED, {}, [])


def test_an_epoch_cannot_be_published_twice() -> None:
    ring, epoch = ring_of()
    with pytest.raises(IllegalTransitionError):
        ring.publish(epoch, b"other evidence")


def test_a_platform_that_is_down_for_long_brings_no_key_id_back() -> None:
    ring, epoch = ring_of()
    for _ in range(127):
        ring.discard(ring.bear(monotonic=START, wall=WALL))
    ring.publish(following := ring.bear(monotonic=START, wall=WALL), b"evidence")
    ids = [parse_key_config(config).key_id for e in (epoch, following) for config in e.configs]
    assert len(set(ids)) == len(ids)
    assert following.number == 129


def test_key_ids_come_round_after_the_last() -> None:
    ring = Ring(settings(kems=(Kem.X25519,)), SecretMemory(SECRETS_MAX))
    ids = []
    for _ in range(257):
        epoch = ring.bear(monotonic=START, wall=WALL)
        ring.publish(epoch, b"evidence")
        ids.append(parse_key_config(epoch.configs[0]).key_id)
        ring.tidy(START + SETTINGS.life_s + SETTINGS.grace_s)
    assert ids == [*range(256), 0]


def test_a_publication_names_the_newest_keys_and_all_targets_that_answer() -> None:
    ring, first = ring_of()
    second = ring.bear(monotonic=START + 80, wall=WALL + 80)
    ring.publish(second, b"newer evidence")
    known = ring.publication()
    assert known is not None
    assert (known.epoch, known.evidence, known.not_after) == (2, b"newer evidence", WALL + 180)
    assert known.targets == (*first.targets, *second.targets)
    configs = parse_key_configs(known.ohttp_keys)
    assert configs == tuple(parse_key_config(config) for config in second.configs)


def test_the_statement_allows_for_clients_whose_clocks_are_behind() -> None:
    _, epoch = ring_of()
    assert (epoch.not_before, epoch.not_after) == (WALL - CLOCK_SKEW_S, WALL + SETTINGS.life_s)


def test_the_next_epoch_is_due_before_the_last_one_ends() -> None:
    ring = Ring(SETTINGS, SecretMemory(SECRETS_MAX))
    assert ring.successor_due() == 0.0
    ring.publish(ring.bear(monotonic=START, wall=WALL), b"evidence")
    assert ring.successor_due() == START + SETTINGS.life_s - SETTINGS.overlap_s


def test_a_ticket_holds_nothing_that_opens_a_request() -> None:
    ring, epoch = ring_of()
    client = ask(epoch.configs[0])
    answer, ticket = ring.answer(client.question)
    assert {field.name for field in fields(Ticket)} == {
        "epoch",
        "exchange",
        "key",
        "slot",
        "signer",
    }
    held = [getattr(ticket.key, name, None) for name in vars(ticket.key)]
    assert answer[:32] not in held
    assert answer[:32] not in (ticket.exchange, ticket.signer.private_bytes_raw())
    assert not isinstance(ticket.key, ChunkedResponseOpener)


def test_a_ticket_shows_nothing_of_what_it_holds() -> None:
    ring, epoch = ring_of()
    answer, ticket = ring.answer(ask(epoch.configs[0]).question)
    assert repr(ticket).startswith("<")
    assert answer[:32].hex() not in repr(ticket)
