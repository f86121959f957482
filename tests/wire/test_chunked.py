# SPDX-License-Identifier: Apache-2.0
"""Chunked OHTTP: the draft's example in both directions, any fragmentation, order of use."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.exchange import KEYS, SUITES, answered, config, key_for, sealed_request, unlocked
from tests.wire.vectors import Hex, encapsulation, load
from wire.chunked import (
    CHUNK_MAX_BYTES,
    MESSAGE_MAX_BYTES,
    ChunkedRequestOpener,
    ChunkedRequestSealer,
    ChunkedResponseSealer,
)
from wire.errors import FormatError, OpenError, SpentError, TruncatedError, WireError
from wire.exchange import HEADER_BYTES, Mode, RequestHeader, exchange_id, response_key
from wire.kem import PrivateKey
from wire.keyconfig import parse_key_config
from wire.suites import PLAIN, Kem, Suite

DRAFT = Hex(load("ohttp-chunked-08/draft08_appendix.json"))


def draft_sealer() -> ChunkedRequestSealer:
    made = parse_key_config(DRAFT["key_config"])
    return ChunkedRequestSealer(made, encapsulation=encapsulation(made, DRAFT["skE"]))


def draft_secret() -> bytes:
    return PrivateKey.from_seed(Kem.X25519, DRAFT["skR"]).decap(DRAFT["pkE_enc"])


def draft_response() -> ChunkedResponseSealer:
    header = RequestHeader(1, PLAIN)
    nonce = DRAFT["response_nonce"]
    key = response_key(Mode.CHUNKED, header, DRAFT["pkE_enc"], draft_secret(), nonce)
    return ChunkedResponseSealer(key)


def received(pieces: list[bytes], secret: bytes | None = None) -> list[bytes]:
    """What the gateway's opener gives for a request that comes in these pieces, the final last."""
    opener = ChunkedRequestOpener()
    opened: list[bytes] = []
    locked = True
    for piece in pieces:
        opened += opener.receive(piece)
        if locked and opener.enc_ready is not None:
            header, enc = opener.enc_ready
            opened += opener.unlock(secret or KEYS[header.suite.kem].decap(enc))
            locked = False
    return [*opened, opener.finish()]


def test_the_drafts_request_seals_as_its_pieces_say() -> None:
    sealer = draft_sealer()
    first, second, last = DRAFT.list("request_chunk_plaintexts")
    head, enc, *chunks = DRAFT.list("request_wire_pieces")
    assert sealer.begin() == head + enc
    assert [sealer.seal(first), sealer.seal(second), sealer.seal_final(last)] == chunks
    assert b"".join([head, enc, *chunks]) == DRAFT["encapsulated_request"]


def test_the_drafts_request_opens() -> None:
    wanted = DRAFT.list("request_chunk_plaintexts")
    assert received([DRAFT["encapsulated_request"]], draft_secret()) == wanted


def test_the_drafts_response_seals_and_opens_as_its_pieces_say() -> None:
    sealer = draft_response()
    first, second, last = DRAFT.list("response_chunk_plaintexts")
    nonce, *chunks = DRAFT.list("response_wire_pieces")
    assert sealer.begin() == nonce
    assert [sealer.seal(first), sealer.seal(second), sealer.seal_final(last)] == chunks
    asked = draft_sealer()
    asked.seal_message(b"")
    opener = asked.answer()
    assert opener.receive(DRAFT["encapsulated_response"]) == [first, second]
    assert opener.finish() == last
    assert opener.exchange_id == exchange_id(DRAFT["pkE_enc"], nonce)


@pytest.mark.parametrize("cut", range(len(DRAFT["encapsulated_request"]) + 1))
def test_the_drafts_request_opens_when_split_at_any_byte(cut: int) -> None:
    whole = DRAFT["encapsulated_request"]
    wanted = DRAFT.list("request_chunk_plaintexts")
    assert received([whole[:cut], whole[cut:]], draft_secret()) == wanted


def test_a_request_opens_byte_by_byte() -> None:
    head, chunks = sealed_request([b"one", b"two"], b"three")
    pieces = [bytes([byte]) for byte in head + b"".join(chunks)]
    assert received(pieces) == [b"one", b"two", b"three"]


