# SPDX-License-Identifier: Apache-2.0
"""A strict reader for DER (ITU-T X.690 §10), as much of it as certificates need.

One spelling only: definite and minimal lengths, low tag numbers, minimal integers. Each element
keeps the bytes it came in, because signatures are checked over those and names are compared by
them. `cryptography`'s own certificate parser is not used: every AMD VEK has serial number 0, which
it announces to refuse, and older ones carry a PSS encoding that is not canonical.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from attest.errors import FormatError
from attest.reader import Reader

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
IA5_STRING = 0x16
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30

_TIME_BYTES = {UTC_TIME: 13, GENERALIZED_TIME: 15}
_TRUE = b"\xff"


def explicit(number: int) -> int:
    """The tag of ``[number] EXPLICIT``."""
    return 0xA0 | number


class Element(NamedTuple):
    """One tag, length and value: ``raw`` is all three, ``offset`` is where the value begins."""

    tag: int
    body: bytes
    raw: bytes
    offset: int


class DerReader(Reader):
    """A `Reader` whose items are DER elements."""

    def peek(self) -> int | None:
        """The next element's tag, or None at the end."""
        return self.data[self.at] if self.at < len(self.data) else None

    def element(self, tag: int) -> Element:
        """The next element, which must carry ``tag``.

        Raises:
            FormatError: another tag, or a length that is not DER.
        """
        data, start = self.data, self.at
        if self.peek() != tag:
            got = "the end" if self.peek() is None else f"0x{data[start]:02x}"
            raise self.error(f"wanted tag 0x{tag:02x}, got {got}")
        self.at = start + 1
        size = self.take(1)[0]
        if size & 0x80:
            digits = self.take(size & 0x7F)
            size = int.from_bytes(digits, "big")
            if len(digits) > 4 or digits[:1] in (b"", b"\x00") or size < 0x80:
                raise self.error("length is not minimal and definite")
        begin = self.at
        body = self.take(size)
        return Element(tag, body, data[start : self.at], self.base + begin)

    def inside(self, element: Element) -> DerReader:
        """A reader over an element's value."""
        return DerReader(self.what, element.body, element.offset)

    def enter(self, tag: int = SEQUENCE) -> DerReader:
        """A reader over the next element's value.

        Raises:
            FormatError: see `element`.
        """
        return self.inside(self.element(tag))

    def integer(self) -> int:
        """The next element, a non-negative INTEGER.

        Raises:
            FormatError: it is something else, negative, or not minimal.
        """
        element = self.element(INTEGER)
        body = element.body
        if not body or body[0] & 0x80 or (len(body) > 1 and body[0] == 0 and body[1] < 0x80):
            raise FormatError(self.what, element.offset, "INTEGER is negative or not minimal")
        return int.from_bytes(body, "big")

    def boolean(self) -> bool:
        """The next element, a BOOLEAN that is true: DER leaves the default, false, out.

        Raises:
            FormatError: it is something else.
        """
        element = self.element(BOOLEAN)
        if element.body != _TRUE:
            raise FormatError(self.what, element.offset, "BOOLEAN is not 0xff")
        return True

    def bits(self) -> bytes:
        """The next element, a BIT STRING of whole bytes.

        Raises:
            FormatError: it is something else, or has unused bits.
        """
        element = self.element(BIT_STRING)
        if element.body[:1] != b"\x00":
            raise FormatError(self.what, element.offset, "BIT STRING has unused bits")
        return element.body[1:]

    def oid(self) -> str:
        """The next element, an OBJECT IDENTIFIER, in dotted form.

        Raises:
            FormatError: it is something else, or not minimal.
        """
        element = self.element(OBJECT_IDENTIFIER)
        arcs: list[int] = []
        arc, fresh = 0, True
        for byte in element.body:
            if fresh and byte == 0x80:
                raise FormatError(self.what, element.offset, "arc is not minimal")
            arc, fresh = arc << 7 | byte & 0x7F, not byte & 0x80
            if fresh:
                arcs.append(arc)
                arc = 0
        if not fresh or not arcs:
            raise FormatError(self.what, element.offset, "OBJECT IDENTIFIER is cut off")
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))

    def time(self) -> datetime:
        """The next element, a UTCTime or GeneralizedTime in the one form of RFC 5280 §4.1.2.5.

        Raises:
            FormatError: it is something else, or GeneralizedTime where UTCTime would do.
        """
        tag = GENERALIZED_TIME if self.peek() == GENERALIZED_TIME else UTC_TIME
        element = self.element(tag)
        text = element.body.decode("ascii", "replace")
        digits = text[:-1]
        try:
            if len(text) != _TIME_BYTES[tag] or text[-1] != "Z" or not digits.isdecimal():
                raise ValueError(text)
            if tag == UTC_TIME:  # RFC 5280 §4.1.2.5.1: 1950 to 2049
                digits = ("19" if digits >= "5" else "20") + digits
            month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(4, 14, 2))
            moment = datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=UTC)
        except ValueError as error:
            raise FormatError(self.what, element.offset, "not a time") from error
        if tag == GENERALIZED_TIME and moment.year < 2050:
            raise FormatError(self.what, element.offset, "GeneralizedTime before 2050")
        return moment
