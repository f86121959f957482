# SPDX-License-Identifier: Apache-2.0
"""Layouts and readers: the two tools that all binary formats are read with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest

from attest import FormatError
from attest.layout import U8, U32, U64, Raw, Span, decode, uncovered
from attest.reader import Reader


@dataclass(frozen=True, slots=True)
class Small:
    one: Annotated[int, U8(0)]
    four: Annotated[int, U32(2)]
    raw: Annotated[bytes, Raw(6, 2)]

    SIZE: ClassVar[int] = 8
    RESERVED: ClassVar[tuple[Span, ...]] = (Span(1, 2),)


@dataclass(frozen=True, slots=True)
class Overlapping(Small):
    eight: Annotated[int, U64(4)]

    SIZE: ClassVar[int] = 14
    RESERVED: ClassVar[tuple[Span, ...]] = ()


def test_a_layout_is_read_little_endian() -> None:
    small = decode(Small, bytes.fromhex("0500010200007f80"))
    assert small == Small(one=5, four=0x201, raw=b"\x7f\x80")


@pytest.mark.parametrize("size", [0, 7, 9])
def test_a_layout_has_one_size(size: int) -> None:
    with pytest.raises(FormatError, match=f"wanted 8 bytes, got {size}"):
        decode(Small, bytes(size))


def test_reserved_bytes_are_zero() -> None:
    with pytest.raises(FormatError) as caught:
        decode(Small, bytes.fromhex("0501010200007f80"))
    assert (caught.value.what, caught.value.offset) == ("Small", 1)


def test_gaps_and_overlaps_are_found() -> None:
    assert uncovered(Small) == []
    assert uncovered(Overlapping) == [1, 4, 5, 6, 7, 12, 13]


def test_a_field_beyond_the_end_is_found() -> None:
    class Short(Small):
        SIZE: ClassVar[int] = 7

    assert uncovered(Short) == [7]


def test_a_reader_is_read_to_its_end() -> None:
    with Reader("test", b"\x01\x00\x00\x00ab") as reader:
        assert (reader.u32(), reader.left, reader.take(2)) == (1, 2, b"ab")
    with (
        pytest.raises(FormatError, match="1 bytes left over at byte 0x11"),
        Reader("test", b"ab", base=16) as reader,
    ):
        reader.take(1)


def test_a_reader_does_not_read_past_its_end() -> None:
    with (
        pytest.raises(FormatError, match="2 bytes missing at byte 0x0"),
        Reader("test", b"ab") as reader,
    ):
        reader.u32()


def test_an_error_inside_is_not_hidden_by_what_is_left() -> None:
    with pytest.raises(KeyError), Reader("test", b"ab"):
        raise KeyError
