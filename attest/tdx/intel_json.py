# SPDX-License-Identifier: Apache-2.0
"""JSON that Intel signed or that collateral comes in: bounded, without a name that stands twice.

Intel's signatures are over bytes in no canonical form, so a document is kept as it came and only
read here. Members are taken by name and type; a member that nobody takes has no influence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NoReturn

from attest.errors import FormatError

DEPTH_MAX = 8
ITEMS_MAX = 256
HEX_MAX_BYTES = 65536

_NESTED = frozenset({dict, list})
_BRACKETS = bytes.maketrans(b"[{]}", b"(())")
_NO_SHAPE = bytes(set(range(256)) - set(b'[{]}"'))
# Hours end at 23: some versions of Python take hour 24 for the day's end.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\dZ", re.ASCII)


class Members:
    """The members of one JSON object, taken one by one.

    Args:
        what: the path to the object, for errors.
        value: what `json` made of it.
    """

    __slots__ = ("value", "what")

    def __init__(self, what: str, value: object) -> None:
        if type(value) is not dict:
            raise FormatError(what, None, f"wanted an object, got {type(value).__name__}")
        self.what = what
        self.value: dict[str, Any] = value

    def error(self, name: str, problem: str) -> FormatError:
        """An error about one member."""
        return FormatError(f"{self.what}.{name}", None, problem)

    def text(self, name: str) -> str:
        """A string.

        Raises:
            FormatError: missing, or of another type; as all of these.
        """
        text = self.value.get(name)
        if type(text) is not str:
            raise self._unlike(name, "str", text)
        return text

    def data(self, name: str) -> bytes:
        """A string, in UTF-8: the bytes of a document within a document."""
        try:
            return self.text(name).encode("utf-8")
        except UnicodeEncodeError as error:
            raise self.error(name, "wanted Unicode") from error

    def whole(self, name: str, most: int) -> int:
        """An integer from 0 to ``most``."""
        number = self.value.get(name)
        if type(number) is not int:  # exactly: True is not an integer here
            raise self._unlike(name, "int", number)
        if not 0 <= number <= most:
            raise self.error(name, f"wanted 0 to {most}")
        return number

    def hexadecimal(self, name: str, size: int | None = None) -> bytes:
        """Bytes in hexadecimal of either case, which Intel changes from day to day."""
        text = self.text(name)
        if len(text) > 2 * HEX_MAX_BYTES:
            raise self.error(name, f"wanted at most {HEX_MAX_BYTES} bytes")
        try:
            data = bytes.fromhex(text)
        except ValueError as error:
            raise self.error(name, "wanted hexadecimal") from error
        if 2 * len(data) != len(text):  # `fromhex` skips spaces
            raise self.error(name, "wanted hexadecimal")
        if size is not None and len(data) != size:
            raise self.error(name, f"wanted {size} bytes, got {len(data)}")
        return data

    def moment(self, name: str) -> datetime:
        """A time in UTC to the second."""
        text = self.text(name)
        if not _TIME.fullmatch(text):
            raise self.error(name, "wanted a time like 2026-01-31T12:00:00Z")
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise self.error(name, "no such time") from error

    def member(self, name: str) -> Members:
        """An object."""
        value = self.value.get(name)
        if type(value) is not dict:
            raise self._unlike(name, "dict", value)
        return Members(f"{self.what}.{name}", value)

    def wholes(self, name: str, member: str, most: int) -> list[int]:
        """The integer from 0 to ``most`` that each object of a list has under one name."""
        try:
            numbers: list[Any] = [item[member] for item in self.items(name)]
        except (KeyError, TypeError):
            numbers = [None]
        if (
            not {int}.issuperset(map(type, numbers))
            or not 0 <= min(numbers, default=0) <= max(numbers, default=0) <= most
        ):
            raise self.error(name, f"wanted objects with {member} from 0 to {most}")
        return numbers

    def each(self, name: str) -> Iterator[Members]:
        """The objects of a list; none when the list is missing."""
        for index, item in enumerate(self.items(name)):
            yield Members(f"{self.what}.{name}[{index}]", item)

    def items(self, name: str) -> list[Any]:
        """The items of a list; none when the list is missing."""
        items = self.value.get(name, [])
        if type(items) is not list:
            raise self._unlike(name, "list", items)
        if len(items) > ITEMS_MAX:
            raise self.error(name, f"wanted at most {ITEMS_MAX} items, got {len(items)}")
        return items

    def _unlike(self, name: str, wanted: str, got: object) -> FormatError:
        return self.error(name, f"wanted {wanted}, got {type(got).__name__}")


def read_json(data: bytes, what: str, most: int) -> Members:
    """Read one JSON object of at most ``most`` bytes and `DEPTH_MAX` levels.

    Raises:
        FormatError: not an object in JSON, too long, too deep, or with a name that stands twice.
    """
    if len(data) > most:
        raise FormatError(what, most, f"wanted at most {most} bytes, got {len(data)}")
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except ValueError as error:
        raise FormatError(what, None, f"not the JSON wanted: {error}") from error
    except RecursionError as error:  # Python's own limit, which is far above this one
        raise FormatError(what, None, f"deeper than {DEPTH_MAX} levels") from error
    members = Members(what, value)
    if not _NESTED.isdisjoint(map(type, value.values())) and _shape(data):
        raise FormatError(what, None, f"deeper than {DEPTH_MAX} levels")
    return members


def _shape(data: bytes) -> bytes:
    """What is left of the brackets outside strings once `DEPTH_MAX` levels have been closed."""
    if b"\\" in data:  # a quote that is escaped is not the end of a string
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    shape = data.translate(_BRACKETS, _NO_SHAPE)
    # Strings without a bracket are two quotes by now, in even numbers one after another.
    bare = shape.replace(b'""', b"")
    shape = b"".join(shape.split(b'"')[::2]) if b'"' in bare else bare
    for _ in range(DEPTH_MAX):
        shape = shape.replace(b"()", b"")
    return shape


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"not an integer: {number[:32]}")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_refuse, parse_constant=_refuse)
