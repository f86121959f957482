# SPDX-License-Identifier: Apache-2.0
"""What no device of ours would send, by hand: each gets the one word for it, and does no harm."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.flow.client import Reply, Sealed, ask, key_configs, message, rewrite_message, seal
from tests.flow.site import Site, together
from wire.api import parse_failure
from wire.kem import PrivateKey
from wire.keyconfig import KeyConfig
from wire.ohttp import HEADER_BYTES, Mode
from wire.suites import DEFAULT, Kem

COPIES = 100
ENC_ENDS = HEADER_BYTES + DEFAULT.enc_bytes
UNKNOWN_TASK = message("/v1/nothing", b"{}")


@pytest.fixture(params=["relay", pytest.param("ingress", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, house: Site) -> str:
    """Where a request is sent; what the relay gets, the ingress gets from it."""
    return house.lab.relay_url if request.param == "relay" else house.lab.ingress_url


@pytest.fixture
def config(house: Site) -> KeyConfig:
    """The guest's X-Wing key."""
    return key_configs(house.lab.relay_url)[Kem.XWING]


@pytest.fixture(autouse=True)
def the_next_good_request_succeeds(house: Site) -> Iterator[None]:
    """It goes the whole way but to the model, which these requests do not reach either."""
    yield
    sealed = seal(key_configs(house.lab.relay_url)[Kem.XWING], UNKNOWN_TASK)
    response = sealed.open(sealed.post(house.lab.relay_url))
    assert parse_failure(response.content).code == "unknown-task"


def refused(config: KeyConfig, url: str) -> Reply:
    """The answer to a request of which a single bit of a tag is wrong."""
    sealed = seal(config, UNKNOWN_TASK)
    reply = sealed.post(url, flipped(sealed.body, len(sealed.body) - 1))
    assert (reply.status, reply.word) == (400, "refused")
    return reply


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("size", [0, 1, 7, 40, 1200, 65536])
def test_garbage_is_refused_like_any_request_that_does_not_open(
    config: KeyConfig, url: str, mode: Mode, size: int
) -> None:
    garbage = random.Random(size).randbytes(size)
    sealed = replace(seal(config, UNKNOWN_TASK, mode), body=garbage)
    assert sealed.post(url) == refused(config, url)


@pytest.mark.parametrize(
    "kept",
    [
        1,
        HEADER_BYTES,
        HEADER_BYTES + 1,
        ENC_ENDS - 1,
        ENC_ENDS,
        ENC_ENDS + 1,
        ENC_ENDS + 100,
        -17,
        -1,
    ],
)
def test_a_chunked_request_that_is_cut_off_is_refused(
    config: KeyConfig, url: str, kept: int
) -> None:
    sealed = seal(config, UNKNOWN_TASK)
    assert sealed.post(url, sealed.body[:kept]) == refused(config, url)


@pytest.mark.parametrize("kept", [HEADER_BYTES, ENC_ENDS, -1])
def test_a_whole_request_that_is_cut_off_is_refused(config: KeyConfig, url: str, kept: int) -> None:
    sealed = seal(config, UNKNOWN_TASK, Mode.WHOLE)
    assert sealed.post(url, sealed.body[:kept]) == refused(config, url)


@pytest.mark.parametrize("mode", Mode)
def test_a_request_with_a_byte_too_many_is_refused(config: KeyConfig, url: str, mode: Mode) -> None:
    sealed = seal(config, UNKNOWN_TASK, mode)
    assert sealed.post(url, sealed.body + b"\0") == refused(config, url)


@pytest.mark.parametrize("at", [HEADER_BYTES, ENC_ENDS - 1, ENC_ENDS, ENC_ENDS + 200, -20, -1])
def test_a_request_with_a_wrong_bit_is_refused(config: KeyConfig, url: str, at: int) -> None:
    sealed = seal(config, UNKNOWN_TASK)
    assert sealed.post(url, flipped(sealed.body, at % len(sealed.body))) == refused(config, url)


def test_a_request_to_the_right_key_id_and_another_key_is_refused(
    config: KeyConfig, url: str
) -> None:
    other = replace(config, public_key=PrivateKey.generate(Kem.XWING).public_bytes)
    sealed = replace(seal(other, UNKNOWN_TASK), target=seal(config, UNKNOWN_TASK).target)
    assert sealed.post(url) == refused(config, url)


