# SPDX-License-Identifier: Apache-2.0
"""A TDVF image's metadata: the sections that the VMM puts into a guest's memory.

Specification: Intel TDX Virtual Firmware Design Guide §11. What QEMU's `tdvf_parse_metadata`
refuses is refused here, and so is each section type that it does not know.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from attest.errors import FormatError, UnsupportedError
from attest.ovmf import PAGE_BYTES, Entry, Ovmf, parse_ovmf

SECTIONS_MAX = 64
SECTIONS_MAX_BYTES = 64 * 1024 * 1024

_HEADER = struct.Struct("<4sIII")
_SECTION = struct.Struct("<IIQQII")
_WHAT = "TDVF metadata"


class SectionType(IntEnum):
    """What a section holds; any other number is refused."""

    BFV = 0  # boot firmware volume: the code
    CFV = 1  # configuration firmware volume: the variables
    TD_HOB = 2  # where the VMM writes what memory there is
    TEMP_MEM = 3


class Attribute(IntFlag):
    """How a section's pages come into the guest."""

    MR_EXTEND = 1  # their content goes into MRTD
    PAGE_AUG = 2  # they are added after the launch, and not measured


@dataclass(frozen=True, slots=True)
class Section:
    """Pages at a guest physical address: ``data`` from the image, zeros up to ``size`` bytes."""

    kind: SectionType
    gpa: int
    size: int
    attributes: Attribute
    data: bytes = field(repr=False)


def parse_tdvf(image: bytes) -> tuple[Section, ...]:
    """The sections of a firmware image, in the order of its metadata.

    Raises:
        UnsupportedError: metadata of a version, a section type or an attribute not modelled.
        FormatError: any other departure from the layout, or no TDX metadata at all.
    """
    ovmf = parse_ovmf(image)
    start = ovmf.place(Entry.TDX_METADATA, _HEADER.size)
    if start is None:
        raise FormatError(_WHAT, None, "the firmware has none: it is not built for TDX")
    signature, size, version, count = _HEADER.unpack_from(image, start)
    if signature != b"TDVF":
        raise FormatError(_WHAT, start, "wanted the signature TDVF")
    if version != 1:
        raise UnsupportedError(_WHAT, start + 8, f"wanted version 1, got {version}")
    end = start + _HEADER.size + _SECTION.size * count
    if count > SECTIONS_MAX or size != end - start or end > len(image):
        raise FormatError(_WHAT, start + 4, f"{count} sections in {size} bytes")
    places = range(start + _HEADER.size, end, _SECTION.size)
    sections = tuple(_section(ovmf, at) for at in places)
    if sum(section.size for section in sections) > SECTIONS_MAX_BYTES:
        raise FormatError(_WHAT, start, f"wanted {SECTIONS_MAX_BYTES} bytes of memory at most")
    return sections


def _section(ovmf: Ovmf, at: int) -> Section:
    offset, raw, gpa, size, kind, attributes = _SECTION.unpack_from(ovmf.image, at)
    if kind not in list(SectionType):
        raise UnsupportedError(_WHAT, at + 24, f"a section of type {kind} is not modelled")
    if attributes & ~int(Attribute.MR_EXTEND | Attribute.PAGE_AUG):
        raise UnsupportedError(_WHAT, at + 28, f"attributes 0x{attributes:x} are not modelled")
    if attributes == Attribute.MR_EXTEND | Attribute.PAGE_AUG:
        raise FormatError(_WHAT, at + 28, "a page added later cannot be measured at the launch")
    name = SectionType(kind).name
    if gpa % PAGE_BYTES or size % PAGE_BYTES or gpa + size > 1 << 64:
        raise FormatError(_WHAT, at + 8, f"{name} is not of whole pages")
    if raw > size or offset + raw > len(ovmf.image):
        raise FormatError(_WHAT, at, f"the data of {name} do not fit")
    if (raw > 0) is not (kind in {SectionType.BFV, SectionType.CFV}):
        raise FormatError(_WHAT, at + 4, f"{name} with {raw} bytes of data")
    data = ovmf.image[offset : offset + raw]
    return Section(SectionType(kind), gpa, size, Attribute(attributes), data)
