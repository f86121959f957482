# SPDX-License-Identifier: Apache-2.0
"""Whole OHTTP messages: RFC 9458 Appendix A in both directions, and each broken part."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.exchange import KEYS, SUITES, config, key_for
from tests.wire.vectors import Hex, encapsulation, load
from wire.errors import FormatError, OpenError, SpentError, TruncatedError, WireError
from wire.kem import PrivateKey
from wire.keyconfig import parse_key_config
from wire.ohttp import (
    HEADER_BYTES,
    AnswerOpener,
    Mode,
    RequestHeader,
    RequestOpener,
    RequestSealer,
    exchange_id,
    response_key,
    response_nonce_bytes,
    seal_response,
)
from wire.suites import DEFAULT, PLAIN, Aead, Kdf, Kem, Suite

RFC = Hex(load("ohttp-rfc9458/rfc9458_appendix_a.json"))


def opened(sealed: bytes) -> bytes:
    """What the test gateway reads in a request."""
    opener = RequestOpener(sealed)
    return opener.open(KEYS[opener.header.suite.kem].decap(opener.enc))


def exchange(suite: Suite = DEFAULT) -> tuple[AnswerOpener, bytes]:
    """A request's opener, and a good answer to it."""
    sealed, opener = RequestSealer(config(suite)).seal(b"request")
    asked = RequestOpener(sealed)
    return opener, seal_response(key_for(Mode.WHOLE, asked.header, asked.enc), b"answer")


def test_the_rfc_example_in_both_directions() -> None:
    made = parse_key_config(RFC["key_config"])
    sealer = RequestSealer(made, encapsulation=encapsulation(made, RFC["skE"]))
    sealed, answer_opener = sealer.seal(RFC["request_bhttp"])
    assert sealed == RFC["encapsulated_request"]

    request_opener = RequestOpener(sealed)
    assert request_opener.header == RequestHeader(1, PLAIN)
    assert request_opener.enc == RFC["pkE_enc"]
    secret = PrivateKey.from_seed(Kem.X25519, RFC["skR"]).decap(request_opener.enc)
    assert request_opener.open(secret) == RFC["request_bhttp"]

    key = response_key(
        Mode.WHOLE, request_opener.header, request_opener.enc, secret, RFC["response_nonce"]
    )
    answer = seal_response(key, RFC["response_bhttp"])
    assert answer == RFC["encapsulated_response"]
    assert answer_opener.open(answer) == RFC["response_bhttp"]


@pytest.mark.parametrize(
    "suite", [Suite(kem, kdf, aead) for kem in Kem for kdf in Kdf for aead in Aead], ids=str
)
def test_an_exchange_in_every_suite(suite: Suite) -> None:
    opener, answer = exchange(suite)
    assert len(answer) == response_nonce_bytes(suite) + len(b"answer") + 16
    assert opener.open(answer) == b"answer"


def test_the_nonce_is_as_long_as_the_longer_of_key_and_nonce() -> None:
    assert response_nonce_bytes(PLAIN) == 16
    assert response_nonce_bytes(dataclasses.replace(PLAIN, aead=Aead.CHACHA20_POLY1305)) == 32


def test_the_modes_have_the_registered_media_types() -> None:
    assert [mode.value for mode in Mode] == ["message/ohttp-req", "message/ohttp-chunked-req"]
    assert [mode.response_media for mode in Mode] == [
        "message/ohttp-res",
        "message/ohttp-chunked-res",
    ]


def test_the_client_takes_the_gateways_first_suite_unless_told() -> None:
    two = dataclasses.replace(config(PLAIN), symmetric=((1, 3), (1, 1)))
    chacha = dataclasses.replace(PLAIN, aead=Aead.CHACHA20_POLY1305)
    assert RequestOpener(RequestSealer(two).seal(b"")[0]).header.suite == chacha
    assert RequestOpener(RequestSealer(two, PLAIN).seal(b"")[0]).header.suite == PLAIN


@pytest.mark.parametrize("suite", [None, DEFAULT, PLAIN], ids=str)
def test_no_suite_in_common_is_refused(suite: Suite | None) -> None:
    none = dataclasses.replace(config(DEFAULT), symmetric=((0x11, 1),))
    with pytest.raises(FormatError, match="suite we were to use"):
        RequestSealer(none, suite)


def test_the_sealer_works_once() -> None:
    sealer = RequestSealer(config())
    sealer.seal(b"")
    with pytest.raises(SpentError, match=r"RequestSealer\.seal"):
        sealer.seal(b"")


def test_the_request_opener_works_once_also_after_a_failure() -> None:
    opener = RequestOpener(RequestSealer(config()).seal(b"")[0])
    with pytest.raises(OpenError):
        opener.open(bytes(32))
    with pytest.raises(SpentError, match=r"RequestOpener\.open"):
        opener.open(KEYS[DEFAULT.kem].decap(opener.enc))


def test_the_answer_opener_works_once() -> None:
    opener, answer = exchange()
    opener.open(answer)
    with pytest.raises(SpentError, match=r"AnswerOpener\.open"):
        opener.open(answer)


