# SPDX-License-Identifier: Apache-2.0
"""JSON lines: one object `{"sender": …, "time": …, "text": …}` per line, blank lines between.

All three are strings and all three must be there, once, and nothing else; `time` may be empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sealroom.chat.lines import SENDER_MAX_CHARS, Chat, Collector, Form, Line

WANTED = 'a JSON object with the strings "sender", "time" and "text"'
_KEYS = ("sender", "time", "text")


def starts(line: Line) -> bool:
    """Whether `line` looks like an object."""
    return line.text.lstrip().startswith("{")


def read(lines: Iterable[Line]) -> Chat:
    """The messages of a JSON lines file.

    Raises:
        ChatFormatError: a line is not such an object, or a limit is passed.
        InputError: there is no message in it.
    """
    found = Collector()
    for line in lines:
        if line.text.strip():
            sender, time, text = _strings(line)
            found.begin(line, sender=sender, time=time, text=text)
    return found.chat(Form.JSON_LINES)


def _strings(line: Line) -> tuple[str, str, str]:
    try:
        pairs = json.loads(line.text, object_pairs_hook=list)
    except json.JSONDecodeError as error:
        raise line.refuse(WANTED, f"bad JSON at column {error.colno}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; nested too deeply
        raise line.refuse(WANTED, "bad JSON") from None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise line.refuse(WANTED, "JSON that is no object")
    if sorted(key for key, _ in pairs) != sorted(_KEYS):
        raise line.refuse(WANTED, f"{len(pairs)} keys that are not these")
    values = dict(pairs)
    for key in _KEYS:
        if not isinstance(values[key], str) or not _is_text(values[key]):
            raise line.refuse(WANTED, f"a {key} that is no string of Unicode text")
    if not 0 < len(values["sender"].strip()) <= SENDER_MAX_CHARS:
        raise line.refuse(f"a sender of 1 to {SENDER_MAX_CHARS} characters", "another length")
    return values["sender"].strip(), values["time"], values["text"]


def _is_text(value: str) -> bool:
    # JSON can name half of a surrogate pair, and UTF-8 cannot carry it.
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)