@pytest.mark.parametrize("cut", range(len(DRAFT["encapsulated_response"]) + 1))
def test_the_drafts_response_opens_when_split_at_any_byte(cut: int) -> None:
    whole = DRAFT["encapsulated_response"]
    asked = draft_sealer()
    asked.seal_message(b"")
    opener = asked.answer()
    opened = opener.receive(whole[:cut]) + opener.receive(whole[cut:])
    assert [*opened, opener.finish()] == DRAFT.list("response_chunk_plaintexts")


@given(st.data())
def test_any_fragmentation_gives_the_same_chunks(data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
    final = data.draw(st.binary(max_size=40))
    suite = data.draw(st.sampled_from(SUITES))
    head, chunks = sealed_request(texts, final, suite)
    whole = head + b"".join(chunks)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert received(pieces) == [*texts, final]


@pytest.mark.parametrize(
    ("size", "chunks"),
    [(0, 1), (1, 1), (CHUNK_MAX_BYTES, 1), (CHUNK_MAX_BYTES + 1, 2), (3 * CHUNK_MAX_BYTES, 3)],
)
def test_a_message_is_sealed_in_as_few_chunks_as_it_needs(size: int, chunks: int) -> None:
    text = bytes(index % 251 for index in range(size))
    opened = received([ChunkedRequestSealer(config()).seal_message(text)])
    assert len(opened) == chunks
    assert b"".join(opened) == text


@pytest.mark.parametrize("size", [2, 4, 8])
def test_a_length_in_a_longer_form_than_needed_is_accepted(size: int) -> None:
    head, (chunk, final) = sealed_request([b"one"], b"")
    prefix = {2: 0x40, 4: 0x80, 8: 0xC0}[size]
    length = bytes([prefix, *bytes(size - 2), chunk[0]])
    zero = bytes([prefix, *bytes(size - 1)])
    assert received([head + length + chunk[1:] + zero + final[1:]]) == [b"one", b""]


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_enc_is_ready_with_its_last_byte(suite: Suite) -> None:
    head, _ = sealed_request([], b"", suite)
    opener = ChunkedRequestOpener()
    assert opener.receive(head[: HEADER_BYTES - 1]) == []
    assert opener.enc_ready is None
    opener.receive(head[HEADER_BYTES - 1 : -1])
    assert opener.enc_ready is None
    opener.receive(head[-1:])
    assert opener.enc_ready == (RequestHeader(7, suite), head[HEADER_BYTES:])


def test_chunks_that_came_before_the_secret_are_given_at_unlock() -> None:
    head, (chunk, final) = sealed_request([b"one"], b"two")
    opener = ChunkedRequestOpener()
    assert opener.receive(head + chunk + final) == []
    assert opener.enc_ready is not None
    header, enc = opener.enc_ready
    assert opener.unlock(KEYS[header.suite.kem].decap(enc)) == [b"one"]
    assert opener.finish() == b"two"


def test_the_wrong_secret_does_not_unlock() -> None:
    head, (chunk, _) = sealed_request([b"one"], b"")
    opener = ChunkedRequestOpener()
    opener.receive(head + chunk)
    with pytest.raises(OpenError):
        opener.unlock(bytes(32))


def test_no_more_than_a_message_is_kept_before_the_secret() -> None:
    opener = ChunkedRequestOpener()
    opener.receive(sealed_request([], b"")[0])
    with pytest.raises(FormatError, match="request: more than"):
        opener.receive(bytes(MESSAGE_MAX_BYTES + 1))


def test_the_keyholder_goes_on_where_the_worker_stopped() -> None:
    asked = ChunkedRequestSealer(config())
    head = asked.begin()
    asked.seal_final()
    ready = unlocked(head).enc_ready
    assert ready is not None
    worker = ChunkedResponseSealer(key_for(Mode.CHUNKED, *ready))
    sent = worker.begin() + worker.seal(b"one") + worker.seal(b"two")
    keyholder = ChunkedResponseSealer.resume(key_for(Mode.CHUNKED, *ready), at=worker.counter)
    opener = asked.answer()
    assert opener.receive(sent + keyholder.seal(b"three")) == [b"one", b"two", b"three"]
    opener.receive(keyholder.seal_final(b"end"))
    assert opener.finish() == b"end"


def test_a_tail_at_the_wrong_counter_does_not_open() -> None:
    asked, answer = answered()
    worker = answer()
    sent = worker.begin() + worker.seal(b"one")
    ready = unlocked(asked._opening.head).enc_ready
    assert ready is not None
    keyholder = ChunkedResponseSealer.resume(key_for(Mode.CHUNKED, *ready), at=2)
    opener = asked.answer()
    opener.receive(sent + keyholder.seal_final())
    with pytest.raises(OpenError):
        opener.finish()


ORDER_BROKEN: dict[str, Callable[[ChunkedRequestSealer], object]] = {
    "seal before begin": lambda sealer: sealer.seal(b"x"),
    "final before begin": lambda sealer: sealer.seal_final(),
    "answer before the request is complete": lambda sealer: (sealer.begin(), sealer.answer()),
    "begin twice": lambda sealer: (sealer.begin(), sealer.begin()),
    "seal after final": lambda sealer: (sealer.seal_message(b""), sealer.seal(b"x")),
    "final twice": lambda sealer: (sealer.seal_message(b""), sealer.seal_final()),
    "answer twice": lambda sealer: (sealer.seal_message(b""), sealer.answer(), sealer.answer()),
}


@pytest.mark.parametrize("what", ORDER_BROKEN)
def test_a_request_is_sealed_in_order_only(what: str) -> None:
    with pytest.raises(SpentError):
        ORDER_BROKEN[what](ChunkedRequestSealer(config()))


RESPONSE_BROKEN: dict[str, Callable[[ChunkedResponseSealer], object]] = {
    "seal before begin": lambda sealer: sealer.seal(b"x"),
    "final before begin": lambda sealer: sealer.seal_final(),
    "begin twice": lambda sealer: (sealer.begin(), sealer.begin()),
    "seal after final": lambda sealer: (sealer.begin(), sealer.seal_final(), sealer.seal(b"x")),
    "final twice": lambda sealer: (sealer.begin(), sealer.seal_final(), sealer.seal_final()),
}


@pytest.mark.parametrize("what", RESPONSE_BROKEN)
def test_a_response_is_sealed_in_order_only(what: str) -> None:
    with pytest.raises(SpentError):
        RESPONSE_BROKEN[what](answered()[1]())


def test_a_response_cannot_begin_again_after_it_was_resumed() -> None:
    asked, _ = answered()
    ready = unlocked(asked._opening.head).enc_ready
    assert ready is not None
    with pytest.raises(SpentError):
        ChunkedResponseSealer.resume(key_for(Mode.CHUNKED, *ready), at=1).begin()


def test_unlocking_before_enc_or_twice_is_refused() -> None:
    with pytest.raises(SpentError, match="waiting for enc"):
        ChunkedRequestOpener().unlock(bytes(32))
    with pytest.raises(SpentError):
        unlocked(sealed_request([], b"")[0]).unlock(bytes(32))


def test_finishing_what_was_never_unlocked_is_refused() -> None:
    opener = ChunkedRequestOpener()
    opener.receive(sealed_request([], b"")[0])
    with pytest.raises(SpentError, match="locked"):
        opener.finish()


def test_an_opener_that_is_finished_takes_nothing_more() -> None:
    head, (final,) = sealed_request([], b"")
    opener = unlocked(head)
    opener.receive(final)
    opener.finish()
    with pytest.raises(SpentError):
        opener.receive(b"")
    with pytest.raises(SpentError):
        opener.finish()


def test_an_opener_that_failed_takes_nothing_more() -> None:
    head, (chunk, _) = sealed_request([b"one"], b"")
    opener = unlocked(head)
    with pytest.raises(OpenError):
        opener.receive(chunk[:-1] + bytes([chunk[-1] ^ 1]))
    with pytest.raises(SpentError, match="broken"):
        opener.receive(chunk)


def test_the_exchange_has_no_name_before_the_nonce_is_here() -> None:
    opener = answered()[0].answer()
    opener.receive(b"too short")
    with pytest.raises(TruncatedError):
        _ = opener.exchange_id


@given(st.lists(st.binary(max_size=80), max_size=4), st.booleans(), st.booleans())
def test_any_bytes_open_or_give_a_wire_error(
    pieces: list[bytes], known_head: bool, response: bool
) -> None:
    opener = answered(PLAIN)[0].answer() if response else ChunkedRequestOpener()
    if known_head and isinstance(opener, ChunkedRequestOpener):
        opener = unlocked(sealed_request([], b"", PLAIN)[0])
    try:
        for piece in pieces:
            opener.receive(piece)
        opener.finish()
    except (WireError, SpentError):
        return
    raise AssertionError("random bytes opened")
