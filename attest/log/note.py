# SPDX-License-Identifier: Apache-2.0
"""Signed notes: a text, a blank line, and signature lines (C2SP signed-note).

Reading believes nothing; whether a signature is any good is `attest.log.keys`' to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from attest.errors import FormatError
from attest.scalars import Base64

NOTE_MAX_BYTES: Final = 256 * 1024
SIGNATURES_MAX: Final = 64  # the specification asks for at least 16
SIGNATURE_MAX_BYTES: Final = 8192
KEY_ID_BYTES: Final = 4
DECIMAL_MAX: Final = (1 << 63) - 1  # of sizes, indexes and times

_WHAT: Final = "note"
_DASH: Final = "\u2014 "
_SIGNATURE: Final = Base64(KEY_ID_BYTES + SIGNATURE_MAX_BYTES)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who says to have signed, with which of its keys, and the signature."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text, with its final newline, and what is said to be signatures of it."""

    text: str
    signatures: tuple[NoteSignature, ...]


def parse_note(data: bytes) -> Note:
    """Read a signed note.

    Raises:
        FormatError: not one, or over a limit.
    """
    if len(data) > NOTE_MAX_BYTES:
        raise FormatError(_WHAT, None, f"wanted at most {NOTE_MAX_BYTES} bytes, got {len(data)}")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(_WHAT, error.start, "wanted UTF-8") from error
    if any(character < " " and character != "\n" for character in whole):
        raise FormatError(_WHAT, None, "wanted no control characters but newlines")
    text, blank, signed = whole.rpartition("\n\n")
    if not blank or not signed.endswith("\n"):
        raise FormatError(_WHAT, None, "wanted a text, a blank line and lines of signatures")
    lines = signed[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise FormatError(
            _WHAT, None, f"wanted at most {SIGNATURES_MAX} signatures, got {len(lines)}"
        )
    try:
        return Note(text + "\n", tuple(_parse_signature(line) for line in lines))
    except ValueError as error:
        raise FormatError(_WHAT, None, str(error)) from error


def check_key_name(name: str) -> None:
    """Refuse what is no name of a key.

    Raises:
        ValueError: empty, or with a space or a plus.
    """
    if not name or "+" in name or any(character.isspace() for character in name):
        raise ValueError("wanted a key's name, without spaces and plus signs")


def read_decimal(text: str) -> int:
    """Read a number as these formats write it: ASCII digits, no leading zero.

    Raises:
        ValueError: written otherwise, or too large.
    """
    digits = text.isascii() and text.isdigit()
    if not digits or (text[0] == "0" and text != "0"):
        raise ValueError("wanted a decimal number without leading zeroes")
    if (number := int(text)) > DECIMAL_MAX:
        raise ValueError(f"wanted a number up to {DECIMAL_MAX}")
    return number


def _parse_signature(line: str) -> NoteSignature:
    if not line.startswith(_DASH):
        raise ValueError("a signature: wanted a line that begins with a dash and a space")
    name, _, text = line.removeprefix(_DASH).partition(" ")
    check_key_name(name)
    data = _SIGNATURE.read(text)
    if len(data) <= KEY_ID_BYTES:
        raise ValueError(f"a signature: wanted more than {KEY_ID_BYTES} bytes, got {len(data)}")
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])
