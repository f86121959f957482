# SPDX-License-Identifier: Apache-2.0
"""Small firmware images, minted: the table of GUIDs and the metadata, and nothing that runs."""

import random
import struct
from uuid import UUID

FOOTER = UUID("96b582de-1fb2-45f7-baea-a366c55a082d")
RESET_BLOCK = UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
HASH_TABLE = UUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
SEV_METADATA = UUID("dc886566-984a-4798-a75e-5585a7bf67cc")
TDX_METADATA = UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")

PAGE = 4096
HASHES_GPA = 0x810C00
RESET_EIP = 0x80B004

# What Debian's ovmf-amdsev asks for, with less memory: address, size, type.
AMDSEV_SECTIONS = (
    (0x800000, 0x2000, 1),
    (0x80D000, 0x1000, 2),
    (0x80E000, 0x1000, 3),
    (0x80F000, 0x1000, 4),
    (0x811000, 0x3000, 1),
    (0x810000, 0x1000, 0x10),
)
WITHOUT_HASHES = AMDSEV_SECTIONS[:-1]


def entry(guid: UUID, data: bytes) -> bytes:
    """One entry of the table."""
    return data + struct.pack("<H", len(data) + 18) + guid.bytes_le


def table(*entries: bytes) -> bytes:
    """The whole table; the first entry stands last, before the footer."""
    inside = b"".join(reversed(entries))
    return inside + struct.pack("<H", len(inside) + 18) + FOOTER.bytes_le


def image(*entries: bytes, at: dict[int, bytes] | None = None, size: int = 2 * PAGE) -> bytes:
    """An image of noise with a table at its end and other things at their places."""
    data = bytearray(random.Random(7).randbytes(size))
    for offset, part in (at or {}).items():
        data[offset : offset + len(part)] = part
    ending = table(*entries) + bytes(32)
    data[size - len(ending) :] = ending
    return bytes(data)


def pointer(guid: UUID, offset: int, size: int = 2 * PAGE) -> bytes:
    """An entry that points to `offset`."""
    return entry(guid, struct.pack("<I", size - offset))


def sev_metadata(sections: tuple[tuple[int, int, int], ...]) -> bytes:
    rows = b"".join(struct.pack("<III", *section) for section in sections)
    return struct.pack("<4sIII", b"ASEV", 16 + len(rows), 1, len(sections)) + rows


def snp(
    sections: tuple[tuple[int, int, int], ...] = AMDSEV_SECTIONS,
    *,
    metadata: bytes | None = None,
    hashes_gpa: int | None = HASHES_GPA,
    reset_eip: int | None = RESET_EIP,
) -> bytes:
    """A firmware for SEV-SNP."""
    entries = [pointer(SEV_METADATA, 0x400)]
    if reset_eip is not None:
        entries.append(entry(RESET_BLOCK, struct.pack("<I", reset_eip)))
    if hashes_gpa is not None:
        entries.append(entry(HASH_TABLE, struct.pack("<II", hashes_gpa, 0x400)))
    return image(*entries, at={0x400: metadata or sev_metadata(sections)})


# Data offset, data size, address, size, type, attributes.
Row = tuple[int, int, int, int, int, int]
TDVF_SECTIONS: tuple[Row, ...] = (
    (0x1000, 0x1000, 0xFFFFF000, 0x1000, 0, 1),
    (0x0000, 0x0800, 0xFFFFE000, 0x1000, 1, 0),
    (0, 0, 0x809000, 0x2000, 2, 0),
    (0, 0, 0x80B000, 0x1000, 3, 2),
)


def tdvf_metadata(sections: tuple[Row, ...]) -> bytes:
    rows = b"".join(struct.pack("<IIQQII", *section) for section in sections)
    return struct.pack("<4sIII", b"TDVF", 16 + len(rows), 1, len(sections)) + rows


def tdx(sections: tuple[Row, ...] = TDVF_SECTIONS, *, metadata: bytes | None = None) -> bytes:
    """A firmware for TDX."""
    return image(pointer(TDX_METADATA, 0x400), at={0x400: metadata or tdvf_metadata(sections)})


def clean_example() -> bytes:
    """The firmware CleanExample of google/gce-tcb-verifier, made from its constants."""
    size = 2 << 20
    sev = sev_metadata(((0xFF001000, 0x1000, 1), (0xFF003000, 0x1000, 3), (0xFF004000, 0x1000, 2)))
    tdvf = tdvf_metadata(
        (
            (0x20000, 0x1E0000, 0xFFE20000, 0x1E0000, 0, 1),
            (0, 0x20000, 0xFFE00000, 0x20000, 1, 0),
            (0, 0, 0x810000, 0x10000, 3, 0),
            (0, 0, 0x80B000, 0x2000, 3, 0),
            (0, 0, 0x809000, 0x2000, 2, 0),
            (0, 0, 0x800000, 0x6000, 3, 0),
        )
    )
    ending = table(
        entry(RESET_BLOCK, struct.pack("<I", 0xFF0000FF)),
        pointer(SEV_METADATA, 0, size),
        pointer(TDX_METADATA, 0x110, size),
    )
    data = bytearray(size)
    marks = {0x800: b"LGTM" * 4, 0xA00: b"LGTM" * 4}
    head = UUID("e9eaf9f3-168e-44d5-a8eb-7f4d8738f6ae").bytes_le
    parts = {0: sev, 0x100: head, 0x110: tdvf, size - 32 - len(ending): ending} | marks
    for offset, part in parts.items():
        data[offset : offset + len(part)] = part
    return bytes(data)
