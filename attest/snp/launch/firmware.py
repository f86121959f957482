# SPDX-License-Identifier: Apache-2.0
"""An OVMF image as an SNP launch sees it: its pages, and the pages that it asks for.

The image ends at 4 GiB. Its SEV metadata lists what else is put into memory before the start.
Specification: edk2, OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm; the order of pages is QEMU's.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from attest.errors import FormatError, UnsupportedError
from attest.ovmf import PAGE_BYTES, Entry, Ovmf, parse_ovmf
from attest.scalars import Hex, Whole
from attest.snp.launch.pages import EMPTY, extend_normal

FOUR_GIB = 1 << 32
SECTIONS_MAX = 64
SECTIONS_MAX_BYTES = 64 * 1024 * 1024

_HEADER = struct.Struct("<4sIII")
_SECTION = struct.Struct("<III")
_WHAT = "SEV metadata"


class SectionType(StrEnum):
    """What OVMF asks for."""

    SEC_MEM = "sec-mem"
    SECRETS = "secrets"
    CPUID = "cpuid"
    SVSM_CAA = "svsm-caa"
    KERNEL_HASHES = "kernel-hashes"


# The numbers in the metadata; any other is refused.
SECTION_TYPES: dict[int, SectionType] = {
    1: SectionType.SEC_MEM,
    2: SectionType.SECRETS,
    3: SectionType.CPUID,
    4: SectionType.SVSM_CAA,
    0x10: SectionType.KERNEL_HASHES,
}
Address = Annotated[int, Whole(0, (1 << 32) - 1)]

_ONE_PAGE = frozenset({SectionType.SECRETS, SectionType.CPUID, SectionType.KERNEL_HASHES})


@dataclass(frozen=True, slots=True)
class Section:
    """Pages at a guest physical address, in bytes."""

    gpa: Address
    size: Address
    kind: SectionType


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """All of a firmware image that goes into a launch digest.

    Attributes:
        sha256: of the file; it names the build and is not itself measured.
        digest: launch digest after the image's pages.
        sections: in the order of the metadata.
        reset_eip: where vCPUs but the first start (SEV-ES reset block); None without that entry.
        hashes_gpa: where the table of kernel hashes goes; None when it has no place for one.
    """

    sha256: Annotated[bytes, Hex(32)]
    digest: Annotated[bytes, Hex(48)]
    sections: tuple[Section, ...]
    reset_eip: Address | None
    hashes_gpa: Address | None

    def __post_init__(self) -> None:
        check_sections(self.sections)


def read_firmware(image: bytes) -> Firmware:
    """What a launch measures of the whole firmware image.

    Raises:
        UnsupportedError: metadata of a version or a section of a type that is not modelled.
        FormatError: any other departure from the layout, or no SEV metadata at all.
    """
    ovmf = parse_ovmf(image)
    reset = ovmf.words(Entry.SEV_ES_RESET_BLOCK, 1)
    hashes = ovmf.words(Entry.SEV_HASH_TABLE, 2)
    return Firmware(
        sha256=hashlib.sha256(image).digest(),
        digest=extend_normal(EMPTY, FOUR_GIB - len(image), image),
        sections=_sections(ovmf),
        reset_eip=reset[0] if reset and reset[0] else None,
        hashes_gpa=hashes[0] if hashes and hashes[0] else None,
    )


def check_sections(sections: tuple[Section, ...]) -> None:
    """Check what the metadata asks for, before it costs time.

    Raises:
        FormatError: no whole pages, too much memory, or a second table of kernel hashes.
    """
    for section in sections:
        # Debian's build for TDX has an SVSM_CAA of no bytes at all: it asks for nothing.
        if section.gpa % PAGE_BYTES or section.size % PAGE_BYTES:
            raise FormatError(_WHAT, None, f"{section.kind} is not of whole pages")
        if section.kind in _ONE_PAGE and section.size != PAGE_BYTES:
            raise FormatError(_WHAT, None, f"wanted one page for {section.kind}")
    if sum(section.size for section in sections) > SECTIONS_MAX_BYTES:
        raise FormatError(_WHAT, None, f"wanted {SECTIONS_MAX_BYTES} bytes of memory at most")
    if sum(section.kind is SectionType.KERNEL_HASHES for section in sections) > 1:
        raise FormatError(_WHAT, None, "kernel-hashes stands twice")


def _sections(ovmf: Ovmf) -> tuple[Section, ...]:
    start = ovmf.place(Entry.SEV_METADATA, _HEADER.size)
    if start is None:
        raise FormatError(_WHAT, None, "the firmware has none: it is not built for SEV-SNP")
    signature, size, version, count = _HEADER.unpack_from(ovmf.image, start)
    if signature != b"ASEV":
        raise FormatError(_WHAT, start, "wanted the signature ASEV")
    if version != 1:
        raise UnsupportedError(_WHAT, start + 8, f"wanted version 1, got {version}")
    end = start + _HEADER.size + _SECTION.size * count
    if count > SECTIONS_MAX or size != end - start or end > len(ovmf.image):
        raise FormatError(_WHAT, start + 4, f"{count} sections in {size} bytes")
    sections = []
    for at in range(start + _HEADER.size, end, _SECTION.size):
        gpa, size, kind = _SECTION.unpack_from(ovmf.image, at)
        if kind not in SECTION_TYPES:
            raise UnsupportedError(_WHAT, at, f"a section of type 0x{kind:x} is not modelled")
        sections.append(Section(gpa, size, SECTION_TYPES[kind]))
    return tuple(sections)
