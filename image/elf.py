# SPDX-License-Identifier: Apache-2.0
"""Read what we need of an ELF file: its sections, and the libraries it asks for.

Only 64-bit little-endian files are read (System V gABI, "ELF Header", "Sections", "Dynamic
Section"). Every offset and count is checked against the file before it is used.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from image.errors import ImageError

ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
DYNAMIC_ENTRY = struct.Struct("<qQ")
MAGIC_64_LITTLE = b"\x7fELF\x02\x01\x01"
SHT_NOBITS = 8
DT_NULL, DT_NEEDED = 0, 1
SECTIONS_MAX_ITEMS = 4096
NAME_MAX_BYTES = 256


class ElfError(ImageError):
    """The bytes are not an ELF file that we read."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its name and the bytes of it that are in the file (none for .bss)."""

    name: str
    data: bytes


def _part(data: bytes, at: int, size: int, what: str) -> bytes:
    """Return `size` bytes at `at`, all of which must be there."""
    if at < 0 or size < 0 or at + size > len(data):
        raise ElfError(f"elf: wanted {size} bytes of {what} at {at}, got a file of {len(data)}")
    return data[at : at + size]


def _text(table: bytes, at: int) -> str:
    """Return the NUL-terminated name at `at` of a string table."""
    end = table.find(b"\0", at, at + NAME_MAX_BYTES)
    if not 0 <= at <= end:
        raise ElfError(f"elf: wanted a name at {at}, got none")
    return table[at:end].decode("ascii", "backslashreplace")


def parse_sections(data: bytes) -> list[Section]:
    """Return the sections in the order of the file's section table.

    Raises:
        ElfError: the bytes are no 64-bit little-endian ELF file or point outside themselves.
    """
    header = _part(data, 0, ELF_HEADER.size, "header")
    if not header.startswith(MAGIC_64_LITTLE):
        raise ElfError(f"elf: wanted {MAGIC_64_LITTLE.hex()}, got {header[:7].hex()}")
    *_, table, _flags, _size, _psize, _pcount, size, count, names = ELF_HEADER.unpack(header)
    if size != SECTION_HEADER.size or count > SECTIONS_MAX_ITEMS:
        raise ElfError(f"elf: wanted up to {SECTIONS_MAX_ITEMS} sections, got {count} of {size}")
    rows = [
        SECTION_HEADER.unpack(_part(data, table + number * size, size, "section table"))
        for number in range(count)
    ]
    # (name, type, flags, address, offset, size, …)
    bodies = [
        b"" if row[1] == SHT_NOBITS else _part(data, row[4], row[5], "section") for row in rows
    ]
    if rows and names >= count:
        raise ElfError(f"elf: wanted the section of names below {count}, got {names}")
    return [
        Section(_text(bodies[names], row[0]), body) for row, body in zip(rows, bodies, strict=True)
    ]


def _dynamic(section: Section) -> Iterator[tuple[int, int]]:
    """Yield tag and value of each dynamic entry before the end mark."""
    whole = len(section.data) - len(section.data) % DYNAMIC_ENTRY.size
    for tag, value in DYNAMIC_ENTRY.iter_unpack(section.data[:whole]):
        if tag == DT_NULL:
            return
        yield tag, value


def needed_libraries(data: bytes) -> list[str]:
    """Return the libraries that the dynamic linker is asked to load, in order.

    Raises:
        ElfError: see `parse_sections`; or a name lies outside the string table.
    """
    sections = {section.name: section for section in parse_sections(data)}
    if ".dynamic" not in sections:
        return []
    names = sections.get(".dynstr", Section(".dynstr", b""))
    entries = _dynamic(sections[".dynamic"])
    return [_text(names.data, value) for tag, value in entries if tag == DT_NEEDED]