def test_a_response_key_seals_once() -> None:
    sealed, _ = RequestSealer(config()).seal(b"")
    asked = RequestOpener(sealed)
    key = key_for(Mode.WHOLE, asked.header, asked.enc)
    seal_response(key, b"one")
    with pytest.raises(SpentError, match=r"ResponseKey\.take"):
        seal_response(key, b"two")


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_a_request_shorter_than_header_and_enc_is_refused(suite: Suite) -> None:
    sealed, _ = RequestSealer(config(suite)).seal(b"")
    for size in range(0, HEADER_BYTES + suite.enc_bytes, 7):
        with pytest.raises(FormatError, match="bytes missing"):
            RequestOpener(sealed[:size])


@pytest.mark.parametrize("cut", range(17))
def test_a_request_that_was_cut_does_not_open(cut: int) -> None:
    sealed, _ = RequestSealer(config(PLAIN)).seal(b"")
    if cut == 0:
        assert opened(sealed) == b""
        return
    with pytest.raises(OpenError):
        opened(sealed[:-cut])


@pytest.mark.parametrize(("at", "value"), [(1, "0030"), (3, "0010"), (5, "ffff")])
def test_an_identifier_we_do_not_have_is_refused(at: int, value: str) -> None:
    sealed, _ = RequestSealer(config(PLAIN)).seal(b"")
    with pytest.raises(FormatError, match="wanted one of ours"):
        RequestOpener(sealed[:at] + bytes.fromhex(value) + sealed[at + 2 :])


@pytest.mark.parametrize(("at", "value"), [(0, "08"), (4, "02"), (6, "03")])
def test_a_header_changed_to_another_we_have_does_not_open(at: int, value: str) -> None:
    sealed, _ = RequestSealer(config(PLAIN)).seal(b"")
    with pytest.raises(OpenError):
        opened(sealed[:at] + bytes.fromhex(value) + sealed[at + 1 :])


def test_every_byte_after_the_header_is_protected() -> None:
    sealed, _ = RequestSealer(config(PLAIN)).seal(b"text")
    for at in range(HEADER_BYTES, len(sealed)):
        broken = bytearray(sealed)
        broken[at] ^= 1
        with pytest.raises(OpenError):
            opened(bytes(broken))


def test_a_byte_after_the_request_does_not_open() -> None:
    sealed, _ = RequestSealer(config(PLAIN)).seal(b"text")
    with pytest.raises(OpenError):
        opened(sealed + b"\x00")


def test_a_chunked_request_does_not_open_as_a_whole_one() -> None:
    sealed, _ = RequestSealer(config(PLAIN)).seal(b"text")
    asked = RequestOpener(sealed)
    chunked = key_for(Mode.CHUNKED, asked.header, asked.enc)
    _, opener = RequestSealer(config(PLAIN)).seal(b"text")
    with pytest.raises(OpenError):
        opener.open(seal_response(chunked, b"answer"))


@pytest.mark.parametrize("size", [0, 15, 16, 31])
def test_an_answer_shorter_than_nonce_and_tag_is_truncated(size: int) -> None:
    opener, answer = exchange(PLAIN)
    with pytest.raises(TruncatedError):
        opener.open(answer[:size])


def test_every_byte_of_the_answer_is_protected() -> None:
    for at in range(len(exchange(PLAIN)[1])):
        opener, answer = exchange(PLAIN)
        broken = bytearray(answer)
        broken[at] ^= 0x80
        with pytest.raises(OpenError):
            opener.open(bytes(broken))


def test_an_answer_to_another_request_does_not_open() -> None:
    opener, _ = exchange()
    _, other = exchange()
    with pytest.raises(OpenError):
        opener.open(other)


@pytest.mark.parametrize("size", [15, 17])
def test_a_response_nonce_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="wanted 16 bytes"):
        response_key(Mode.WHOLE, RequestHeader(1, PLAIN), bytes(32), bytes(32), bytes(size))


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_a_response_key_lies_where_it_is_told_to(suite: Suite) -> None:
    sealed, opener = RequestSealer(config(suite)).seal(b"")
    asked = RequestOpener(sealed)
    secret = KEYS[suite.kem].decap(asked.enc)
    nonce = bytes(response_nonce_bytes(suite))
    place = bytearray(suite.key_bytes + 1)
    key = response_key(Mode.WHOLE, asked.header, asked.enc, secret, nonce, place=memoryview(place))
    assert any(place[: suite.key_bytes])
    assert place[suite.key_bytes] == 0
    assert opener.open(seal_response(key, b"answer")) == b"answer"


def test_an_exchange_is_named_by_enc_and_nonce() -> None:
    # The SHA-256 of "abc", FIPS 180-4's own example.
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert exchange_id(b"a", b"bc").hex() == wanted


@given(st.binary(max_size=300), st.sampled_from(SUITES))
def test_whatever_is_sealed_opens(text: bytes, suite: Suite) -> None:
    assert opened(RequestSealer(config(suite)).seal(text)[0]) == text


@given(st.binary(max_size=1300), st.booleans())
def test_any_bytes_open_or_give_a_wire_error(data: bytes, known_header: bool) -> None:
    if known_header:
        data = RequestHeader(7, PLAIN).write() + data
    try:
        opened(data)
    except WireError:
        return
    raise AssertionError("random bytes opened")
