# SPDX-License-Identifier: Apache-2.0
"""The searcher finds every form it claims to look for, and nothing where there is nothing."""

import base64
import json
import os
import struct
import zlib
from hashlib import md5, sha256
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.worker.engine import Engine
from lab.memscan import (
    FORM_MIN_BYTES,
    PIECE_BYTES,
    Needle,
    Search,
    digest_needles,
    needles,
)
from lab.memscan.forms import TEXT_FORMS, TOKEN_FORMS
from lab.memscan.tokens import ROWS, kv_needles
from lab.model import default_model

CANARY = 'zebra "quartz"\\5417 über/mango?'
TOKENS = (1017, 40021, 7, 3, 22)
STEM = "bcdfghjklmnpqr"
RAW = CANARY.encode()
# Written another way than the table under test writes them.
FORMS = {
    "utf-8": RAW,
    "utf-16-le": b"".join(struct.pack("<H", ord(char)) for char in CANARY),
    "utf-16-be": b"".join(struct.pack(">H", ord(char)) for char in CANARY),
    "utf-32-le": b"".join(struct.pack("<I", ord(char)) for char in CANARY),
    "utf-32-be": b"".join(struct.pack(">I", ord(char)) for char in CANARY),
    "reversed": bytes(reversed(RAW)),
    "hex": base64.b16encode(RAW).lower(),
    "hex-upper": base64.b16encode(RAW),
    "hex-spaced": RAW.hex(" ").encode(),
    "backslash-x": b"".join(b"\\x" + f"{byte:02x}".encode() for byte in RAW),
    "json": b'zebra \\"quartz\\"\\\\5417 \\u00fcber/mango?',
    "json-as-is": 'zebra \\"quartz\\"\\\\5417 über/mango?'.encode(),
    "json-units": b"".join(b"\\u" + f"{ord(char):04x}".encode() for char in CANARY),
    "json-units-upper": b"".join(b"\\u" + f"{ord(char):04X}".encode() for char in CANARY),
    "percent": quote(CANARY, safe="").encode(),
    "percent-plus": quote(CANARY, safe="").replace("%20", "+").encode(),
    "percent-all": b"".join(b"%" + f"{byte:02X}".encode() for byte in RAW),
    "percent-all-lower": b"".join(b"%" + f"{byte:02x}".encode() for byte in RAW),
    "token-ids": struct.pack("=5i", *TOKENS),
    "token-ids-64": struct.pack("=5q", *TOKENS),
    "token-ids-16": struct.pack("=5H", *TOKENS),
    "token-ids-listed": b"[1017,40021,7,3,22]",
    "token-ids-spaced": b"[1017, 40021, 7, 3, 22]",
    **{f"base64+{n}": base64.b64encode(b"-" * n + RAW + b"more") for n in range(3)},
    **{f"base64url+{n}": base64.urlsafe_b64encode(b"\xfb" * n + RAW + b"\xff") for n in range(3)},
}


def forms_found(data: bytes) -> set[str]:
    return {hit.form for hit in Search(needles(CANARY, TOKENS)).pieces("here", [data])}


