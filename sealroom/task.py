# SPDX-License-Identifier: Apache-2.0
"""What can be asked of a guest, in the bytes that `wire.api` fixes. Nothing is sealed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sealroom.errors import InputError
from wire.api import (
    REWRITE,
    SUMMARIZE,
    Message,
    RewriteRequest,
    SummarizeRequest,
    Tone,
    write_rewrite,
    write_summarize,
)
from wire.errors import FormatError


@dataclass(frozen=True, slots=True)
class Task:
    """One request before it is sealed; it can be sealed as often as needed."""

    path: str
    content: bytes = field(repr=False)


def summarize(messages: Iterable[Message]) -> Task:
    """The summary of a chat, oldest message first.

    Raises:
        InputError: there are no messages, or more or longer ones than a guest takes.
    """
    chat = tuple(messages)
    if not chat:
        raise InputError("chat", "at least one message", "none")
    with _input_errors("chat"):
        return Task(SUMMARIZE, write_summarize(SummarizeRequest(chat)))


def rewrite(text: str, tone: Tone | str) -> Task:
    """Another wording of `text`.

    Raises:
        ValueError: there is no such tone.
        InputError: the text is empty, or longer than a guest takes.
    """
    chosen = Tone(tone)
    with _input_errors("text"):
        return Task(REWRITE, write_rewrite(RewriteRequest(text, chosen)))


@contextmanager
def _input_errors(what: str) -> Iterator[None]:
    try:
        yield
    except FormatError as error:
        raise InputError(what, "what a guest takes", f"{error.what}: {error.problem}") from error
    except UnicodeEncodeError:
        # Its text may be told, but the error object carries all that was to be sent.
        raise InputError(what, "Unicode text", "half of a surrogate pair") from None
