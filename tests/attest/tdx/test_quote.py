# SPDX-License-Identifier: Apache-2.0
"""The quote's layout: every byte is named, every length fills its space."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.layout import uncovered
from attest.tdx.quote import (
    BODY_TYPES,
    QUOTE_MAX_BYTES,
    Header,
    QeReport,
    TdReport15Ex,
    UnsupportedQuoteError,
    parse_quote,
)
from lab.mocktsm.tdx_quote import AUTH_DATA, quote

V4, V5 = quote(), quote(body_type=3)
SIGNATURE_DATA_4 = 48 + 584  # where the length of the signature data stands
CERTIFICATION = SIGNATURE_DATA_4 + 4 + 128  # the outer certification data
AUTH = CERTIFICATION + 6 + 384 + 64  # the length of the authentication data
PCK = AUTH + 2 + len(AUTH_DATA)  # the inner certification data


def put(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


def changed_size(data: bytes, offset: int, by: int) -> bytes:
    """The data with the 32-bit length at ``offset`` changed."""
    size = int.from_bytes(data[offset : offset + 4], "little") + by
    return put(data, offset, size.to_bytes(4, "little"))


def problem(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_quote(data)
    assert caught.value.what.startswith(("TDX quote", "QeReport", "Header"))
    return caught.value.problem


@pytest.mark.parametrize("layout", [*BODY_TYPES.values(), Header, QeReport])
def test_every_byte_belongs_to_one_field(layout: Any) -> None:
    assert uncovered(layout) == []


def test_sizes_are_the_specifications() -> None:
    assert {kind: layout.SIZE for kind, layout in BODY_TYPES.items()} == {2: 584, 3: 648, 4: 885}


def test_what_is_signed_is_everything_before_the_signature_data() -> None:
    assert parse_quote(V4).signed == V4[:SIGNATURE_DATA_4]
    assert parse_quote(V5).signed == V5[: 54 + 648]


def test_body_type_4_is_read() -> None:
    body = parse_quote(quote(body_type=4, body={"td_id": b"\x07" * 32})).body
    assert isinstance(body, TdReport15Ex)
    assert body.td_id == b"\x07" * 32


@pytest.mark.parametrize("data", [V4, V5])
def test_each_way_of_cutting_a_quote_off_is_refused(data: bytes) -> None:
    for size in range(len(data)):
        problem(data[:size])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (quote(header={"vendor": bytes(16)}), "wanted Intel's quoting enclave"),
        (put(V4, 8, b"\x01"), "reserved bytes are not zero"),
        (put(V4, 11, b"\x01"), "reserved bytes are not zero"),
        (put(V5, 50, b"\x48\x02\x00\x00"), "a body of type 3 does not have 584 bytes"),
        (changed_size(V4, SIGNATURE_DATA_4, -1), "1 bytes missing"),
        (changed_size(V4, SIGNATURE_DATA_4, 1), "1 bytes missing"),
        (changed_size(V4, CERTIFICATION + 2, 1), "1 bytes missing"),
        (changed_size(V4, CERTIFICATION + 2, -1), "1 bytes missing"),
        (changed_size(V4, PCK + 2, -1), "1 bytes left over"),
        (changed_size(V4, PCK + 2, 1), "1 bytes missing"),
        (put(V4, AUTH, b"\xff\xff"), "bytes missing"),
        (changed_size(V4 + b"\x00", SIGNATURE_DATA_4, 1), "1 bytes left over"),
    ],
)
def test_another_layout_is_refused(data: bytes, words: str) -> None:
    assert words in problem(data)


def test_reserved_bytes_of_the_qe_report_are_zero() -> None:
    report = CERTIFICATION + 6
    for span in QeReport.RESERVED:
        for offset in (span.start, span.end - 1):
            assert problem(put(V4, report + offset, b"\x01")) == "reserved bytes are not zero"


@pytest.mark.parametrize("version", [0, 1, 2, 3, 6, 0x104])
def test_another_version_is_refused_by_name(version: int) -> None:
    with pytest.raises(UnsupportedQuoteError, match=f"wanted version 4 or 5, got {version}"):
        parse_quote(put(V4, 0, version.to_bytes(2, "little")))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (quote(header={"key_type": 3}), "wanted attestation key type 2, got 3"),
        (quote(header={"tee_type": 0}), "wanted TEE type 129, got 0"),
        *(
            (put(V5, 48, bytes([kind])), f"wanted body type 2 or 3 or 4, got {kind}")
            for kind in (0, 1, 5)
        ),
        (put(V5, 49, b"\x01"), "wanted body type 2 or 3 or 4, got 259"),
        (put(V4, CERTIFICATION, b"\x05"), "wanted certification data type 6, got 5"),
        *(
            (put(V4, PCK, bytes([kind])), f"wanted certification data type 5, got {kind}")
            for kind in (1, 2, 3, 4, 6, 7)
        ),
    ],
)
def test_another_kind_is_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedQuoteError) as caught:
        parse_quote(data)
    assert caught.value.problem == words


def test_a_quote_has_a_greatest_size() -> None:
    padded = V4.ljust(QUOTE_MAX_BYTES, b"\x00")
    assert len(parse_quote(padded).trailing) == QUOTE_MAX_BYTES - len(V4)
    assert "at most" in problem(padded + b"\x00")


def test_what_is_shorter_than_a_header_has_no_version() -> None:
    for data in (b"", b"\x04", b"\x03".ljust(47, b"\x00")):
        assert "bytes missing" in problem(data)


@given(data=st.binary(max_size=1500), version=st.sampled_from([b"", V4[:48], V5[:54], V4[:700]]))
def test_any_bytes_give_a_quote_or_a_format_error(data: bytes, version: bytes) -> None:
    try:
        quote = parse_quote(version + data)
    except FormatError:
        return
    assert (version + data).startswith(quote.signed)
