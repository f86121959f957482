# SPDX-License-Identifier: Apache-2.0
"""SEV metadata: what is read of it, and each departure that is refused."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import FormatError, UnsupportedError
from attest.snp.launch.firmware import (
    SECTIONS_MAX,
    SECTIONS_MAX_BYTES,
    Section,
    SectionType,
    read_firmware,
)
from tests.attest import ovmf

ONE = ((0x800000, 0x1000, 1),)


def broken(image: bytes, error: type[FormatError] = FormatError) -> str:
    """What is wrong with a firmware."""
    with pytest.raises(error) as caught:
        read_firmware(image)
    return caught.value.problem


def test_what_a_launch_needs_is_read() -> None:
    image = ovmf.snp()
    firmware = read_firmware(image)
    assert firmware.sha256 == hashlib.sha256(image).digest()
    assert (firmware.reset_eip, firmware.hashes_gpa) == (ovmf.RESET_EIP, ovmf.HASHES_GPA)
    assert firmware.sections[0] == Section(0x800000, 0x2000, SectionType.SEC_MEM)
    assert [section.kind for section in firmware.sections[1:]] == [
        SectionType.SECRETS,
        SectionType.CPUID,
        SectionType.SVSM_CAA,
        SectionType.SEC_MEM,
        SectionType.KERNEL_HASHES,
    ]


def test_what_is_missing_or_zero_is_none() -> None:
    firmware = read_firmware(ovmf.snp(ONE, hashes_gpa=None, reset_eip=None))
    assert (firmware.reset_eip, firmware.hashes_gpa) == (None, None)
    firmware = read_firmware(ovmf.snp(ONE, hashes_gpa=0, reset_eip=0))
    assert (firmware.reset_eip, firmware.hashes_gpa) == (None, None)


def test_each_page_of_the_image_counts() -> None:
    first = bytearray(ovmf.snp())
    first[0] ^= 1
    assert read_firmware(bytes(first)).digest != read_firmware(ovmf.snp()).digest


def test_firmware_without_metadata_is_refused() -> None:
    assert broken(ovmf.image()) == "the firmware has none: it is not built for SEV-SNP"


def test_metadata_has_its_signature() -> None:
    assert broken(ovmf.snp(metadata=b"VESA" + ovmf.sev_metadata(ONE)[4:])) == (
        "wanted the signature ASEV"
    )


def test_metadata_of_another_version_is_refused_by_name() -> None:
    metadata = bytearray(ovmf.sev_metadata(ONE))
    metadata[8] = 2
    assert broken(ovmf.snp(metadata=bytes(metadata)), UnsupportedError) == (
        "wanted version 1, got 2"
    )


def test_a_section_of_another_type_is_refused_by_name() -> None:
    assert broken(ovmf.snp(((0x800000, 0x1000, 5),)), UnsupportedError) == (
        "a section of type 0x5 is not modelled"
    )


def test_metadata_has_the_size_of_its_sections() -> None:
    metadata = bytearray(ovmf.sev_metadata(ONE))
    metadata[4] += 1
    assert broken(ovmf.snp(metadata=bytes(metadata))) == "1 sections in 29 bytes"


def test_there_are_not_too_many_sections() -> None:
    many = ((0x800000, 0x1000, 1),) * (SECTIONS_MAX + 1)
    assert broken(ovmf.snp(many)) == f"{SECTIONS_MAX + 1} sections in 796 bytes"


def test_there_may_be_as_many_sections_as_the_limit() -> None:
    many = ((0x800000, 0x1000, 1),) * SECTIONS_MAX
    assert len(read_firmware(ovmf.snp(many)).sections) == SECTIONS_MAX


def test_sections_lie_in_the_image() -> None:
    at = 2 * ovmf.PAGE - 16
    image = bytearray(ovmf.image(ovmf.pointer(ovmf.SEV_METADATA, at)))
    image[at:] = struct.pack("<4sIII", b"ASEV", 28, 1, 1)
    assert broken(bytes(image)) == "1 sections in 28 bytes"


@pytest.mark.parametrize("section", [(0x800001, 0x1000, 1), (0x800000, 0x1001, 1)])
def test_a_section_is_of_whole_pages(section: tuple[int, int, int]) -> None:
    assert broken(ovmf.snp((section,))) == "sec-mem is not of whole pages"


@pytest.mark.parametrize(("kind", "name"), [(2, "secrets"), (3, "cpuid"), (16, "kernel-hashes")])
def test_a_page_for_one_purpose_is_one_page(kind: int, name: str) -> None:
    assert broken(ovmf.snp(((0x800000, 0x2000, kind),))) == f"wanted one page for {name}"


def test_a_section_of_no_bytes_asks_for_nothing() -> None:
    nothing = (0x80F000, 0, 4)
    assert read_firmware(ovmf.snp((*ONE, nothing))).sections[1].size == 0


def test_the_memory_that_is_asked_for_has_a_limit() -> None:
    much = ((0, SECTIONS_MAX_BYTES, 1), (0x800000, 0x1000, 1))
    assert broken(ovmf.snp(much)) == f"wanted {SECTIONS_MAX_BYTES} bytes of memory at most"


def test_as_much_memory_as_the_limit_may_be_asked_for() -> None:
    (section,) = read_firmware(ovmf.snp(((0, SECTIONS_MAX_BYTES, 1),))).sections
    assert section.size == SECTIONS_MAX_BYTES


def test_there_is_one_page_of_kernel_hashes() -> None:
    twice = ((0x810000, 0x1000, 16), (0x811000, 0x1000, 16))
    assert broken(ovmf.snp(twice)) == "kernel-hashes stands twice"


@given(st.binary(max_size=160))
def test_any_metadata_give_a_firmware_or_a_format_error(metadata: bytes) -> None:
    try:
        assert read_firmware(ovmf.snp(metadata=b"ASEV" + metadata)).sections is not None
    except FormatError as error:
        assert error.problem
