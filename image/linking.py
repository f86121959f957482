# SPDX-License-Identifier: Apache-2.0
"""What the dynamic linker reads of an ELF file: its name, what it needs, and where to look.

It is read as the linker reads it, through the segments, not the sections (`image.elf` reads those).
Only what the image has is accepted: 64-bit little-endian files for x86-64. Spec: System V ABI,
"Program Header" and "Dynamic Section"; x86-64 psABI.
"""

import struct
from dataclasses import dataclass
from typing import Final

from image.elf import ElfError

IDENT: Final = b"\x7fELF\x02\x01\x01"  # 64-bit, little-endian, version 1
EM_X86_64: Final = 62
PT_LOAD: Final = 1
PT_DYNAMIC: Final = 2
PT_INTERP: Final = 3
DT_NULL: Final = 0
DT_NEEDED: Final = 1
DT_STRTAB: Final = 5
DT_SONAME: Final = 14
DT_RPATH: Final = 15
DT_RUNPATH: Final = 29
SEGMENTS_MAX_ITEMS: Final = 64
TAGS_MAX_ITEMS: Final = 512
NAME_MAX_BYTES: Final = 4096

_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT: Final = struct.Struct("<IIQQQQQQ")
_TAG: Final = struct.Struct("<qQ")


@dataclass(frozen=True, slots=True)
class Linking:
    """The program that loads the file ("" for a library), its own name, and what it asks for."""

    interpreter: str
    soname: str
    needed: tuple[str, ...]
    search: tuple[str, ...]


def is_elf(data: bytes) -> bool:
    """Whether the file begins as an ELF file does."""
    return data[:4] == IDENT[:4]


def parse_linking(data: bytes) -> Linking:
    """Return what the linker reads; a file without a dynamic section needs nothing.

    Raises:
        ElfError: it is for another machine, or an offset in it leads outside.
    """
    try:
        return _parse(data)
    except (struct.error, OverflowError, ValueError) as error:
        raise ElfError(f"elf: wanted offsets inside {len(data)} bytes, got {error}") from error


def _parse(data: bytes) -> Linking:
    header = _HEADER.unpack_from(data)
    if header[0][: len(IDENT)] != IDENT or header[2] != EM_X86_64:
        raise ElfError(f"elf: wanted a 64-bit file for x86-64, got {data[:20].hex()}")
    at, size, count = header[5], header[9], header[10]
    if size != _SEGMENT.size or count > SEGMENTS_MAX_ITEMS:
        raise ElfError(f"elf: wanted at most {SEGMENTS_MAX_ITEMS} segments, got {count} of {size}")
    segments = [_SEGMENT.unpack_from(data, at + index * size) for index in range(count)]
    loads = [row for row in segments if row[0] == PT_LOAD]
    interpreters = [_name(data, row[2]) for row in segments if row[0] == PT_INTERP]
    tags = [tag for row in segments if row[0] == PT_DYNAMIC for tag in _tags(data, row[2], row[5])]
    tables = [_offset(loads, value) for tag, value in tags if tag == DT_STRTAB]
    if len(tables) != bool(tags):
        raise ElfError(f"elf: wanted one table of names, got {len(tables)}")

    def names(*wanted: int) -> tuple[str, ...]:
        return tuple(_name(data, tables[0] + value) for tag, value in tags if tag in wanted)

    search = tuple(part for value in names(DT_RPATH, DT_RUNPATH) for part in value.split(":"))
    return Linking("".join(interpreters), "".join(names(DT_SONAME)), names(DT_NEEDED), search)


def _tags(data: bytes, at: int, size: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for index in range(min(size // _TAG.size, TAGS_MAX_ITEMS)):
        tag, value = _TAG.unpack_from(data, at + index * _TAG.size)
        if tag == DT_NULL:
            return found
        found.append((tag, value))
    raise ElfError(f"elf: wanted the dynamic section's end within {TAGS_MAX_ITEMS} tags")


def _offset(loads: list[tuple[int, ...]], address: int) -> int:
    for _, _, offset, begin, _, in_file, _, _ in loads:
        if begin <= address < begin + in_file:
            return offset + address - begin
    raise ElfError(f"elf: wanted {address:#x} in a segment of the file, got none")


def _name(data: bytes, at: int) -> str:
    end = data.index(b"\0", at, at + NAME_MAX_BYTES)
    return data[at:end].decode("ascii")
