# SPDX-License-Identifier: Apache-2.0
"""The text export of WhatsApp, as phones write it.

There is no specification; these are the forms that the apps write:

    [12/03/2025, 18:04:11] Ana: text          iOS
    12/03/2025, 18:04 - Ana: text             Android
    3/12/25, 6:04 PM - Ana: text              12-hour clock, often U+202F before PM

A line without a stamp continues the message above it. Two kinds of entry carry no words of a
person and are skipped and counted: system lines, which have no sender, and omitted or attached
media. iOS gives a system line the name of the group as sender; it and all media notes are marked
by U+200E before the text. Known limit: a system line of Android with ": " in it looks like a
message, because the export does not tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sealroom.chat.lines import SENDER_MAX_CHARS, Chat, Collector, Form, Line

WANTED = "a WhatsApp line such as `12/03/2025, 18:04 - Ana: text`"

# Space as the apps write it inside a stamp: plain, no-break, narrow no-break.
_SP = "[ \u00a0\u202f]"
_DATE = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\.?"
_CLOCK = rf"\d{{1,2}}[:.]\d{{2}}(?:[:.]\d{{2}})?(?:{_SP}?[AaPp]\.?{_SP}?[Mm]\.?)?"
_STAMP = f"{_DATE},?{_SP}{_CLOCK}"
_ENTRY = re.compile(
    rf"(?:\[(?P<ios>{_STAMP})\]{_SP}|(?P<android>{_STAMP}){_SP}-{_SP})(?P<rest>.*)", re.DOTALL
)
_SAID = re.compile(rf"(?P<sender>[^:]{{1,{SENDER_MAX_CHARS}}}):(?:{_SP}(?P<text>.*))?", re.DOTALL)

# Marks that only steer the direction of text. They are removed: they are invisible, and a person
# who reads the summary cannot know what they moved.
_LEFT_TO_RIGHT = "\u200e"
_MARKS = _LEFT_TO_RIGHT + "\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_NO_MARKS = dict.fromkeys(map(ord, _MARKS))

# Android writes `<Media omitted>` in the language of the phone, alone in the first line of the
# message; a caption follows in the next line and is kept.
_MEDIA_NOTE = re.compile(r"<[^<>]{3,60}>")
_DELETED = frozenset({"This message was deleted", "You deleted this message"})
_EDITED = "<This message was edited>"


def _entry(line: Line) -> re.Match[str] | None:
    return _ENTRY.fullmatch(line.text.lstrip(_MARKS))


def starts(line: Line) -> bool:
    """Whether `line` starts an entry of an export."""
    return _entry(line) is not None


def read(lines: Iterable[Line]) -> Chat:
    """The messages of an export whose first line with text starts an entry.

    Raises:
        ChatFormatError: a limit is passed.
        InputError: there is no message in it.
    """
    found = Collector()
    for line in lines:
        entry = _entry(line)
        if entry is None:
            found.continues(_words(line.text))
            continue
        said = _SAID.fullmatch(entry["rest"])
        if said is None:
            found.skip()
        else:
            found.begin(
                line,
                sender=_spaced(said["sender"]),
                time=_spaced(entry["ios"] or entry["android"]),
                text=_words(said["text"] or ""),
            )
    return found.chat(Form.WHATSAPP)


def _words(text: str) -> str:
    """What a person wrote, of the text of a message or one line of it."""
    if text.startswith(_LEFT_TO_RIGHT) or text in _DELETED or _MEDIA_NOTE.fullmatch(text):
        return ""
    return text.translate(_NO_MARKS).removesuffix(_EDITED).rstrip()


def _spaced(text: str) -> str:
    return text.translate(_NO_MARKS).translate({0xA0: " ", 0x202F: " "}).strip()
