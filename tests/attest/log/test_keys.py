# SPDX-License-Identifier: Apache-2.0
"""vkeys: a key's name, its id, and the key; one spelling, and the id that follows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import FormatError
from attest.log.keys import NAME_MAX_BYTES, KeyType, parse_vkey
from tests.attest.log.small_log import EAST, LOG, WEST, Signer, b64

PROOF = json.loads((Path(__file__).parents[2] / "vectors/tlog/proof.json").read_text())
NAME, KEY_ID, KEY = LOG.vkey.split("+", 2)


def with_id(kind: int, public_key: bytes) -> str:
    """Any bytes as a key, with the id that follows from them."""
    material = bytes([kind]) + public_key
    key_id = hashlib.sha256(f"{NAME}\n".encode() + material).hexdigest()[:8]
    return f"{NAME}+{key_id}+{b64(material)}"


@pytest.mark.parametrize("signer", [LOG, EAST, WEST], ids=lambda signer: signer.name)
def test_a_key_is_read(signer: Signer) -> None:
    assert parse_vkey(signer.vkey) == signer.key


@pytest.mark.parametrize("vkey", [PROOF["log_vkey"], *PROOF["witness_vkeys"]])
def test_keys_of_others_have_the_ids_that_they_state(vkey: str) -> None:
    assert parse_vkey(vkey).key_id.hex() == vkey.split("+")[1]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(NAME, id="a-name"),
        pytest.param(f"+{KEY_ID}+{KEY}", id="no-name"),
        pytest.param(f"a b+{KEY_ID}+{KEY}", id="a-space"),
        pytest.param(Signer("n" * (NAME_MAX_BYTES + 1), LOG.kind).vkey, id="a-long-name"),
        pytest.param(f"{NAME}+00000000+{KEY}", id="another-id"),
        pytest.param(f"{NAME}+{KEY_ID.upper()}+{KEY}", id="an-id-in-capitals"),
        pytest.param(f"other+{KEY_ID}+{KEY}", id="another-name"),
        pytest.param(f"{NAME}+{KEY_ID}+{KEY}=", id="other-base64"),
        pytest.param(f"{NAME}+{KEY_ID}+", id="no-key"),
        pytest.param(with_id(2, bytes(32)), id="an-unknown-type"),
        pytest.param(with_id(1, bytes(31)), id="a-short-key"),
        pytest.param(with_id(6, bytes(32)), id="the-other-kinds-size"),
    ],
)
def test_what_is_no_vkey_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="vkey"):
        parse_vkey(text)


def test_an_unknown_type_is_told_with_those_that_are_known() -> None:
    with pytest.raises(FormatError, match="wanted a key of type 1, 4, 6, got 2"):
        parse_vkey(with_id(2, bytes(32)))


def test_the_longest_name_is_read() -> None:
    longest = Signer("\u00e9" * (NAME_MAX_BYTES // 2) + "e", LOG.kind)
    assert parse_vkey(longest.vkey) == longest.key


def test_one_key_has_another_id_for_each_use() -> None:
    uses = (KeyType.ED25519, KeyType.COSIGNATURE_ED25519)
    assert len({Signer("one.example", kind).key.key_id for kind in uses}) == len(uses)


@given(st.text(max_size=100))
def test_any_text_is_a_key_or_an_error(text: str) -> None:
    try:
        key = parse_vkey(text)
    except FormatError:
        return
    assert parse_vkey(text) == key
