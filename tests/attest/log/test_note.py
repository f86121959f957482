# SPDX-License-Identifier: Apache-2.0
"""Signed notes and checkpoints: others' read and verify, and what is not quite one is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import FormatError
from attest.log.checkpoint import parse_checkpoint
from attest.log.keys import LogKey, cosigned_message, parse_vkey, signed_at
from attest.log.note import (
    DECIMAL_MAX,
    NOTE_MAX_BYTES,
    SIGNATURES_MAX,
    Note,
    parse_note,
    read_decimal,
)
from attest.log.proof import parse_proof
from tests.attest.log.small_log import EAST, LOG, WEST, Signer, SmallLog, b64

VECTORS = Path(__file__).parents[2] / "vectors/tlog"
NOTES: list[dict[str, Any]] = json.loads((VECTORS / "notes.json").read_text())
PROOF: dict[str, Any] = json.loads((VECTORS / "proof.json").read_text())
GOOD = SmallLog([b"one", b"two", b"three"]).checkpoint()
DASH = "\u2014"


def verified(key: LogKey, note: str) -> list[int]:
    """When the key signed the checkpoint, for each of its signatures."""
    checkpoint = parse_checkpoint(note.encode())
    return [
        signed_at(key, checkpoint, signature.signature)
        for signature in checkpoint.note.signatures
        if (signature.name, signature.key_id) == (key.name, key.key_id)
    ]


@pytest.mark.parametrize("row", NOTES, ids=[row["name"] for row in NOTES])
def test_signatures_of_others_verify(row: dict[str, Any]) -> None:
    times = [time for vkey in row["vkeys"] for time in verified(parse_vkey(vkey), row["note"])]
    assert len(times) == row["verifies"]


@pytest.mark.parametrize("row", NOTES, ids=[row["name"] for row in NOTES])
def test_over_another_size_they_do_not(row: dict[str, Any]) -> None:
    origin, size, rest = row["note"].split("\n", 2)
    changed = f"{origin}\n{int(size) + 1}\n{rest}"
    with pytest.raises(InvalidSignature):
        [verified(parse_vkey(vkey), changed) for vkey in row["vkeys"]]


def test_the_message_of_an_ml_dsa_cosigner_is_the_one_that_was_checked_elsewhere() -> None:
    checkpoint = parse_proof(PROOF["tlog_proof"].encode()).checkpoint
    key = parse_vkey(PROOF["witness_vkeys"][1])
    (time_s,) = verified(key, PROOF["tlog_proof"].split("\n\n", 1)[1])
    assert cosigned_message(key.name, time_s, checkpoint).hex() == PROOF["mldsa_signed_message_hex"]


@pytest.mark.parametrize("signer", [LOG, EAST, WEST], ids=lambda signer: signer.name)
def test_one_bit_of_a_signature_spoils_it(signer: Signer) -> None:
    checkpoint = parse_checkpoint(GOOD.encode())
    (line,) = [line for line in checkpoint.note.signatures if line.name == signer.name]
    assert signed_at(signer.key, checkpoint, line.signature) >= 0
    for at in range(0, len(line.signature), 97):
        bad = bytearray(line.signature)
        bad[at] ^= 1
        with pytest.raises(InvalidSignature):
            signed_at(signer.key, checkpoint, bytes(bad))


def test_a_time_that_no_clock_has_is_no_cosignature() -> None:
    late = SmallLog([b"one"], time_s=DECIMAL_MAX + 1, signers=(EAST,)).checkpoint()
    with pytest.raises(InvalidSignature):
        verified(EAST.key, late)


def test_the_last_time_that_a_cosignature_has_room_for_is_read() -> None:
    last = SmallLog([b"one"], time_s=DECIMAL_MAX, signers=(EAST,)).checkpoint()
    assert verified(EAST.key, last) == [DECIMAL_MAX]


def test_a_text_may_have_blank_lines() -> None:
    note = parse_note(f"one\n\ntwo\n\n{DASH} a AAAAAAE=\n".encode())
    assert note.text == "one\n\ntwo\n"
    assert (note.signatures[0].key_id, note.signatures[0].signature) == (bytes(4), b"\1")


def test_sixteen_signatures_and_more_are_read() -> None:
    lines = f"{DASH} a AAAAAAE=\n" * SIGNATURES_MAX
    assert len(parse_note(f"one\n\n{lines}".encode()).signatures) == SIGNATURES_MAX


def test_the_longest_note_is_read() -> None:
    rest = f"\n\n{DASH} a AAAAAAE=\n".encode()
    note = parse_note(b"x" * (NOTE_MAX_BYTES - len(rest)) + rest)
    assert len(note.text) == NOTE_MAX_BYTES - len(rest) + 1


def signed(line: str) -> bytes:
    return f"one\n\n{line}".encode()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"one\n", id="no-signatures"),
        pytest.param(signed(""), id="no-line-of-a-signature"),
        pytest.param(signed(f"{DASH} a AAAAAAE="), id="no-last-newline"),
        pytest.param(signed(f"{DASH} a AAAAAAE=x"), id="another-end-than-a-newline"),
        pytest.param(f"{DASH} a AAAAAAE=\n".encode(), id="no-text"),
        pytest.param(signed("- a AAAAAAE=\n"), id="another-dash"),
        pytest.param(signed(f"{DASH}a AAAAAAE=\n"), id="no-space"),
        pytest.param(signed(f"{DASH}  AAAAAAE=\n"), id="no-name"),
        pytest.param(signed(f"{DASH} a+b AAAAAAE=\n"), id="a-plus-in-the-name"),
        pytest.param(signed(f"{DASH} a\u00a0b AAAAAAE=\n"), id="a-space-in-the-name"),
        pytest.param(signed(f"{DASH} a AAAAAAE\n"), id="no-padding"),
        pytest.param(signed(f"{DASH} a AAAAAAF=\n"), id="bits-that-nobody-reads"),
        pytest.param(signed(f"{DASH} a AAAAAA==\n"), id="no-signature-behind-the-id"),
        pytest.param(signed(f"{DASH} a AAAAAAE= x\n"), id="more-on-the-line"),
        pytest.param(signed(f"{DASH} a AAAAAAE=\n" * (SIGNATURES_MAX + 1)), id="too-many"),
        pytest.param(b"\xff" + signed(f"{DASH} a AAAAAAE=\n"), id="not-utf-8"),
        pytest.param(b"\t" + signed(f"{DASH} a AAAAAAE=\n"), id="a-control-character"),
        pytest.param(b"x" * NOTE_MAX_BYTES + signed(f"{DASH} a AAAAAAE=\n"), id="too-long"),
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="note"):
        parse_note(data)


ROOT = b64(bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a\n1\n", id="two-lines"),
        pytest.param(f"\n1\n{ROOT}\n", id="no-origin"),
        pytest.param(f"a\n01\n{ROOT}\n", id="a-leading-zero"),
        pytest.param(f"a\n-1\n{ROOT}\n", id="below-zero"),
        pytest.param(f"a\n\u0661\n{ROOT}\n", id="another-alphabets-digit"),
        pytest.param(f"a\n{DECIMAL_MAX + 1}\n{ROOT}\n", id="too-large"),
        pytest.param(f"a\n1{'0' * 40}\n{ROOT}\n", id="far-too-large"),
        pytest.param(f"a\n1\n{b64(bytes(31))}\n", id="a-short-root"),
        pytest.param(f"a\n1\n{b64(bytes(33))}\n", id="a-long-root"),
        pytest.param(f"a\n1\n{ROOT}\n\nx\n", id="an-empty-line"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="checkpoint"):
        parse_checkpoint(f"{text}\n{DASH} a AAAAAAE=\n".encode())


def test_lines_of_extensions_are_signed_and_not_read() -> None:
    checkpoint = parse_checkpoint(SmallLog([b"one"], extension="more\n").checkpoint().encode())
    assert checkpoint.size == 1
    assert checkpoint.note.text.endswith("\nmore\n")


@pytest.mark.parametrize("number", [0, 9, 10, DECIMAL_MAX])
def test_numbers_are_read(number: int) -> None:
    assert read_decimal(str(number)) == number


@given(st.binary(max_size=300))
def test_any_bytes_are_a_note_or_an_error(data: bytes) -> None:
    try:
        note = parse_note(data)
    except FormatError:
        return
    assert isinstance(note, Note)


@given(st.data())
def test_a_checkpoint_with_other_bytes_is_one_or_an_error(data: st.DataObject) -> None:
    changed = bytearray(GOOD.encode())
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        checkpoint = parse_checkpoint(bytes(changed))
    except FormatError:
        return
    assert checkpoint.size >= 0
