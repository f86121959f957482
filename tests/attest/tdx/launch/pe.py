# SPDX-License-Identifier: Apache-2.0
"""Small PE images, minted: headers, sections of noise, and signatures that sign nothing."""

import random
import struct

HEADERS = 0x200
PE = 0x40
OPTIONAL = PE + 24
CHECKSUM = OPTIONAL + 64
MAGIC = {0x20B: 112, 0x10B: 96}
TABLE = OPTIONAL + 112 + 16 * 8


def directory(magic: int = 0x20B) -> int:
    """Where the entry for signatures lies."""
    return OPTIONAL + MAGIC[magic] + 8 * 4


def mint(
    sections: tuple[tuple[int, int], ...] = ((0x200, 0x100), (0x300, 0x180)),
    *,
    magic: int = 0x20B,
    signatures: int = 0,
    tail: int = 0,
    directories: int = 16,
    name: bytes = b".text",
) -> bytes:
    """An image with sections at (offset, size), a tail behind them, and signatures at its end."""
    end = max((offset + size for offset, size in sections), default=HEADERS) + tail
    data = bytearray(random.Random(5).randbytes(end + signatures))
    data[:HEADERS] = bytes(HEADERS)
    data[:2] = b"MZ"
    struct.pack_into("<I", data, 0x3C, PE)
    optional = MAGIC[magic] + 16 * 8
    struct.pack_into("<4sHH12xHH", data, PE, b"PE\0\0", 0x8664, len(sections), optional, 0)
    struct.pack_into("<H", data, OPTIONAL, magic)
    struct.pack_into("<I", data, OPTIONAL + 60, HEADERS)
    struct.pack_into("<I", data, CHECKSUM, 0x12345678)
    struct.pack_into("<I", data, OPTIONAL + MAGIC[magic] - 4, directories)
    if signatures:
        struct.pack_into("<II", data, directory(magic), end, signatures)
    for number, (offset, size) in enumerate(sections):
        at = OPTIONAL + optional + 40 * number
        struct.pack_into("<8s8xII16x", data, at, name, size, offset)
    return bytes(data)
