# SPDX-License-Identifier: Apache-2.0
"""Strict DER: one spelling of each value, and every byte read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.der import OCTET_STRING, Der, Element, explicit
from lab.mocktsm.der import bits, element, integer, oid, sequence, utc_time

Read = Callable[[Der, Element], Any]


def read(verb: Read, data: bytes) -> Any:
    reader = Der("test", data)
    return verb(reader, reader.whole())


def octets(reader: Der, element: Element) -> bytes:
    return reader.value(element, OCTET_STRING)


def problem(verb: Read, text: str) -> str:
    with pytest.raises(FormatError) as caught:
        read(verb, bytes.fromhex(text))
    return caught.value.problem


@pytest.mark.parametrize("size", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x1234])
def test_a_length_has_one_spelling(size: int) -> None:
    data = element(OCTET_STRING, bytes(size))
    reader = Der("test", data)
    assert reader.whole() == (OCTET_STRING, 0, len(data) - size, len(data))
    assert reader.value(reader.whole(), OCTET_STRING) == bytes(size)
    assert reader.raw(reader.whole(), OCTET_STRING) == data


@pytest.mark.parametrize(
    "text",
    ["0480", "048101aa", "04820001aa", "0485000000000100", "048500000001aa", "04ff" + "01" * 127],
)
def test_other_lengths_are_refused(text: str) -> None:
    assert problem(octets, text) == "length is not minimal and definite"


@pytest.mark.parametrize("text", ["", "04", "0402aa", "0502aaaa", "24820001"])
def test_what_is_cut_off_or_of_another_tag_is_refused(text: str) -> None:
    problem(octets, text)


@pytest.mark.parametrize("verb", [Der.raw, Der.inside])
def test_a_verb_takes_no_other_tag(verb: Read) -> None:
    assert problem(verb, "310102") == "wanted tag 0x30, got 0x31"


def test_bytes_after_an_element_are_refused() -> None:
    assert problem(Der.integer, "02010500") == "length is missing"
    assert problem(Der.integer, "0201050500") == "wanted one element, got 2"


@pytest.mark.parametrize("text", ["3001ff", "30020201", "3003020202", "3004300302010105"])
def test_elements_fill_the_one_around_them(text: str) -> None:
    problem(lambda reader, e: [reader.inside(part) for part in reader.inside(e)], text)


def test_fields_are_counted() -> None:
    two = sequence(integer(1), integer(2)).hex()
    assert problem(lambda reader, e: reader.fields(e, 3), two) == "wanted 3 elements in it, got 2"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3003020101", "wanted a SEQUENCE, got tag 0x02"),
        ("30023000", "0 elements in it"),
        ("300b3009020101020101020101", "3 elements in it"),
    ],
)
def test_rows_are_sequences_and_counted(text: str, told: str) -> None:
    assert problem(lambda reader, e: reader.rows(e, 1, 2), text) == told


@pytest.mark.parametrize("value", [0, 1, 0x7F, 0x80, 0xFF, 0x8000, 2**159])
def test_integers_are_read(value: int) -> None:
    assert read(Der.integer, integer(value)) == value


@pytest.mark.parametrize("text", ["0200", "020180", "02020001", "0202007f", "0201ff"])
def test_integers_are_minimal_and_not_negative(text: str) -> None:
    assert "INTEGER" in problem(Der.integer, text)


@pytest.mark.parametrize("text", ["010100", "010101", "0100", "0102ffff"])
def test_a_boolean_that_is_written_is_true(text: str) -> None:
    assert read(Der.true, bytes.fromhex("0101ff")) is True
    problem(Der.true, text)


@pytest.mark.parametrize("text", ["0300", "030101", "030207f0"])
def test_a_bit_string_has_whole_bytes(text: str) -> None:
    assert read(Der.bits, bits(b"ab")) == b"ab"
    assert "BIT STRING" in problem(Der.bits, text)


@pytest.mark.parametrize(
    "dotted",
    ["2.5.4.3", "1.3.16384", "1.3.6.1.4.1.3704.1.3.9", "0.39", "2.999.1", "1.2.840.113549.1.1.10"],
)
def test_object_identifiers_are_read(dotted: str) -> None:
    assert read(Der.oid, oid(dotted)) == dotted


@pytest.mark.parametrize(
    "text", ["0600", "060180", "060181", "0602802a", "06022a80", "06022a81", "06032a8001"]
)
def test_object_identifiers_are_minimal_and_whole(text: str) -> None:
    problem(Der.oid, text)


@pytest.mark.parametrize(
    ("tag", "text", "year"),
    [
        (0x17, "490101000000Z", 2049),
        (0x17, "500101000000Z", 1950),
        (0x17, "690101000000Z", 1969),
        (0x17, "991231235959Z", 1999),
        (0x18, "20500101000000Z", 2050),
        (0x18, "99991231235959Z", 9999),
    ],
)
def test_times_are_read(tag: int, text: str, year: int) -> None:
    assert read(Der.time, element(tag, text.encode())).year == year


def test_a_time_reads_back_as_written() -> None:
    moment = datetime(2026, 2, 28, 23, 59, 58, tzinfo=UTC)
    assert read(Der.time, utc_time(moment)) == moment


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (0x17, "2601010000Z"),
        (0x17, "260101000000+0000"),
        (0x17, "260101000000"),
        (0x17, "261301000000Z"),
        (0x17, "260230000000Z"),
        (0x17, " 60101000000Z"),
        (0x17, "\uff1260101000000Z"),
        (0x18, "20490101000000Z"),
        (0x18, "20500101000000.0Z"),
        (0x02, "260101000000Z"),
    ],
)
def test_other_times_are_refused(tag: int, text: str) -> None:
    problem(Der.time, element(tag, text.encode()).hex())


def test_an_error_names_the_place_in_the_whole_input() -> None:
    data = sequence(integer(1), element(explicit(0), b"\x05\x00"))
    reader = Der("test", data)
    _, wrapper = reader.fields(reader.whole(), 2)
    (inner,) = reader.fields(wrapper, 1, explicit(0))
    with pytest.raises(FormatError) as caught:
        reader.integer(inner)
    assert caught.value.offset == data.index(b"\x05\x00")


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_format_error(data: bytes) -> None:
    for verb in (Der.integer, Der.oid, Der.time, Der.bits, Der.inside, Der.true):
        try:
            read(verb, data)
        except FormatError as error:
            assert error.what == "test"
