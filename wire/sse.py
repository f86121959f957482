# SPDX-License-Identifier: Apache-2.0
"""The event stream of an answer (the part of WHATWG HTML §9.2 we write), shaped into records.

    event: delta        data: {"text":…}         any number of times
    event: done         data: {Done}             or
    event: error        data: {"error":"<code>"} ends it

The stream leaves the guest in records of one size, filled up with comments, so that an observer
sees neither the length of a piece nor whether there was one. A record holds whole events: whoever
has to end a stream whose writer died (the guest's keyholder) can put an event after any record.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from wire.api import Done, Failure, parse_done, parse_failure, write_done, write_failure
from wire.errors import FormatError, TruncatedError
from wire.order import NEW, SPENT, Order, Ordered
from wire.strictjson import Members, load_json, write_json

RECORD_BYTES = 512
LINE_MAX_BYTES = 16384
TEXT_MAX_CHARACTERS = 4096
DELTA_CHARACTERS = 32
"""Of one delta we write: JSON may spell a character with 12 bytes, and the event fits a record."""


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer's text."""

    text: str = field(repr=False)


Event = Delta | Done | Failure


def write_event(event: Event) -> bytes:
    """The lines of one event, with the empty line that ends it."""
    if isinstance(event, Delta):
        return _lines(b"delta", write_json({"text": event.text}))
    if isinstance(event, Done):
        return _lines(b"done", write_done(event))
    return _lines(b"error", write_failure(event))


def write_deltas(text: str) -> list[bytes]:
    """The events of a piece of text, each short enough for a record."""
    return [
        write_event(Delta(text[at : at + DELTA_CHARACTERS]))
        for at in range(0, len(text), DELTA_CHARACTERS)
    ]


def _lines(name: bytes, data: bytes) -> bytes:
    return b"event: " + name + b"\ndata: " + data + b"\n\n"


class RecordShaper:
    """Lays whole events into records of `RECORD_BYTES` bytes; what is missing is a comment."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()

    @property
    def pending(self) -> int:
        """Bytes of events that no record has taken yet."""
        return sum(map(len, self._waiting))

    def push(self, event: bytes) -> None:
        """Add a whole event, as `write_event` and `write_deltas` make them.

        Raises:
            ValueError: It does not fit a record.
        """
        if len(event) > RECORD_BYTES:
            raise ValueError(f"event: wanted at most {RECORD_BYTES} bytes, got {len(event)}")
        self._waiting.append(event)

    def record(self) -> bytes:
        """The next record: events, then one comment to its end (an empty line, for one byte)."""
        events = b""
        while self._waiting and len(events) + len(self._waiting[0]) <= RECORD_BYTES:
            events += self._waiting.popleft()
        missing = RECORD_BYTES - len(events)
        filler = b"\n" if missing == 1 else b":".ljust(missing - 1) + b"\n" if missing else b""
        return events + filler


class EventReader(Ordered):
    """Reads an event stream that comes in any pieces."""

    ORDER: ClassVar[Order] = {
        "receive": {NEW: NEW},
        "finish": {NEW: SPENT},
    }

    def __init__(self) -> None:
        super().__init__()
        self._line = b""
        self._event: list[bytes] = []
        self._ended = False

    def receive(self, data: bytes) -> list[Event]:
        """Take the next bytes; give the events they complete.

        Raises:
            FormatError: A line is too long, or no line of such a stream, or follows the stream's
                end.
        """
        with self.step("receive"):
            *lines, rest = (self._line + data).split(b"\n")
            if max(map(len, [*lines, rest])) > LINE_MAX_BYTES:
                raise FormatError("event stream", 0, f"a line of more than {LINE_MAX_BYTES} bytes")
            self._line = rest
            read = (self._read(line) for line in lines)
            return [event for event in read if event is not None]

    def finish(self) -> None:
        """The stream has ended.

        Raises:
            TruncatedError: It ended before `done` or `error`, or within a line.
        """
        with self.step("finish"):
            if not self._ended or self._line:
                raise TruncatedError

    def _read(self, line: bytes) -> Event | None:
        """One line without its end; an empty one completes an event, if one was begun."""
        if line.startswith(b":"):
            return None
        if line:
            self._event.append(line)
            if self._ended or len(self._event) > len(_PREFIXES):
                raise FormatError("event stream", 0, "a line that may not stand there")
            return None
        if not self._event:
            return None
        event = _parse_event(self._event)
        self._event = []
        self._ended = not isinstance(event, Delta)
        return event


_PREFIXES = (b"event: ", b"data: ")


def _parse_event(lines: list[bytes]) -> Event:
    if len(lines) != len(_PREFIXES) or not all(map(bytes.startswith, lines, _PREFIXES)):
        raise FormatError("event", 0, "wanted one event line, then one data line")
    name, data = map(bytes.removeprefix, lines, _PREFIXES)
    if name not in _PARSERS:
        raise FormatError("event", 0, "wanted delta, done or error")
    return _PARSERS[name](data)


def _parse_delta(data: bytes) -> Delta:
    body = Members("delta", load_json(data, what="delta", max_bytes=LINE_MAX_BYTES), ("text",))
    return Delta(body.text("text", most=TEXT_MAX_CHARACTERS))


_PARSERS: dict[bytes, Callable[[bytes], Event]] = {
    b"delta": _parse_delta,
    b"done": parse_done,
    b"error": parse_failure,
}
