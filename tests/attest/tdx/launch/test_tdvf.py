# SPDX-License-Identifier: Apache-2.0
"""TDVF metadata and MRTD: the published value, both orders of pages, and what is refused."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import FormatError, UnsupportedError
from attest.tdx.launch.mrtd import PageOrder, mrtd
from attest.tdx.launch.tdvf import (
    SECTIONS_MAX,
    SECTIONS_MAX_BYTES,
    Attribute,
    SectionType,
    parse_tdvf,
)
from tests.attest import ovmf

BFV = ovmf.TDVF_SECTIONS[0]
CLEAN_EXAMPLE = {
    PageOrder.BY_PAGE: "6e540be4917f24f74cc3292b59803d06dc7c38eb4a3c1fd6"
    "be9c735ba74bb7a23e25f98da94779d17508b243e4fb582b",
    PageOrder.BY_SECTION: "e9f135ce5bcbb476142fc01fe5f4e6e674562a1593d8780f"
    "1109526a69c38affce8f941187a21133ed62f65e7017783c",
}


def broken(image: bytes, error: type[FormatError] = FormatError) -> str:
    """What is wrong with a firmware."""
    with pytest.raises(error) as caught:
        parse_tdvf(image)
    return caught.value.problem


def with_section(*changes: int | None) -> bytes:
    """A firmware with one section, some of whose six numbers are changed."""
    section = (old if new is None else new for old, new in zip(BFV, changes, strict=True))
    return ovmf.tdx((tuple(section),))  # type: ignore[arg-type]  # six numbers, as BFV has


@pytest.mark.parametrize("order", PageOrder)
def test_the_clean_example_has_its_mrtd(order: PageOrder) -> None:
    assert mrtd(parse_tdvf(ovmf.clean_example()), order).hex() == CLEAN_EXAMPLE[order]


def test_sections_are_read_in_their_order() -> None:
    image = ovmf.tdx()
    sections = parse_tdvf(image)
    assert [section.kind for section in sections] == list(SectionType)
    assert sections[0].data == image[0x1000:]
    assert (sections[1].data, sections[1].size) == (image[:0x800], 0x1000)
    assert (sections[3].gpa, sections[3].attributes) == (0x80B000, Attribute.PAGE_AUG)


def test_a_section_may_end_with_the_address_space() -> None:
    (section,) = parse_tdvf(with_section(None, None, (1 << 64) - 0x1000, None, None, None))
    assert section.gpa + section.size == 1 << 64


def test_there_may_be_as_many_sections_as_the_limit() -> None:
    rows = tuple((0, 0, 0x800000 + 0x1000 * at, 0x1000, 3, 0) for at in range(SECTIONS_MAX))
    assert len(parse_tdvf(ovmf.tdx(rows))) == SECTIONS_MAX


def test_sections_may_ask_for_as_much_memory_as_the_limit() -> None:
    (section,) = parse_tdvf(ovmf.tdx(((0, 0, 0x800000, SECTIONS_MAX_BYTES, 3, 0),)))
    assert section.size == SECTIONS_MAX_BYTES


def test_mrtd_is_a_hash_over_each_call_of_the_vmm() -> None:
    sections = parse_tdvf(ovmf.tdx())
    image = ovmf.tdx()

    def record(name: bytes, gpa: int) -> bytes:
        return name + bytes(16 - len(name)) + struct.pack("<Q", gpa) + bytes(104)

    calls = [record(b"MEM.PAGE.ADD", 0xFFFFF000)]
    for at in range(0, 0x1000, 0x100):
        calls += [record(b"MR.EXTEND", 0xFFFFF000 + at), image[0x1000 + at : 0x1100 + at]]
    calls += [record(b"MEM.PAGE.ADD", gpa) for gpa in (0xFFFFE000, 0x809000, 0x80A000)]
    assert mrtd(sections, PageOrder.BY_PAGE) == hashlib.sha384(b"".join(calls)).digest()


def test_the_order_of_calls_matters_from_two_pages_on() -> None:
    one = parse_tdvf(with_section(*[None] * 6))
    two = parse_tdvf(with_section(0, 0x2000, None, 0x2000, None, None))
    assert mrtd(one, PageOrder.BY_PAGE) == mrtd(one, PageOrder.BY_SECTION)
    assert mrtd(two, PageOrder.BY_PAGE) != mrtd(two, PageOrder.BY_SECTION)


def test_data_are_filled_up_with_zeros() -> None:
    short = parse_tdvf(with_section(0x1000, 0x10, None, None, None, None))
    assert short[0].data == ovmf.tdx()[0x1000:0x1010]
    assert mrtd(short, PageOrder.BY_PAGE) != mrtd(parse_tdvf(ovmf.tdx()), PageOrder.BY_PAGE)


def test_variables_are_not_in_mrtd() -> None:
    image = bytearray(ovmf.tdx())
    image[0x10] ^= 1
    for order in PageOrder:
        assert mrtd(parse_tdvf(bytes(image)), order) == mrtd(parse_tdvf(ovmf.tdx()), order)


def test_firmware_without_metadata_is_refused() -> None:
    assert broken(ovmf.snp()) == "the firmware has none: it is not built for TDX"


def test_metadata_has_its_signature() -> None:
    metadata = b"FVDT" + ovmf.tdvf_metadata((BFV,))[4:]
    assert broken(ovmf.tdx(metadata=metadata)) == "wanted the signature TDVF"


def test_metadata_of_another_version_is_refused_by_name() -> None:
    metadata = bytearray(ovmf.tdvf_metadata((BFV,)))
    metadata[8] = 2
    assert broken(ovmf.tdx(metadata=bytes(metadata)), UnsupportedError) == (
        "wanted version 1, got 2"
    )


def test_metadata_has_the_size_of_its_sections() -> None:
    metadata = bytearray(ovmf.tdvf_metadata((BFV,)))
    metadata[4] += 1
    assert broken(ovmf.tdx(metadata=bytes(metadata))) == "1 sections in 49 bytes"


def test_there_are_not_too_many_sections() -> None:
    many = (ovmf.TDVF_SECTIONS[2],) * (SECTIONS_MAX + 1)
    assert broken(ovmf.tdx(many)) == f"{SECTIONS_MAX + 1} sections in 2096 bytes"


def test_sections_lie_in_the_image() -> None:
    at = 2 * ovmf.PAGE - 16
    image = bytearray(ovmf.image(ovmf.pointer(ovmf.TDX_METADATA, at)))
    image[at:] = struct.pack("<4sIII", b"TDVF", 48, 1, 1)
    assert broken(bytes(image)) == "1 sections in 48 bytes"


@pytest.mark.parametrize("kind", [4, 5, 6, 7, 8])
def test_a_section_of_another_type_is_refused_by_name(kind: int) -> None:
    assert broken(with_section(None, None, None, None, kind, None), UnsupportedError) == (
        f"a section of type {kind} is not modelled"
    )


def test_an_unknown_attribute_is_refused_by_name() -> None:
    assert broken(with_section(None, None, None, None, None, 5), UnsupportedError) == (
        "attributes 0x5 are not modelled"
    )


def test_what_is_added_later_is_not_measured() -> None:
    assert broken(with_section(None, None, None, None, None, 3)) == (
        "a page added later cannot be measured at the launch"
    )


@pytest.mark.parametrize(
    ("gpa", "size"), [(0xFFFFF001, None), (None, 0x1001), ((1 << 64) - 0x1000, 0x2000)]
)
def test_a_section_is_of_whole_pages(gpa: int | None, size: int | None) -> None:
    assert broken(with_section(None, None, gpa, size, None, None)) == "BFV is not of whole pages"


@pytest.mark.parametrize(("offset", "raw", "size"), [(0, 0x1001, 0x1000), (0x1001, 0x1000, None)])
def test_data_fit_into_the_image_and_into_memory(offset: int, raw: int, size: int | None) -> None:
    image = with_section(offset, raw, None, size, None, None)
    assert broken(image) == "the data of BFV do not fit"


@pytest.mark.parametrize(
    ("kind", "raw", "name"), [(0, 0, "BFV"), (1, 0, "CFV"), (2, 1, "TD_HOB"), (3, 1, "TEMP_MEM")]
)
def test_a_volume_has_data_and_memory_has_none(kind: int, raw: int, name: str) -> None:
    image = with_section(None, raw, None, None, kind, 0)
    assert broken(image) == f"{name} with {raw} bytes of data"


def test_the_memory_that_is_asked_for_has_a_limit() -> None:
    image = with_section(None, None, 0, SECTIONS_MAX_BYTES + 0x1000, None, None)
    assert broken(image) == f"wanted {SECTIONS_MAX_BYTES} bytes of memory at most"


@given(st.binary(max_size=160))
def test_any_metadata_give_sections_or_a_format_error(metadata: bytes) -> None:
    try:
        assert parse_tdvf(ovmf.tdx(metadata=b"TDVF" + metadata)) is not None
    except FormatError as error:
        assert error.problem
