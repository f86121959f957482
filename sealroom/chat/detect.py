# SPDX-License-Identifier: Apache-2.0
"""The form of a chat, told by its first line with text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from sealroom.chat import jsonlines, plain, whatsapp
from sealroom.chat.lines import Chat, Line, numbered
from sealroom.errors import InputError


class Reader(NamedTuple):
    """One form: which line starts it, and what reads it."""

    starts: Callable[[Line], bool]
    read: Callable[[Iterable[Line]], Chat]


# In the order in which they are asked: a WhatsApp line without a clock's colon could also be a
# plain line of somebody with a strange name, so plain is the last.
READERS = (
    Reader(whatsapp.starts, whatsapp.read),
    Reader(jsonlines.starts, jsonlines.read),
    Reader(plain.starts, plain.read),
)
WANTED = f"{whatsapp.WANTED}, {jsonlines.WANTED}, or {plain.WANTED}"


def read_chat(data: bytes) -> Chat:
    """The chat in `data`, in whichever of the three forms it is.

    Raises:
        ChatFormatError: a line is in no form that is read; the error has its number.
        InputError: it is empty, too long, or has no message in it.
    """
    lines = list(numbered(data))
    first = next((line for line in lines if line.text.strip()), None)
    if first is None:
        raise InputError("chat", "at least one message", "an empty file")
    for reader in READERS:
        if reader.starts(first):
            return reader.read(lines)
    raise first.refuse(WANTED, f"{len(first.text)} characters in none of these forms")