def test_every_form_of_the_tables_has_a_test() -> None:
    assert set(FORMS) == set(TEXT_FORMS) | set(TOKEN_FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_found_between_other_bytes(form: str) -> None:
    found = forms_found(b"\x07" * 13 + FORMS[form] + b"\x01" * 5)
    same = {"base64url+0": "base64+0", "base64url+1": "base64+1", "base64url+2": "base64+2"}
    wanted = {needle.form for needle in needles(CANARY, TOKENS)}
    assert (form if form in wanted else same[form]) in found


@pytest.mark.parametrize("before", range(6))
def test_base64_is_found_at_every_alignment(before: int) -> None:
    text = b"-" * before + RAW + b"and more of it"
    assert any(form.startswith("base64+") for form in forms_found(base64.b64encode(text)))


def test_a_form_that_is_equal_to_another_is_searched_for_once() -> None:
    plain = needles("walrus-basalt-9020")
    assert len({needle.data for needle in plain}) == len(plain)
    assert "json" not in {needle.form for needle in plain}


def test_nothing_is_found_in_bytes_without_it() -> None:
    assert forms_found(RAW[:-1] + b"-" + base64.b64encode(b"another text")) == set()


@pytest.mark.parametrize("cut", range(1, len(RAW)))
def test_a_canary_across_the_border_of_two_pieces_is_found_at_its_place(cut: int) -> None:
    pieces = [b"x" * 40 + RAW[:cut], RAW[cut:]]
    (hit,) = Search(needles(CANARY)).pieces("here", pieces, start=1000)
    assert (hit.form, hit.at) == ("utf-8", 1040)


@pytest.mark.parametrize("form", ["utf-16-le", "utf-32-le", "token-ids-64"])
def test_a_form_that_ends_in_zeros_is_found_where_zeros_go_on(form: str) -> None:
    data = FORMS[form]
    cut = len(data.rstrip(b"\0"))
    hits = Search(needles(CANARY, TOKENS)).pieces("here", [data[:cut], bytes(PIECE_BYTES)])
    assert form in {hit.form for hit in hits}


@given(st.binary(max_size=64), st.lists(st.integers(1, 20), max_size=8), st.binary(max_size=9))
def test_however_it_is_cut_it_is_found(before: bytes, cuts: list[int], after: bytes) -> None:
    data = before + RAW + after
    pieces = []
    for size in cuts:
        pieces.append(data[:size])
        data = data[size:]
    assert Search(needles(CANARY)).pieces("here", [*pieces, data])


@given(st.binary(max_size=200), st.lists(st.binary(min_size=8, max_size=12), min_size=1))
def test_many_needles_are_found_as_one_by_one(data: bytes, wanted: list[bytes]) -> None:
    wanted += [data[at : at + 9] for at in range(0, max(0, len(data) - 9), 7)]
    all_of = [Needle("1", str(number), needle) for number, needle in enumerate(wanted)]
    found = {(hit.form, hit.at) for hit in Search(all_of).pieces("here", [data])}
    assert found == {(each.form, data.index(each.data)) for each in all_of if each.data in data}


def test_forms_that_chance_would_find_are_not_searched_for() -> None:
    assert all(len(needle.data) >= FORM_MIN_BYTES for needle in needles("abc", (1,)))


def test_a_search_for_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one needle"):
        Search([])


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("sha-256 raw", sha256(RAW).digest()),
        ("sha-256 raw", sha256(RAW).digest()[:8]),
        ("sha-256 hex", sha256(RAW).hexdigest().encode()),
        ("sha-256 hex", sha256(RAW).hexdigest()[:16].encode()),
        ("md5 hex-upper", md5(RAW, usedforsecurity=False).hexdigest().upper().encode()),
        ("md5 base64", base64.b64encode(md5(RAW, usedforsecurity=False).digest())),
        ("crc-32 hex", f"{zlib.crc32(RAW):08x}".encode()),
        ("crc-32 decimal", json.dumps({"crc": zlib.crc32(RAW)}).encode()),
    ],
)
def test_a_digest_is_found_also_when_it_was_cut_short(form: str, written: bytes) -> None:
    hits = Search(digest_needles("1", RAW)).pieces("here", [b"\x07" * 13 + written + b"\x01" * 5])
    assert [hit.form for hit in hits] == [form]


def test_a_digest_of_another_text_is_not_found() -> None:
    assert not Search(digest_needles("1", RAW)).pieces("here", [sha256(RAW + b".").digest()])


def test_it_is_found_in_a_file_in_a_name_and_beyond_the_first_piece(tmp_path: Path) -> None:
    canary = "zebra-quartz-5417-mango"
    (tmp_path / "large").write_bytes(b"\0" * (3 * PIECE_BYTES - 3) + canary.encode())
    (tmp_path / f"named {canary}").write_bytes(b"")
    hits = Search(needles(canary)).folder(tmp_path)
    assert {(hit.where, hit.at) for hit in hits} == {
        (str(tmp_path / "large"), 3 * PIECE_BYTES - 3),
        (f"name of {tmp_path / f'named {canary}'}", len(f"{tmp_path}/named ")),
    }


def test_a_canary_leaves_the_same_values_in_the_cache_wherever_it_stands() -> None:
    model = default_model()
    wanted = kv_needles("1", model, f" {STEM}")
    assert len({needle.data for needle in wanted}) == ROWS
    descriptor = os.open(model, os.O_RDONLY)
    try:
        engine = Engine.load(descriptor, context_tokens=256)
        engine.learn("with", f"We heard that {STEM}7 is late.")
        engine.learn("without", "We heard that nobody is late.")
        found = {
            name: len(Search(wanted).pieces(name, [bytes(engine._prefixes[name].state)]))
            for name in ("with", "without")
        }
    finally:
        os.close(descriptor)
    assert found == {"with": ROWS, "without": 0}


def test_a_canary_of_too_few_tokens_cannot_be_told_by_them() -> None:
    with pytest.raises(ValueError, match="wanted 8 bytes a row"):
        kv_needles("1", default_model(), " the")
