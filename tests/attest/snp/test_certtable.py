# SPDX-License-Identifier: Apache-2.0
"""The host's certificate table: a hint, read strictly."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.snp.certtable import (
    ARK_GUID,
    ASK_GUID,
    CRL_GUID,
    ENTRIES_MAX,
    TABLE_MAX_BYTES,
    VCEK_GUID,
    VLEK_GUID,
    parse_certificate_table,
    vek_for,
)
from attest.snp.key_kind import KeyKind
from lab.mocktsm import MockSnp
from lab.mocktsm.sev_guest import certificate_table, encode_table

EXTRA = UUID("ecae0c0f-9502-43b1-afa2-0ae2e0d565b6")
END = bytes(24)


def entry(guid: UUID, offset: int, size: int) -> bytes:
    return guid.bytes + struct.pack("<II", offset, size)


def test_no_bytes_are_a_table_without_certificates() -> None:
    table = parse_certificate_table(b"")
    assert (table.vcek, table.vlek, table.ask, table.ark, table.unknown) == (*[None] * 4, ())


def test_each_certificate_is_found_by_its_guid() -> None:
    data = encode_table(
        {VCEK_GUID: b"vcek", VLEK_GUID: b"vlek", ASK_GUID: b"ask", ARK_GUID: b"ark", EXTRA: b"x"}
    )
    table = parse_certificate_table(data)
    assert (table.vcek, table.vlek, table.ask, table.ark) == (b"vcek", b"vlek", b"ask", b"ark")
    assert parse_certificate_table(encode_table({CRL_GUID: b"crl"})).crl == b"crl"
    assert table.unknown == (str(EXTRA),)


@pytest.mark.parametrize("kind", list(KeyKind))
def test_the_report_says_which_key_signed_it(kind: KeyKind) -> None:
    chip = MockSnp(kind=kind)
    table = parse_certificate_table(certificate_table(chip, chip.certificate))
    assert vek_for(chip.report(bytes(64)), table) == chip.certificate


def test_a_certificate_of_another_kind_is_not_taken_for_it() -> None:
    vlek = MockSnp(kind=KeyKind.VLEK)
    table = parse_certificate_table(certificate_table(vlek, vlek.certificate))
    assert vek_for(MockSnp().report(bytes(64)), table) is None


def test_an_unsigned_report_has_no_certificate() -> None:
    chip = MockSnp()
    table = parse_certificate_table(certificate_table(chip, chip.certificate))
    assert vek_for(chip.report(bytes(64), flags=7 << 2), table) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (entry(VCEK_GUID, 24, 0), "missing"),
        (END[:-1], "missing"),
        (entry(VCEK_GUID, 48, 1) + END, "not in the certificates' part"),
        (entry(VCEK_GUID, 47, 1) + END + b"x", "not in the certificates' part"),
        (entry(VCEK_GUID, 2**32 - 1, 2**32 - 1) + END + b"x", "not in the certificates' part"),
        (entry(VCEK_GUID, 72, 1) + entry(VCEK_GUID, 72, 1) + END + b"x", "stands twice"),
        (entry(UUID(int=0), 1, 0) + END, "not all zero"),
        (entry(UUID(int=0), 0, 1) + END, "not all zero"),
        (b"".join(entry(UUID(int=n + 1), 0, 0) for n in range(ENTRIES_MAX + 1)), "more than"),
        (bytes(TABLE_MAX_BYTES + 1), "at most"),
    ],
)
def test_a_table_that_is_not_one_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parse_certificate_table(data)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_table_or_a_format_error(data: bytes) -> None:
    try:
        table = parse_certificate_table(data)
    except FormatError as error:
        assert error.what == "certificate table"
    else:
        assert all(guid != str(UUID(int=0)) for guid in table.unknown)
