# SPDX-License-Identifier: Apache-2.0
"""What may stand in a Binary HTTP message: one table of rules, used when writing and when reading.

RFC 9292 §3.4 to §3.6 take their rules from HTTP/2 (RFC 9113 §8.2.1, §8.3) and HTTP (RFC 9110 §5).
Text is Latin-1, one character per byte. CONNECT, which has no path, is not spoken.
"""

import re
from dataclasses import dataclass

from wire.errors import FormatError
from wire.varint import write_varint

Fields = tuple[tuple[str, str], ...]

FIELDS_MAX = 64
FIELDS_MAX_BYTES = 16384
STATUS_FINAL = range(200, 600)
STATUS_INFORMATIONAL = range(100, 200)


@dataclass(frozen=True, slots=True)
class TextRule:
    """One kind of text: its name, its form, and its longest length in bytes."""

    what: str
    form: re.Pattern[bytes]
    max_bytes: int

    def check_length(self, length: int, offset: int) -> None:
        """Refuse a length before the bytes are kept.

        Raises:
            FormatError: It is above `max_bytes`.
        """
        if length > self.max_bytes:
            problem = f"wanted {self.max_bytes} bytes or fewer, got {length}"
            raise FormatError(self.what, offset, problem)

    def read(self, raw: bytes, offset: int) -> str:
        """The text, if it has the form.

        Raises:
            FormatError: It has not.
        """
        self.check_length(len(raw), offset)
        if not self.form.fullmatch(raw):
            raise FormatError(self.what, offset, "a character that may not stand there, or none")
        return raw.decode("latin-1")

    def write(self, text: str) -> bytes:
        """Length and bytes of the text.

        Raises:
            FormatError: It does not have the form.
        """
        try:
            raw = text.encode("latin-1")
        except UnicodeEncodeError as error:
            raise FormatError(self.what, error.start, "a character outside Latin-1") from None
        self.read(raw, 0)
        return write_varint(len(raw)) + raw


_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LOWER_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9a-z]+"
_VALUE = rb"(?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?"

METHOD = TextRule("method", re.compile(_TOKEN), 32)
SCHEME = TextRule("scheme", re.compile(rb"[a-z][a-z0-9+\-.]*"), 32)
AUTHORITY = TextRule("authority", re.compile(rb"[!-~]*"), 512)
PATH = TextRule("path", re.compile(rb"[/*][!-~]*"), 2048)
NAME = TextRule("field name", re.compile(_LOWER_TOKEN), 256)
VALUE = TextRule("field value", re.compile(_VALUE), 8192)

REQUEST_CONTROL = (METHOD, SCHEME, AUTHORITY, PATH)


def write_control(texts: tuple[str, str, str, str]) -> bytes:
    """Method, scheme, authority and path.

    Raises:
        FormatError: One of them does not have its form.
    """
    pairs = zip(REQUEST_CONTROL, texts, strict=True)
    return b"".join(rule.write(text) for rule, text in pairs)


def write_status(status: int, allowed: range) -> bytes:
    """A status, which must be one of `STATUS_INFORMATIONAL` or `STATUS_FINAL`.

    Raises:
        FormatError: It is not.
    """
    if status not in allowed:
        raise FormatError("status", 0, f"wanted {allowed[0]} to {allowed[-1]}, got {status}")
    return write_varint(status)


def write_lines(fields: Fields) -> bytes:
    """The field lines, without what says how many they are.

    Raises:
        FormatError: A name or value has not the form, or a limit was passed.
    """
    if len(fields) > FIELDS_MAX:
        raise FormatError("fields", 0, f"wanted {FIELDS_MAX} lines or fewer, got {len(fields)}")
    lines = b"".join(NAME.write(name) + VALUE.write(value) for name, value in fields)
    if len(lines) > FIELDS_MAX_BYTES:
        problem = f"wanted {FIELDS_MAX_BYTES} bytes or fewer, got {len(lines)}"
        raise FormatError("fields", 0, problem)
    return lines
