# SPDX-License-Identifier: Apache-2.0
"""The chunk framing under attack: what a relay could drop, repeat, reorder, cut, change or add."""

from collections.abc import Callable

import pytest

from tests.wire.exchange import answered, sealed_request, unlocked
from wire.chunks import (
    CHUNK_MAX_BYTES,
    CHUNKS_MAX,
    MESSAGE_MAX_BYTES,
    ChunkOpener,
    seal_chunk,
    seal_final,
)
from wire.errors import FormatError, OpenError, TruncatedError
from wire.suites import PLAIN, TAG_BYTES
from wire.varint import write_varint

TEXTS = [b"one", b"two", b"six"]


def request(chunks: list[bytes], head: bytes) -> list[bytes]:
    """What the gateway opens in these chunks."""
    opener = unlocked(head)
    opened = opener.receive(b"".join(chunks))
    return [*opened, opener.finish()]


Attack = Callable[[list[bytes]], list[bytes]]
ATTACKS: dict[str, Attack] = {
    "reordered": lambda c: [c[1], c[0], *c[2:]],
    "first dropped": lambda c: c[1:],
    "middle dropped": lambda c: [c[0], *c[2:]],
    "one twice": lambda c: [c[0], *c],
    "final as a chunk": lambda c: [*c[:-1], write_varint(len(c[-1]) - 1) + c[-1][1:], c[-1]],
    "chunk as the final": lambda c: [*c[:2], b"\x00" + c[2][1:]],
    "a byte after the final": lambda c: [*c, b"\x00"],
    "final twice": lambda c: [*c, c[-1]],
    "final cut": lambda c: [*c[:-1], c[-1][:-1]],
    "lengths merged": lambda c: [write_varint(len(c[0] + c[1]) - 2) + c[0][1:] + c[1][1:], *c[2:]],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_request_does_not_open_with(attack: str) -> None:
    head, chunks = sealed_request(TEXTS, b"end")
    with pytest.raises(OpenError):
        request(ATTACKS[attack](chunks), head)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_response_does_not_open_with(attack: str) -> None:
    asked, answer = answered()
    sealer = answer()
    nonce = sealer.begin()
    chunks = [*map(sealer.seal, TEXTS), sealer.seal_final(b"end")]
    opener = asked.answer()
    with pytest.raises(OpenError):
        opener.receive(nonce + b"".join(ATTACKS[attack](chunks)))
        opener.finish()


def test_what_was_opened_before_the_attack_was_authentic() -> None:
    head, chunks = sealed_request(TEXTS, b"end")
    opener = unlocked(head)
    assert opener.receive(chunks[0]) == [b"one"]
    with pytest.raises(OpenError):
        opener.receive(chunks[2])


def test_a_request_cut_at_any_byte_never_completes() -> None:
    head, chunks = sealed_request(TEXTS, b"end", PLAIN)
    whole = b"".join(chunks)
    end_of_last = len(whole) - len(b"end") - TAG_BYTES
    for size in range(len(whole)):
        opener = unlocked(head)
        opened = opener.receive(whole[:size])
        assert opened == TEXTS[: len(opened)]
        # Less than a tag after the final's zero is plainly cut; more is a final that does not open.
        expected = TruncatedError if size < end_of_last + TAG_BYTES else OpenError
        with pytest.raises(expected):
            opener.finish()


def test_a_response_cut_at_any_byte_never_completes() -> None:
    asked, answer = answered(PLAIN)
    sealer = answer()
    whole = sealer.begin() + sealer.seal(b"one") + sealer.seal_final()
    opener = asked.answer()
    for size in range(len(whole)):
        copy = type(opener)(asked._opening)
        copy.receive(whole[:size])
        with pytest.raises(TruncatedError):
            copy.finish()


def test_every_bit_of_every_chunk_is_protected() -> None:
    head, chunks = sealed_request([b"one"], b"", PLAIN)
    whole = b"".join(chunks)
    for at in range(len(whole)):
        for bit in (0x01, 0x80):
            broken = bytearray(whole)
            broken[at] ^= bit
            opener = unlocked(head)
            with pytest.raises((OpenError, TruncatedError, FormatError)):
                opener.receive(bytes(broken))
                opener.finish()


class Transparent:
    """Stands where a context stands, so that the framing can be tested alone. The tag is spaces."""

    def seal(self, plaintext: bytes, aad: bytes = b"") -> bytes:
        return plaintext + aad.ljust(TAG_BYTES)

    def open(self, ciphertext: bytes, aad: bytes = b"") -> bytes:
        if ciphertext[-TAG_BYTES:] != aad.ljust(TAG_BYTES):
            raise OpenError
        return ciphertext[:-TAG_BYTES]


def test_an_empty_chunk_before_the_final_does_not_open() -> None:
    sealed = Transparent().seal(b"")
    with pytest.raises(OpenError):
        ChunkOpener(Transparent()).receive(write_varint(len(sealed)) + sealed)


def test_an_empty_chunk_before_the_final_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="wanted 1 to"):
        seal_chunk(Transparent(), b"")


@pytest.mark.parametrize("seal", [seal_chunk, seal_final])
def test_a_chunk_of_the_largest_size_opens_and_one_byte_more_is_not_sealed(
    seal: Callable[[Transparent, bytes], bytes],
) -> None:
    opener = ChunkOpener(Transparent())
    largest = bytes(CHUNK_MAX_BYTES)
    opened = opener.receive(seal(Transparent(), largest))
    assert opened == [largest] or opener.finish() == largest
    with pytest.raises(ValueError, match=f"to {CHUNK_MAX_BYTES} bytes"):
        seal(Transparent(), bytes(CHUNK_MAX_BYTES + 1))


@pytest.mark.parametrize("length", [CHUNK_MAX_BYTES + TAG_BYTES + 1, 2**62 - 1])
def test_a_length_above_the_limit_is_refused_before_the_bytes_come(length: int) -> None:
    with pytest.raises(FormatError, match="chunk: wanted 16400 bytes or fewer"):
        ChunkOpener(Transparent()).receive(write_varint(length))


def test_a_final_chunk_above_the_limit_is_refused_while_it_comes() -> None:
    opener = ChunkOpener(Transparent())
    opener.receive(b"\x00" + bytes(CHUNK_MAX_BYTES + TAG_BYTES))
    with pytest.raises(FormatError, match="final chunk: too long"):
        opener.receive(b"\x00")


def test_one_chunk_too_many_is_refused() -> None:
    opener = ChunkOpener(Transparent())
    one = seal_chunk(Transparent(), b"x")
    assert len(opener.receive(one * CHUNKS_MAX)) == CHUNKS_MAX
    with pytest.raises(FormatError, match=f"more than {CHUNKS_MAX}"):
        opener.receive(one)


def test_one_byte_too_many_is_refused() -> None:
    opener = ChunkOpener(Transparent())
    full = seal_chunk(Transparent(), bytes(CHUNK_MAX_BYTES))
    opener.receive(full * (MESSAGE_MAX_BYTES // CHUNK_MAX_BYTES))
    opener.receive(seal_final(Transparent(), b"x"))
    with pytest.raises(FormatError, match=f"more than {MESSAGE_MAX_BYTES} bytes"):
        opener.finish()
