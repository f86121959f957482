# SPDX-License-Identifier: Apache-2.0
"""The table of GUIDs at the end of an image, and everything about it that is refused."""

import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import FormatError
from attest.ovmf import FIRMWARE_MAX_BYTES, PAGE_BYTES, TABLE_MAX_BYTES, Entry, parse_ovmf
from tests.attest import ovmf

OTHER = UUID("11111111-2222-3333-4444-555555555555")


def broken(image: bytes) -> str:
    """What is wrong with an image."""
    with pytest.raises(FormatError) as caught:
        parse_ovmf(image)
    return caught.value.problem


def test_every_entry_is_found_behind_the_others() -> None:
    image = ovmf.image(ovmf.entry(OTHER, b"abc"), ovmf.entry(ovmf.RESET_BLOCK, b"\4\0\0\0"))
    parsed = parse_ovmf(image)
    assert parsed.table == {OTHER: b"abc", ovmf.RESET_BLOCK: b"\4\0\0\0"}
    assert parsed.words(Entry.SEV_ES_RESET_BLOCK, 1) == (4,)
    assert parsed.words(Entry.SEV_HASH_TABLE, 2) is None
    assert parsed.place(Entry.SEV_METADATA, 16) is None


def test_an_image_is_never_shown() -> None:
    assert repr(parse_ovmf(ovmf.image())) == "Ovmf(table={})"


@pytest.mark.parametrize("size", [0, 1, PAGE_BYTES - 1, PAGE_BYTES + 1])
def test_an_image_is_of_whole_pages(size: int) -> None:
    assert "wanted whole pages" in broken(bytes(size))


def test_an_image_may_be_as_long_as_the_limit() -> None:
    assert parse_ovmf(ovmf.image(size=FIRMWARE_MAX_BYTES)).table == {}


def test_an_image_has_a_limit() -> None:
    assert "at most" in broken(bytes(FIRMWARE_MAX_BYTES + PAGE_BYTES))


def test_an_image_without_a_table_is_refused() -> None:
    assert broken(bytes(PAGE_BYTES)) == "there is none"


@pytest.mark.parametrize("size", [17, 4097])
def test_a_table_has_a_size_that_is_possible(size: int) -> None:
    image = bytearray(ovmf.image())
    struct.pack_into("<H", image, len(image) - 50, size)
    assert broken(bytes(image)) == f"a table of {size} bytes"


def test_a_table_may_be_as_long_as_the_limit() -> None:
    data = bytes(TABLE_MAX_BYTES - 2 * 18)
    assert parse_ovmf(ovmf.image(ovmf.entry(OTHER, data))).table == {OTHER: data}


def test_a_table_may_begin_with_its_image() -> None:
    data = bytes(PAGE_BYTES - 32 - 2 * 18)
    image = ovmf.image(ovmf.entry(OTHER, data), size=PAGE_BYTES)
    assert parse_ovmf(image).table == {OTHER: data}


def test_an_entry_may_hold_nothing() -> None:
    assert parse_ovmf(ovmf.image(ovmf.entry(OTHER, b""))).table == {OTHER: b""}


def test_a_table_lies_in_its_image() -> None:
    image = bytearray(ovmf.image(size=PAGE_BYTES))
    struct.pack_into("<H", image, len(image) - 50, 4080)
    assert broken(bytes(image)) == "a table of 4080 bytes"


def test_nothing_is_left_over_in_a_table() -> None:
    image = bytearray(ovmf.image(ovmf.entry(OTHER, b"")))
    struct.pack_into("<H", image, len(image) - 50, 18 + 18 + 3)
    assert broken(bytes(image)) == "an entry of 0 bytes, 3 are left"


@pytest.mark.parametrize("size", [0, 17, 22])
def test_an_entry_has_a_size_that_is_possible(size: int) -> None:
    entry = bytearray(ovmf.entry(OTHER, b"abc"))
    struct.pack_into("<H", entry, len(entry) - 18, size)
    assert broken(ovmf.image(bytes(entry))) == f"an entry of {size} bytes, 21 are left"


def test_no_guid_stands_twice() -> None:
    twice = ovmf.image(ovmf.entry(OTHER, b"a"), ovmf.entry(OTHER, b"b"))
    assert broken(twice) == f"{OTHER} stands twice"


def test_an_entry_has_the_length_that_its_reader_wants() -> None:
    parsed = parse_ovmf(ovmf.image(ovmf.entry(ovmf.RESET_BLOCK, bytes(5))))
    with pytest.raises(FormatError, match="wanted 4 bytes, got 5"):
        parsed.words(Entry.SEV_ES_RESET_BLOCK, 1)


@pytest.mark.parametrize("offset", [0, 0x400, 2 * PAGE_BYTES - 16])
def test_a_pointer_counts_from_the_end(offset: int) -> None:
    parsed = parse_ovmf(ovmf.image(ovmf.pointer(ovmf.SEV_METADATA, offset)))
    assert parsed.place(Entry.SEV_METADATA, 16) == offset


@pytest.mark.parametrize("distance", [15, 2 * PAGE_BYTES + 1])
def test_a_pointer_stays_in_the_image(distance: int) -> None:
    entry = ovmf.entry(ovmf.SEV_METADATA, struct.pack("<I", distance))
    with pytest.raises(FormatError, match=f"points {distance} bytes before the end"):
        parse_ovmf(ovmf.image(entry)).place(Entry.SEV_METADATA, 16)


@given(st.binary(max_size=200), st.sampled_from([0, 1]))
def test_any_ending_gives_a_table_or_a_format_error(ending: bytes, footer: int) -> None:
    if footer:
        ending += struct.pack("<H", len(ending) + 18) + ovmf.FOOTER.bytes_le + bytes(32)
    try:
        assert parse_ovmf(ending.rjust(PAGE_BYTES, b"\0")).image
    except FormatError as error:
        assert error.problem
