# SPDX-License-Identifier: Apache-2.0
"""Scalars in records: each kind of value has exactly one spelling in text.

A codec stands in a record's annotation (``Annotated[bytes, Hex(32)]``). It reads and writes text;
``native`` is the type that carries the same value in JSON, where that is not text.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Text:
    """A string of 1 to ``most`` characters."""

    most: int
    native: ClassVar[type] = str

    def read(self, text: str) -> str:
        """The string itself."""
        if not 1 <= len(text) <= self.most:
            raise ValueError(f"wanted 1 to {self.most} characters, got {len(text)}")
        return text

    def write(self, value: str) -> str:
        """The string itself."""
        return value


@dataclass(frozen=True, slots=True)
class Name:
    """1 to ``most`` characters: lower-case words of letters and digits, a dash between two."""

    most: int
    native: ClassVar[type] = str

    def read(self, text: str) -> str:
        """The name itself."""
        words = text.split("-")
        if len(text) > self.most or not _NAME_CHARACTERS.issuperset(text) or not all(words):
            raise ValueError(f"wanted a lower-case-with-dashes name of at most {self.most}")
        return text

    def write(self, value: str) -> str:
        """The name itself."""
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer from ``least``, not negative, to ``most``; in text without leading zero."""

    least: int
    most: int
    native: ClassVar[type] = int

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


@dataclass(frozen=True, slots=True)
class Hex:
    """Exactly ``size`` bytes in lower-case hexadecimal."""

    size: int
    native: ClassVar[type] = str

    def read(self, text: str) -> bytes:
        """The bytes."""
        if len(text) != 2 * self.size or not _HEX_DIGITS.issuperset(text):
            raise ValueError(f"wanted {self.size} bytes in lower-case hexadecimal")
        return bytes.fromhex(text)

    def write(self, value: bytes) -> str:
        """The digits."""
        return value.hex()


@dataclass(frozen=True, slots=True)
class Base64:
    """1 to ``most`` bytes in base64 with padding (RFC 4648 §4)."""

    most: int
    native: ClassVar[type] = str

    def read(self, text: str) -> bytes:
        """The bytes."""
        data = b""
        if len(text) <= -(-self.most // 3) * 4:
            try:
                data = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError) as error:
                raise ValueError("wanted base64") from error
        if not 1 <= len(data) <= self.most or self.write(data) != text:
            raise ValueError(f"wanted 1 to {self.most} bytes in canonical base64")
        return data

    def write(self, value: bytes) -> str:
        """The characters."""
        return base64.b64encode(value).decode("ascii")


@dataclass(frozen=True, slots=True)
class Base64Url:
    """1 to ``most`` bytes in base64url without padding (RFC 4648 §5)."""

    most: int
    native: ClassVar[type] = str

    def read(self, text: str) -> bytes:
        """The bytes."""
        if not set(text).isdisjoint("+/="):
            raise ValueError("wanted base64url without padding")
        padding = "=" * (-len(text) % 4)
        return Base64(self.most).read(text.replace("-", "+").replace("_", "/") + padding)

    def write(self, value: bytes) -> str:
        """The characters."""
        return base64.urlsafe_b64encode(value).decode("ascii").rstrip("=")


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words. ``words`` maps each to its value."""

    words: dict[str, Any]
    native: ClassVar[type] = str

    def read(self, text: str) -> Any:
        """The word's value."""
        if text not in self.words:
            raise ValueError(f"wanted {' or '.join(self.words)}")
        return self.words[text]

    def write(self, value: Any) -> str:
        """The word."""
        return str(value)
