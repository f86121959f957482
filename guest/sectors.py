# SPDX-License-Identifier: Apache-2.0
"""A text on a disk: as it is, and filled up with NUL to whole sectors, which a text has none of."""

from __future__ import annotations

from typing import Final

SECTOR_BYTES: Final = 512


def sectors(size: int) -> int:
    """How many sectors so many bytes take."""
    return -(-size // SECTOR_BYTES)


def without_filling(data: bytes, most: int) -> bytes:
    """The text, byte for byte.

    Raises:
        ValueError: it is empty or longer than ``most``, has a NUL in it, or is not filled up so.
    """
    text = data.rstrip(b"\0")
    if not text or len(text) > most or b"\0" in text:
        raise ValueError(f"wanted a text of 1 to {most} bytes")
    if len(data) != sectors(len(text)) * SECTOR_BYTES:
        raise ValueError("wanted it filled up to a whole sector")
    return text
