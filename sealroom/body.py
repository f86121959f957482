# SPDX-License-Identifier: Apache-2.0
"""The two bodies an answer can have inside: an event stream, or JSON in one piece. No I/O.

Both end in a `Done`, or in a `Failure` by which the guest says why there is none. What is neither
is a `FormatError` of `wire`.
"""

from __future__ import annotations

from typing import Protocol

from wire.api import (
    EVENT_STREAM,
    JSON,
    STATUS,
    Done,
    Failure,
    parse_answer,
    parse_failure,
)
from wire.bhttp_stream import ResponseHead
from wire.errors import FormatError
from wire.sse import Delta, EventReader

STATUS_OK = 200


class AnswerBody(Protocol):
    """What an answer says, as it comes in."""

    text: str

    def receive(self, data: bytes) -> str:
        """The text that `data` adds, often none."""

    @property
    def refused(self) -> bool:
        """Whether the guest has said that there is no (more) output."""

    def end(self) -> Done | Failure:
        """How it ended, all having been received; only now is `text` whole."""


class EventBody:
    """A `text/event-stream`: text in deltas, then one `done` or `error`."""

    def __init__(self) -> None:
        self.text = ""
        self._reader = EventReader()
        self._last: Done | Failure | None = None

    def receive(self, data: bytes) -> str:
        """The text of the deltas that `data` completes."""
        piece = ""
        for event in self._reader.receive(data):
            if isinstance(event, Delta):
                piece += event.text
            else:
                self._last = event
        self.text += piece
        return piece

    @property
    def refused(self) -> bool:
        """Whether an `error` event came."""
        return isinstance(self._last, Failure)

    def end(self) -> Done | Failure:
        """The last event."""
        if self._last is None:
            raise FormatError("event stream", 0, "wanted done or error at its end, got neither")
        self._reader.finish()
        return self._last


class JsonBody:
    """`application/json` in one piece: an answer, or with another status than 200 a failure."""

    def __init__(self, status: int) -> None:
        self.text = ""
        self._status = status
        self._data = bytearray()

    def receive(self, data: bytes) -> str:
        """Nothing: the text comes with the end."""
        self._data += data
        return ""

    @property
    def refused(self) -> bool:
        """Whether the status says so."""
        return self._status != STATUS_OK

    def end(self) -> Done | Failure:
        """The answer or the failure."""
        data = bytes(self._data)
        if not self.refused:
            answer = parse_answer(data)
            self.text = answer.text
            return answer.done
        failure = parse_failure(data)
        if STATUS[failure.code] != self._status:
            wanted = STATUS[failure.code]
            raise FormatError("failure", 0, f"wanted status {wanted}, got {self._status}")
        return failure


def body_for(head: ResponseHead) -> AnswerBody:
    """The reader of the content that `head` announces.

    Raises:
        FormatError: there is none for such a head.
    """
    media = [value for name, value in head.headers if name == "content-type"]
    if media == [EVENT_STREAM] and head.status == STATUS_OK:
        return EventBody()
    if media == [JSON]:
        return JsonBody(head.status)
    problem = f"wanted {EVENT_STREAM} or {JSON}, got status {head.status} with something else"
    raise FormatError("response", 0, problem)
