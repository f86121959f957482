# SPDX-License-Identifier: Apache-2.0
"""Plain chats: `Name: text`, one message per line; an indented line continues the message above."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sealroom.chat.lines import SENDER_MAX_CHARS, Chat, Collector, Form, Line

WANTED = "`Name: text`, or an indented line that continues it"
_SAID = re.compile(rf"(?P<sender>[^:\s][^:]{{0,{SENDER_MAX_CHARS - 1}}}): (?P<text>.*)", re.DOTALL)


def starts(line: Line) -> bool:
    """Whether `line` is a `Name: text`."""
    return _SAID.fullmatch(line.text) is not None


def read(lines: Iterable[Line]) -> Chat:
    """The messages of a chat whose first line with text is a `Name: text`.

    Raises:
        ChatFormatError: a line is neither a message nor its continuation, or a limit is passed.
        InputError: there is no message in it.
    """
    found = Collector()
    for line in lines:
        said = _SAID.fullmatch(line.text)
        if said is not None:
            found.begin(line, sender=said["sender"].strip(), time="", text=said["text"])
        elif not line.text or line.text[0].isspace():
            found.continues(line.text.strip())
        else:
            raise line.refuse(WANTED, f"{len(line.text)} characters without a name")
    return found.chat(Form.PLAIN)
