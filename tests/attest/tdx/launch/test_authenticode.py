# SPDX-License-Identifier: Apache-2.0
"""The Authenticode digest: what it covers, what it leaves out, and what it refuses to cover."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import FormatError, UnsupportedError
from attest.tdx.launch import authenticode as module
from attest.tdx.launch.authenticode import authenticode
from tests.attest.tdx.launch import pe

NO_CHECKSUM = slice(pe.CHECKSUM, pe.CHECKSUM + 4)


def broken(image: bytes, error: type[FormatError] = FormatError) -> str:
    """What is wrong with an image."""
    with pytest.raises(error) as caught:
        authenticode(image)
    return caught.value.problem


def changed(offset: int, value: int, form: str = "<I") -> bytes:
    """An image with one number changed."""
    image = bytearray(pe.mint())
    struct.pack_into(form, image, offset, value)
    return bytes(image)


@pytest.mark.parametrize("magic", pe.MAGIC)
def test_the_whole_file_but_its_checksum_and_its_signatures_is_hashed(magic: int) -> None:
    image = pe.mint(magic=magic, signatures=24, tail=16)
    covered = bytearray(image[:-24])
    directory = pe.directory(magic)
    del covered[directory : directory + 8]
    del covered[NO_CHECKSUM]
    assert authenticode(image) == hashlib.sha384(covered).digest()


def test_headers_may_end_with_the_rows_of_their_sections() -> None:
    ends = pe.TABLE + 40
    image = bytearray(pe.mint(((ends, 0x300 - ends),)))
    struct.pack_into("<I", image, pe.OPTIONAL + 60, ends)
    assert authenticode(bytes(image))


def test_an_image_may_be_all_headers() -> None:
    assert authenticode(pe.mint(()))


def test_signing_an_image_does_not_change_its_digest() -> None:
    assert authenticode(pe.mint(signatures=64)) == authenticode(pe.mint())


def test_the_checksum_does_not_matter() -> None:
    assert authenticode(changed(pe.CHECKSUM, 0)) == authenticode(pe.mint())


@pytest.mark.parametrize("offset", [0x30, pe.OPTIONAL + 40, 0x1FF, 0x200, 0x2FF, 0x300, 0x47F])
def test_each_other_byte_matters(offset: int) -> None:
    image = bytearray(pe.mint())
    image[offset] ^= 1
    assert authenticode(bytes(image)) != authenticode(pe.mint())


def test_sections_count_in_the_order_of_the_file() -> None:
    image = pe.mint(((0x300, 0x180), (0x200, 0x100)))
    covered = bytearray(image)
    del covered[pe.directory() : pe.directory() + 8]
    del covered[NO_CHECKSUM]
    assert authenticode(image) == hashlib.sha384(covered).digest()


def test_a_section_without_data_lies_nowhere() -> None:
    assert authenticode(pe.mint(((0x200, 0x100), (0, 0))))


@pytest.mark.parametrize(
    ("sections", "offset"),
    [
        (((0x208, 0x100),), 0x208),
        (((0x200, 0x100), (0x308, 0x100)), 0x308),
        (((0x200, 0x100), (0x2F8, 0x100)), 0x2F8),
        (((0x1F8, 0x100),), 0x1F8),
    ],
)
def test_gaps_and_overlaps_are_refused(sections: tuple[tuple[int, int], ...], offset: int) -> None:
    with pytest.raises(UnsupportedError, match="with a gap, an overlap") as caught:
        authenticode(pe.mint(sections))
    assert caught.value.offset == offset


def test_a_section_ends_in_the_file() -> None:
    image = pe.mint()[:-8]
    assert broken(image, UnsupportedError).startswith("sections with a gap, an overlap or an end")


def test_a_length_that_would_be_padded_is_refused() -> None:
    assert broken(pe.mint(tail=4), UnsupportedError) == "a length that is not a multiple of 8"


def test_signatures_are_the_end_of_the_file() -> None:
    image = pe.mint(signatures=24) + bytes(8)
    assert broken(image, UnsupportedError) == "signatures that are not the file's end"


def test_signatures_do_not_lie_over_sections() -> None:
    image = bytearray(pe.mint())
    struct.pack_into("<II", image, pe.directory(), len(image) - 8, 8)
    assert broken(bytes(image), UnsupportedError) == "signatures that are not the file's end"


@pytest.mark.parametrize("image", [b"", b"MZ", pe.mint()[: pe.PE + 20], changed(0x3C, 0xFFFFFFF0)])
def test_a_file_that_ends_in_its_headers_is_refused(image: bytes) -> None:
    assert broken(image) == "the image ends within its headers"


@pytest.mark.parametrize("offset", [0, pe.PE])
def test_both_signatures_are_wanted(offset: int) -> None:
    assert broken(changed(offset, 0, "<B")) == "wanted the signatures MZ and PE"


def test_another_kind_of_image_is_refused_by_name() -> None:
    assert broken(changed(pe.OPTIONAL, 0x107, "<H"), UnsupportedError) == (
        "wanted PE32 or PE32+, got 0x107"
    )


def test_an_image_without_a_place_for_signatures_is_refused() -> None:
    assert broken(pe.mint(directories=4), UnsupportedError) == "no directory of signatures"


def test_the_place_for_signatures_lies_in_the_optional_header() -> None:
    image = changed(pe.PE + 20, 112 + 4 * 8, "<H")
    assert broken(image, UnsupportedError) == "no directory of signatures"


@pytest.mark.parametrize("size", [pe.TABLE + 79, 0x481])
def test_the_headers_have_a_size_that_is_possible(size: int) -> None:
    assert broken(changed(pe.OPTIONAL + 60, size)) == f"2 sections and {size} bytes of headers"


def test_there_are_not_too_many_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECTIONS_MAX", 1)
    assert broken(pe.mint()) == "2 sections and 512 bytes of headers"


def test_an_image_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IMAGE_MAX_BYTES", 64)
    assert broken(bytes(65)) == "wanted at most 64 bytes"


@given(st.binary(max_size=64), st.integers(0, pe.HEADERS))
def test_any_headers_give_a_digest_or_a_format_error(noise: bytes, offset: int) -> None:
    image = bytearray(pe.mint(signatures=8))
    image[offset : offset + len(noise)] = noise
    try:
        assert len(authenticode(bytes(image))) == 48
    except FormatError as error:
        assert error.problem


@given(st.binary(max_size=300))
def test_any_bytes_give_a_digest_or_a_format_error(data: bytes) -> None:
    try:
        assert len(authenticode(b"MZ" + data)) == 48
    except FormatError as error:
        assert error.problem
