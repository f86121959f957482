# SPDX-License-Identifier: Apache-2.0
"""Scalars in records: each kind of value has exactly one spelling in text.

A codec stands in a record's annotation (``Annotated[bytes, Hex(32)]``). It reads and writes text;
``native`` is the type that carries the same value in JSON, where that is not text.
"""

from __future__ import annotations

import binascii
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

_HEX_DIGITS = frozenset("0123456789abcdef")
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_TRUTH = {"false": False, "true": True}


class Codec(Protocol):
    """One spelling: ``write(read(text)) == text`` for every text that `read` takes."""

    @property
    def native(self) -> type:
        """Type of the value in JSON: str, int or bool."""

    def read(self, text: str) -> Any:
        """The value that the text spells, or ValueError."""

    def write(self, value: Any) -> str:
        """The value's one spelling."""


class Text:
    """A string of 1 to ``most`` characters."""

    native: ClassVar[type] = str

    def __init__(self, most: int) -> None:
        self.most = most

    def read(self, text: str) -> str:
        """The string itself."""
        if not 1 <= len(text) <= self.most:
            raise ValueError(f"wanted 1 to {self.most} characters, got {len(text)}")
        return text

    def write(self, value: str) -> str:
        """The string itself."""
        return value


class Name:
    """1 to ``most`` characters: lower-case words of letters and digits, a dash between two."""

    native: ClassVar[type] = str

    def __init__(self, most: int) -> None:
        self.most = most

    def read(self, text: str) -> str:
        """The name itself."""
        words = text.split("-")
        if len(text) > self.most or not _NAME_CHARACTERS.issuperset(text) or not all(words):
            raise ValueError(f"wanted a lower-case-with-dashes name of at most {self.most}")
        return text

    def write(self, value: str) -> str:
        """The name itself."""
        return value


class Whole:
    """An integer from ``least``, not negative, to ``most``; in text without leading zero."""

    native: ClassVar[type] = int

    def __init__(self, least: int, most: int) -> None:
        self.least = least
        self.most = most

    def read(self, text: str) -> int:
        """The integer."""
        digits = text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")
        if not digits or len(text) > len(str(self.most)):
            raise ValueError(f"wanted an integer from {self.least} to {self.most}")
        number = int(text)
        if not self.least <= number <= self.most:
            raise ValueError(f"wanted {self.least} to {self.most}, got {number}")
        return number

    def write(self, value: int) -> str:
        """Its decimal digits."""
        return str(value)


class Hex:
    """Exactly ``size`` bytes in lower-case hexadecimal."""

    native: ClassVar[type] = str

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, text: str) -> bytes:
        """The bytes."""
        if len(text) != 2 * self.size or not _HEX_DIGITS.issuperset(text):
            raise ValueError(f"wanted {self.size} bytes in lower-case hexadecimal")
        return bytes.fromhex(text)

    def write(self, value: bytes) -> str:
        """The digits."""
        return value.hex()


class Base64:
    """1 to ``most`` bytes in base64 with padding (RFC 4648 §4)."""

    native: ClassVar[type] = str

    def __init__(self, most: int) -> None:
        self.most = most

    def read(self, text: str) -> bytes:
        """The bytes."""
        data = b""
        if len(text) <= -(-self.most // 3) * 4:
            try:
                data = binascii.a2b_base64(text, strict_mode=True)
            except ValueError as error:
                raise ValueError("wanted base64") from error
        if not 1 <= len(data) <= self.most or self.write(data) != text:
            raise ValueError(f"wanted 1 to {self.most} bytes in canonical base64")
        return data

    def write(self, value: bytes) -> str:
        """The characters."""
        return binascii.b2a_base64(value, newline=False).decode("ascii")


class Base64Url:
    """1 to ``most`` bytes in base64url without padding (RFC 4648 §5)."""

    native: ClassVar[type] = str

    def __init__(self, most: int) -> None:
        self._padded = Base64(most)

    def read(self, text: str) -> bytes:
        """The bytes."""
        if not set(text).isdisjoint("+/="):
            raise ValueError("wanted base64url without padding")
        padding = "=" * (-len(text) % 4)
        return self._padded.read(text.replace("-", "+").replace("_", "/") + padding)

    def write(self, value: bytes) -> str:
        """The characters."""
        return self._padded.write(value).replace("+", "-").replace("/", "_").rstrip("=")


class Truth:
    """True or false."""

    native: ClassVar[type] = bool

    def read(self, text: str) -> bool:
        """The boolean."""
        if text not in _TRUTH:
            raise ValueError("wanted true or false")
        return _TRUTH[text]

    def write(self, value: bool) -> str:
        """Its name."""
        return str(value).lower()


class Moment:
    """A time in UTC to the second, in the form 2026-01-31T12:00:00Z (RFC 3339)."""

    native: ClassVar[type] = str

    def read(self, text: str) -> datetime:
        """The time, aware."""
        moment = datetime.strptime(text, _TIME).replace(tzinfo=UTC)
        if self.write(moment) != text:
            raise ValueError("wanted a time like 2026-01-31T12:00:00Z")
        return moment

    def write(self, value: datetime) -> str:
        """The time's text."""
        return f"{value:{_TIME}}"


class OneOf:
    """One of a few words. ``words`` maps each to its value."""

    native: ClassVar[type] = str

    def __init__(self, words: dict[str, Any]) -> None:
        self.words = words

    def read(self, text: str) -> Any:
        """The word's value."""
        if text not in self.words:
            raise ValueError(f"wanted {' or '.join(self.words)}")
        return self.words[text]

    def write(self, value: Any) -> str:
        """The word."""
        return str(value)
