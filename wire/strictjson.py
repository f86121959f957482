# SPDX-License-Identifier: Apache-2.0
"""Strict JSON (RFC 8259) from a peer: size, depth and schema are closed, no key stands twice.

White space and the order of keys are free, since any client's JSON writer must do; nothing is
signed here. The readers below take what a field must be, and give it back typed.
"""

import json
import re
from enum import StrEnum
from typing import Never, TypeVar

from wire.errors import FormatError

JSON_DEPTH_MAX = 8

W = TypeVar("W", bound=StrEnum)

# A string, which may contain brackets, or one bracket. Possessive: linear also without a closing
# quote.
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class Members:
    """The members of one JSON object, exactly those that `names` names."""

    def __init__(self, what: str, value: object, names: tuple[str, ...]) -> None:
        if not isinstance(value, dict):
            raise FormatError(what, 0, "wanted an object")
        if set(value) != set(names):
            raise FormatError(what, 0, f"wanted exactly the members {', '.join(names)}")
        self._what = what
        self._members = value

    def value(self, name: str) -> object:
        """A member of any type."""
        member: object = self._members[name]
        return member

    def text(self, name: str, *, least: int = 0, most: int) -> str:
        """A string of `least` to `most` characters that UTF-8 can write, without NUL."""
        text = self._members[name]
        if not isinstance(text, str) or not least <= len(text) <= most:
            raise self._error(name, f"wanted a string of {least} to {most} characters")
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise self._error(name, "a character that may not stand there")
        return text

    def choice(self, name: str, words: type[W]) -> W:
        """One of the words of an enumeration, spelled as it spells it."""
        word = self._members[name]
        if not isinstance(word, str) or word not in list(words):
            raise self._error(name, f"wanted one of {', '.join(words)}")
        return words(word)

    def number(self, name: str) -> int:
        """An integer from 0 to 2^53 - 1."""
        number = self._members[name]
        if type(number) is not int or not 0 <= number < 2**53:
            raise self._error(name, "wanted an integer from 0 to 2^53 - 1")
        return number

    def items(self, name: str, *, most: int) -> list[object]:
        """An array of 1 to `most` items."""
        items = self._members[name]
        if not isinstance(items, list) or not 1 <= len(items) <= most:
            raise self._error(name, f"wanted an array of 1 to {most} items")
        return items

    def _error(self, name: str, problem: str) -> FormatError:
        return FormatError(f"{self._what}.{name}", 0, problem)


def load_json(data: bytes, *, what: str, max_bytes: int) -> object:
    """Parse UTF-8 JSON without duplicate names or numbers that are no integers.

    Raises:
        FormatError: It is longer than `max_bytes`, too deep, or not such JSON.
    """
    if len(data) > max_bytes:
        raise FormatError(what, max_bytes, f"wanted {max_bytes} bytes or fewer, got {len(data)}")
    _check_depth(data, what)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(what, error.start, "not UTF-8") from None
    try:
        parsed: object = json.loads(
            text, object_pairs_hook=_object, parse_float=_refuse, parse_constant=_refuse
        )
    except json.JSONDecodeError as error:
        raise FormatError(what, len(text[: error.pos].encode()), "not JSON") from None
    except ValueError as error:
        raise FormatError(what, 0, str(error)) from None
    return parsed


def write_json(value: object) -> bytes:
    """The JSON of a value in UTF-8, without white space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _check_depth(data: bytes, what: str) -> None:
    depth = 0
    for mark in _MARKS.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(mark[0], 0)
        if depth > JSON_DEPTH_MAX:
            raise FormatError(what, mark.start(), f"deeper than {JSON_DEPTH_MAX}")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def _refuse(_text: str) -> Never:
    raise ValueError("a number that is no integer")
