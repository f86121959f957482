# SPDX-License-Identifier: Apache-2.0
"""Writing DER, as much of it as AMD's certificates need."""

from __future__ import annotations

from datetime import datetime

from attest.der import (
    BIT_STRING,
    BOOLEAN,
    IA5_STRING,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    UTC_TIME,
)


def element(tag: int, *parts: bytes) -> bytes:
    """One tag, length and value."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + body


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of elements."""
    return element(SEQUENCE, *parts)


def integer(value: int) -> bytes:
    """A non-negative INTEGER."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def bits(data: bytes) -> bytes:
    """A BIT STRING of whole bytes."""
    return element(BIT_STRING, b"\x00", data)


def ia5(text: str) -> bytes:
    """An IA5String."""
    return element(IA5_STRING, text.encode("ascii"))


def utc_time(moment: datetime) -> bytes:
    """A UTCTime, for the years 1950 to 2049."""
    return element(UTC_TIME, f"{moment:%y%m%d%H%M%SZ}".encode("ascii"))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    body = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        body += bytes(reversed(groups))
    return element(OBJECT_IDENTIFIER, bytes(body))


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    """One X.509 extension."""
    flag = element(BOOLEAN, b"\xff") if critical else b""
    return sequence(oid(dotted), flag, element(OCTET_STRING, value))
