# SPDX-License-Identifier: Apache-2.0
"""Files in hexadecimal, as reports and quotes are handed around: one value, spaces between."""

from __future__ import annotations

import re

# Shorter text is no evidence, and could be anything.
HEX_MIN_CHARACTERS = 64

# A file in hexadecimal is at most so many times as long: two digits a byte, and spaces between.
HEX_FACTOR = 4

_HEX = re.compile(rb"(?:0x)?([0-9A-Fa-f\s]+)")
_SPACE = re.compile(rb"\s+")


def is_hex(data: bytes) -> bool:
    """Whether the whole file is hexadecimal. No binary form of evidence is."""
    return len(data) >= HEX_MIN_CHARACTERS and _HEX.fullmatch(data) is not None


def read_hex(data: bytes) -> bytes:
    """The bytes that the file spells; those of the file itself if it spells none.

    A number of digits that is odd spells nothing.
    """
    digits = _SPACE.sub(b"", data.removeprefix(b"0x"))
    return bytes.fromhex(digits.decode("ascii")) if is_hex(data) and not len(digits) % 2 else data