def test_a_request_to_the_key_of_another_guest_is_told_to_look_again(
    config: KeyConfig, url: str
) -> None:
    other = replace(config, public_key=PrivateKey.generate(Kem.XWING).public_bytes)
    reply = seal(other, UNKNOWN_TASK).post(url)
    assert (reply.status, reply.word) == (422, "unknown-key")


def test_a_request_that_names_no_key_of_this_guest_is_told_to_look_again(
    config: KeyConfig, url: str
) -> None:
    other = replace(config, key_id=config.key_id ^ 0x80)
    sealed = replace(seal(other, UNKNOWN_TASK), target=seal(config, UNKNOWN_TASK).target)
    assert sealed.post(url).status == 422


@pytest.mark.parametrize(
    ("start", "suite", "status"),
    [
        (1, b"\x00\x20", 422),  # X25519, which this guest has under another key id
        (3, b"\x00\x03", 422),  # HKDF-SHA512, which could be and is not offered
        (5, b"\x00\x03", 422),  # ChaCha20-Poly1305, likewise
        (1, b"\x00\x10", 400),  # P-256, which no guest of ours has
        (5, b"\xff\xff", 400),  # export-only
    ],
)
def test_a_request_with_another_suite_in_its_header_is_refused(
    config: KeyConfig, url: str, start: int, suite: bytes, status: int
) -> None:
    sealed = seal(config, UNKNOWN_TASK)
    assert sealed.post(url, sealed.body[:start] + suite + sealed.body[start + 2 :]).status == status


def test_a_sealed_request_that_is_too_long_is_refused(config: KeyConfig, url: str) -> None:
    """More than the guest takes and less than a relay carries."""
    sealed = seal(config, UNKNOWN_TASK.ljust(300 * 1024, b"\0"))
    assert sealed.post(url) == refused(config, url)


def test_more_than_a_relay_carries_is_refused_unread(config: KeyConfig, url: str) -> None:
    reply = seal(config, UNKNOWN_TASK).post(url, bytes(600 * 1024))
    assert (reply.status, reply.word) == (413, "too-large")


@pytest.mark.parametrize("mode", Mode)
def test_plain_text_is_refused(config: KeyConfig, url: str, mode: Mode) -> None:
    sealed = seal(config, UNKNOWN_TASK, mode)
    assert sealed.post(url, b'{"text":"hello","tone":"friendly"}') == refused(config, url)


def test_plain_text_that_says_so_is_refused_at_the_door(config: KeyConfig, url: str) -> None:
    where = f"/t/{seal(config, UNKNOWN_TASK).target}"
    reply = ask(url, "POST", where, b'{"text":"hello"}', "application/json")
    assert (reply.status, reply.word) == (415, "media")


@pytest.mark.parametrize("claimed", Mode)
def test_a_request_of_one_kind_under_the_name_of_the_other_is_refused(
    config: KeyConfig, url: str, claimed: Mode
) -> None:
    (meant,) = set(Mode) - {claimed}
    sealed = replace(seal(config, UNKNOWN_TASK, meant), mode=claimed)
    assert sealed.post(url) == refused(config, url)


@pytest.mark.parametrize("mode", Mode)
def test_a_request_that_was_answered_is_refused_when_it_comes_again(
    config: KeyConfig, url: str, mode: Mode
) -> None:
    sealed = seal(config, UNKNOWN_TASK, mode)
    assert sealed.open(sealed.post(url)).status == 404
    assert sealed.post(url) == refused(config, url)


def test_a_refused_request_is_not_opened_when_it_comes_again_mended(
    config: KeyConfig, url: str
) -> None:
    """An encapsulation is answered once, whatever became of it."""
    sealed = seal(config, UNKNOWN_TASK)
    assert sealed.post(url, flipped(sealed.body, len(sealed.body) - 1)).status == 400
    assert sealed.post(url) == refused(config, url)


@pytest.mark.slow
def test_of_a_hundred_copies_at_once_exactly_one_is_answered(house: Site, url: str) -> None:
    config = key_configs(url)[Kem.XWING]
    sealed: Sealed = seal(config, rewrite_message())
    with together(COPIES) as pool:
        replies = list(pool.map(lambda _: sealed.post(url), range(COPIES)))
    answered = [reply for reply in replies if reply.status == 200]
    assert len(answered) == 1
    assert sealed.open(answered[0]).status == 200
    assert {reply for reply in replies if reply.status != 200} == {refused(config, url)}
    house.serves()
