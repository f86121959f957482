# SPDX-License-Identifier: Apache-2.0
"""The table of GUIDs at the end of an OVMF image, by which it tells a VMM what it needs.

Each entry is ``data | size u16 | GUID``, its size counting all three. The table is read from its
end backwards: the last entry stands 32 bytes before the end of the image, and its size is that of
the whole table. Specification: edk2, OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm. Whatever QEMU
would have to skip or to choose from (rest bytes, one GUID twice) is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID

from attest.errors import FormatError

PAGE_BYTES = 4096
FIRMWARE_MAX_BYTES = 16 * 1024 * 1024
TABLE_MAX_BYTES = 4096

_AFTER_TABLE_BYTES = 32
_ENTRY_BYTES = 18
_FOOTER = UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
_WHAT = "OVMF table"


class Entry(Enum):
    """The entries that a launch measurement needs."""

    SEV_ES_RESET_BLOCK = UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
    SEV_HASH_TABLE = UUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
    SEV_METADATA = UUID("dc886566-984a-4798-a75e-5585a7bf67cc")
    TDX_METADATA = UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")


@dataclass(frozen=True, slots=True)
class Ovmf:
    """An image and its table. Nothing is known of the rest of the image."""

    image: bytes = field(repr=False)
    table: dict[UUID, bytes]

    def words(self, entry: Entry, count: int) -> tuple[int, ...] | None:
        """The entry's data as ``count`` little-endian u32; None when there is no such entry.

        Raises:
            FormatError: the entry has another length.
        """
        data = self.table.get(entry.value)
        if data is None:
            return None
        if len(data) != 4 * count:
            raise FormatError(entry.name, None, f"wanted {4 * count} bytes, got {len(data)}")
        return tuple(int.from_bytes(data[4 * i : 4 * i + 4], "little") for i in range(count))

    def place(self, entry: Entry, least: int) -> int | None:
        """Where the structure lies that the entry points to by its distance from the end.

        Raises:
            FormatError: fewer than ``least`` bytes lie there.
        """
        words = self.words(entry, 1)
        if words is None:
            return None
        if not least <= words[0] <= len(self.image):
            raise FormatError(entry.name, None, f"points {words[0]} bytes before the end")
        return len(self.image) - words[0]


def parse_ovmf(image: bytes) -> Ovmf:
    """Read the table of a whole firmware image.

    Raises:
        FormatError: not whole pages, too long, or without a well-formed table.
    """
    if not 0 < len(image) <= FIRMWARE_MAX_BYTES or len(image) % PAGE_BYTES:
        raise FormatError(
            "firmware",
            len(image),
            f"wanted whole pages, {FIRMWARE_MAX_BYTES} bytes at most, got {len(image)} bytes",
        )
    end = len(image) - _AFTER_TABLE_BYTES
    size = _entry_size(image, end)
    if image[end - 16 : end] != _FOOTER:
        raise FormatError(_WHAT, end - 16, "there is none")
    start = end - size
    if not _ENTRY_BYTES <= size <= TABLE_MAX_BYTES or start < 0:
        raise FormatError(_WHAT, end - _ENTRY_BYTES, f"a table of {size} bytes")
    table: dict[UUID, bytes] = {}
    end -= _ENTRY_BYTES
    while end > start:
        size = _entry_size(image, end) if end - start >= _ENTRY_BYTES else 0
        if not _ENTRY_BYTES <= size <= end - start:
            raise FormatError(_WHAT, end, f"an entry of {size} bytes, {end - start} are left")
        key = UUID(bytes_le=image[end - 16 : end])
        if key in table:
            raise FormatError(_WHAT, end - 16, f"{key} stands twice")
        table[key] = image[end - size : end - _ENTRY_BYTES]
        end -= size
    return Ovmf(image, table)


def _entry_size(image: bytes, end: int) -> int:
    return int.from_bytes(image[end - _ENTRY_BYTES : end - 16], "little")
