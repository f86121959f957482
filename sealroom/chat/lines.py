# SPDX-License-Identifier: Apache-2.0
"""The limits of a chat file, and its cutting into numbered lines.

A line ends with LF or CRLF and with nothing else: U+2028, form feeds and their like are text that
people send. UTF-8 only; one byte order mark at the start is what some phones write, and is dropped.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from dataclasses import dataclass

from sealroom.errors import ChatFormatError, InputError
from wire.api import Message

CHAT_MAX_BYTES = 8 * 1024 * 1024
LINE_MAX_CHARS = 65_536
MESSAGES_MAX = 50_000
SENDER_MAX_CHARS = 100


class Form(enum.StrEnum):
    """How a chat is written."""

    WHATSAPP = "whatsapp"
    JSON_LINES = "json-lines"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat as read. `skipped` counts what carries no words: system lines and omitted media."""

    form: Form
    messages: tuple[Message, ...] = dataclasses.field(repr=False)
    skipped: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file; `number` counts from 1."""

    number: int
    text: str

    def refuse(self, wanted: str, got: str) -> ChatFormatError:
        """The error for this line; `got` must describe the line and not quote it."""
        return ChatFormatError(self.number, wanted, got)


def numbered(data: bytes) -> Iterator[Line]:
    """The lines of `data`, each within `LINE_MAX_CHARS`.

    Raises:
        InputError: `data` is longer than `CHAT_MAX_BYTES`.
        ChatFormatError: a line is not UTF-8, too long, or has a NUL in it.
    """
    if len(data) > CHAT_MAX_BYTES:
        raise InputError("chat", f"at most {CHAT_MAX_BYTES} bytes", f"{len(data)}")
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            line = Line(number, raw.removesuffix(b"\r").decode("utf-8"))
        except UnicodeDecodeError as error:
            problem = f"{error.reason} at byte {error.start} of the line"
            raise ChatFormatError(number, "UTF-8", problem) from None
        if len(line.text) > LINE_MAX_CHARS:
            raise line.refuse(f"at most {LINE_MAX_CHARS} characters", f"{len(line.text)}")
        if "\0" in line.text:
            raise line.refuse("text", "a NUL character")
        yield line


class Collector:
    """Messages as they are found, each possibly followed by more lines of the same message."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._open: tuple[str, str, list[str]] | None = None
        self.skipped = 0

    def begin(self, line: Line, sender: str, time: str, text: str) -> None:
        """A message starts on `line`.

        Raises:
            ChatFormatError: the chat has more than `MESSAGES_MAX` messages.
        """
        self.close()
        if len(self._messages) >= MESSAGES_MAX:
            raise line.refuse(f"at most {MESSAGES_MAX} messages", "one more")
        self._open = (sender, time, [text])

    def continues(self, text: str) -> None:
        """The message that is open goes on; without one, the line belongs to what was skipped."""
        if self._open is not None:
            self._open[2].append(text)

    def skip(self) -> None:
        """What starts here is no message, and neither are the lines that continue it."""
        self.close()
        self.skipped += 1

    def close(self) -> None:
        """The open message is whole; without any words left it counts as skipped."""
        if self._open is None:
            return
        sender, time, parts = self._open
        self._open = None
        text = "\n".join(parts).strip()
        if text:
            self._messages.append(Message(sender=sender, time=time, text=text))
        else:
            self.skipped += 1

    def chat(self, form: Form) -> Chat:
        """What was collected.

        Raises:
            InputError: there is no message at all.
        """
        self.close()
        if not self._messages:
            raise InputError("chat", "at least one message", f"none, {self.skipped} skipped")
        return Chat(form=form, messages=tuple(self._messages), skipped=self.skipped)
