# SPDX-License-Identifier: Apache-2.0
"""A strict reader for DER (ITU-T X.690 §10), as much of it as certificates need.

One spelling only: definite and minimal lengths, low tag numbers, minimal integers, nothing between
or after elements. An element is told by its place in the input, so that the bytes that a signature
is over are the bytes that came. `cryptography`'s own certificate parser is not used: every AMD VEK
has serial number 0, which it announces to refuse, and older ones carry a PSS encoding that is not
canonical.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from attest.errors import FormatError

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
IA5_STRING = 0x16
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30

LENGTH_MAX_BYTES = 4
OIDS_REMEMBERED = 256  # entries; each is at most as long as a certificate

# Tag, and where the element starts, where its value begins, where both end.
Element = tuple[int, int, int, int]

_TIME_BYTES = {UTC_TIME: 13, GENERALIZED_TIME: 15}


def explicit(number: int) -> int:
    """The tag of ``[number] EXPLICIT``."""
    return 0xA0 | number


class Der:
    """One input in DER. Every verb names the tag that it wants and raises FormatError otherwise.

    Args:
        what: the structure's name, for errors.
        data: the bytes to read.
    """

    __slots__ = ("data", "what")

    def __init__(self, what: str, data: bytes) -> None:
        self.what = what
        self.data = data

    def error(self, element: Element, problem: str) -> FormatError:
        """An error about one element."""
        return FormatError(self.what, element[1], problem)

    def whole(self) -> Element:
        """The one element that the input consists of."""
        found = self._elements(0, len(self.data))
        if len(found) != 1:
            raise FormatError(self.what, 0, f"wanted one element, got {len(found)}")
        return found[0]

    def inside(self, element: Element, tag: int = SEQUENCE) -> list[Element]:
        """The elements that the value of ``element`` consists of."""
        if element[0] != tag:
            raise self._unlike(element, tag)
        return self._elements(element[2], element[3])

    def fields(self, element: Element, count: int, tag: int = SEQUENCE) -> list[Element]:
        """The elements that the value of ``element`` consists of, which are ``count``."""
        if element[0] != tag:
            raise self._unlike(element, tag)
        found = self._elements(element[2], element[3])
        if len(found) != count:
            raise self.error(element, f"wanted {count} elements in it, got {len(found)}")
        return found

    def rows(self, element: Element, least: int, most: int) -> list[list[Element]]:
        """What each SEQUENCE in this SEQUENCE consists of: ``least`` to ``most`` elements."""
        found: list[list[Element]] = []
        for tag, start, begin, end in self.inside(element):
            if tag != SEQUENCE:
                raise FormatError(self.what, start, f"wanted a SEQUENCE, got tag 0x{tag:02x}")
            row = self._elements(begin, end)
            if not least <= len(row) <= most:
                raise FormatError(self.what, start, f"{len(row)} elements in it")
            found.append(row)
        return found

    def raw(self, element: Element, tag: int = SEQUENCE) -> bytes:
        """The element's bytes, tag and length included."""
        if element[0] != tag:
            raise self._unlike(element, tag)
        return self.data[element[1] : element[3]]

    def value(self, element: Element, tag: int) -> bytes:
        """The bytes of the element's value."""
        if element[0] != tag:
            raise self._unlike(element, tag)
        return self.data[element[2] : element[3]]

    def integer(self, element: Element) -> int:
        """A non-negative INTEGER."""
        tag, _, begin, end = element
        if tag != INTEGER:
            raise self._unlike(element, INTEGER)
        body = self.data[begin:end]
        # The first nine bits are neither all zero, unless one byte is all, nor begin with one.
        if not body or body[0] > 0x7F or (len(body) > 1 and body[:2] < b"\x00\x80"):
            raise self.error(element, "INTEGER is negative or not minimal")
        return int.from_bytes(body, "big")

    def true(self, element: Element) -> bool:
        """A BOOLEAN that is true: DER leaves the default, false, out."""
        if self.value(element, BOOLEAN) != b"\xff":
            raise self.error(element, "BOOLEAN is not 0xff")
        return True

    def bits(self, element: Element) -> bytes:
        """A BIT STRING of whole bytes."""
        body = self.value(element, BIT_STRING)
        if body[:1] != b"\x00":
            raise self.error(element, "BIT STRING has unused bits")
        return body[1:]

    def oid(self, element: Element) -> str:
        """An OBJECT IDENTIFIER, in dotted form."""
        if element[0] != OBJECT_IDENTIFIER:
            raise self._unlike(element, OBJECT_IDENTIFIER)
        try:
            return dotted(self.data[element[2] : element[3]])
        except ValueError as error:
            raise self.error(element, str(error)) from error

    def time(self, element: Element) -> datetime:
        """A UTCTime or GeneralizedTime; see `parse_time`."""
        try:
            return parse_time(element[0], self.data[element[2] : element[3]])
        except ValueError as error:
            raise self.error(element, str(error)) from error

    def _elements(self, at: int, end: int) -> list[Element]:
        """The elements that fill the space from ``at`` to ``end``."""
        data = self.data
        found: list[Element] = []
        while at < end:
            begin = at + 2
            if begin > end:
                raise FormatError(self.what, at, "length is missing")
            size = data[at + 1]
            if size > 0x7F:
                begin, size = self._length(begin, size & 0x7F)
            if begin + size > end:
                raise FormatError(self.what, at, f"{begin + size - end} bytes missing")
            found.append((data[at], at, begin, begin + size))
            at = begin + size
        return found

    def _length(self, at: int, width: int) -> tuple[int, int]:
        """Where the value begins, and its length, of which ``width`` digits are written."""
        digits = self.data[at : at + width]
        size = int.from_bytes(digits, "big")
        if not 0 < width <= LENGTH_MAX_BYTES or not digits[:1].strip(b"\x00") or size < 0x80:
            raise FormatError(self.what, at, "length is not minimal and definite")
        return at + width, size

    def _unlike(self, element: Element, tag: int) -> FormatError:
        return self.error(element, f"wanted tag 0x{tag:02x}, got 0x{element[0]:02x}")


def parse_time(tag: int, text: bytes) -> datetime:
    """A UTCTime or GeneralizedTime in the one form of RFC 5280 §4.1.2.5.

    GeneralizedTime stands only where UTCTime would not do.

    Raises:
        ValueError: another form, or no such time.
    """
    if len(text) != _TIME_BYTES.get(tag) or text[-1:] != b"Z" or not text[:-1].isdigit():
        raise ValueError("not a time")
    if tag == UTC_TIME:  # RFC 5280 §4.1.2.5.1: 1950 to 2049
        text = (b"19" if text >= b"5" else b"20") + text
    elif text < b"2050":
        raise ValueError("GeneralizedTime before 2050")
    if text[8:10] > b"23":  # some versions of Python take hour 24 for the day's end
        raise ValueError("no such time")
    written = text.decode("ascii")
    return datetime.fromisoformat(f"{written[:8]}T{written[8:]}")


@lru_cache(maxsize=OIDS_REMEMBERED)
def dotted(body: bytes) -> str:
    """The dotted form of an object identifier; ValueError when its bytes are not minimal."""
    arcs: list[int] = []
    arc, fresh = 0, True
    for byte in body:
        if fresh and byte == 0x80:
            raise ValueError("arc is not minimal")
        arc, fresh = arc << 7 | byte & 0x7F, not byte & 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    if not fresh or not arcs:
        raise ValueError("OBJECT IDENTIFIER is cut off")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
