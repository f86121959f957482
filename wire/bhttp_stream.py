# SPDX-License-Identifier: Apache-2.0
"""Reads Binary HTTP (RFC 9292) sans-I/O: bytes in any pieces, events out, both framings.

The grammar is written as generators that stop where bytes are missing, so it reads like the RFC's
figures. A message may be cut only where all that follows would be empty (§3.8; RFC 9458's own
examples leave out even the header section). Limits are checked on a length before the bytes it
announces are kept.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from wire.bhttp_fields import (
    FIELDS_MAX,
    FIELDS_MAX_BYTES,
    NAME,
    REQUEST_CONTROL,
    STATUS_FINAL,
    STATUS_INFORMATIONAL,
    VALUE,
    Fields,
    TextRule,
)
from wire.errors import FormatError
from wire.order import NEW, SPENT, Order, Ordered
from wire.varint import read_varint, varint_bytes

CONTENT_MAX_BYTES = 2**20
INFORMATIONAL_MAX = 256
PADDING_MAX_BYTES = 2**20

KNOWN_REQUEST, KNOWN_RESPONSE, INDETERMINATE_REQUEST, INDETERMINATE_RESPONSE = range(4)


@dataclass(frozen=True, slots=True)
class RequestHead:
    """Control data and header section of a request."""

    method: str
    scheme: str
    authority: str
    path: str
    headers: Fields = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Informational:
    """A 1xx block before the final status."""

    status: int
    headers: Fields = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The final status and the header section of a response."""

    status: int
    headers: Fields = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Content:
    """Some bytes of the content, at least one, as they came."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class End:
    """The content has ended; the trailer section. It comes exactly once."""

    trailers: Fields = field(default=(), repr=False)


RequestEvent = RequestHead | Content | End
ResponseEvent = Informational | ResponseHead | Content | End

E = TypeVar("E")
T = TypeVar("T")

# Part of the grammar: it stops with None where bytes are missing, and returns what it has read.
Part = Generator[None, None, T]


class _Source:
    """The bytes that have come and have not been read."""

    def __init__(self) -> None:
        self.pending = bytearray()
        self.offset = 0
        self.ended = False

    def error(self, what: str, problem: str) -> FormatError:
        return FormatError(what, self.offset, problem)

    def take(self, size: int, what: str) -> Part[bytes]:
        """Exactly `size` bytes, for which the caller has checked a limit."""
        while len(self.pending) < size:
            if self.ended:
                raise self.error(what, "the message ends in it")
            yield None
        return self.taken(size)

    def taken(self, size: int) -> bytes:
        """`size` bytes that are known to be here."""
        data = bytes(self.pending[:size])
        del self.pending[:size]
        self.offset += size
        return data

    def varint(self, what: str) -> Part[int]:
        """One integer."""
        first = yield from self.take(1, what)
        rest = yield from self.take(varint_bytes(first[0]) - 1, what)
        return read_varint(first + rest)

    def at_end(self) -> Part[bool]:
        """Whether the message ends here."""
        while not self.pending and not self.ended:
            yield None
        return not self.pending

    def text(self, rule: TextRule, size: int) -> Part[str]:
        """A text of `size` bytes that keeps `rule`."""
        rule.check_length(size, self.offset)
        start = self.offset
        raw = yield from self.take(size, rule.what)
        return rule.read(raw, start)


def _fields(source: _Source, what: str, *, known: bool) -> Part[Fields]:
    """A field section; the end of the message stands for an empty one."""
    if (yield from source.at_end()):
        return ()
    size = (yield from source.varint(what)) if known else FIELDS_MAX_BYTES
    if size > FIELDS_MAX_BYTES:
        raise source.error(what, f"wanted {FIELDS_MAX_BYTES} bytes or fewer, got {size}")
    end = source.offset + size
    lines: list[tuple[str, str]] = []
    while source.offset < end or not known:
        name_bytes = yield from source.varint(NAME.what)
        if name_bytes == 0 and not known:
            break
        name = yield from source.text(NAME, name_bytes)
        value_bytes = yield from source.varint(VALUE.what)
        lines.append((name, (yield from source.text(VALUE, value_bytes))))
        if source.offset > end or len(lines) > FIELDS_MAX:
            raise source.error(
                what, "a line too many, or one that runs past the end of the section"
            )
    return tuple(lines)


def _content(source: _Source, *, known: bool) -> Generator[Content | None, None, None]:
    """The content, handed on as it comes; the end of the message stands for an empty one."""
    total = 0
    if (yield from source.at_end()):
        return
    while size := (yield from source.varint("content")):
        total += size
        if total > CONTENT_MAX_BYTES:
            raise source.error("content", f"wanted {CONTENT_MAX_BYTES} bytes or fewer, got {total}")
        while size:
            first = yield from source.take(1, "content")
            data = first + source.taken(min(size - 1, len(source.pending)))
            size -= len(data)
            yield Content(data)
        if known:
            return


def _rest(source: _Source, *, known: bool) -> Generator[Content | End | None, None, None]:
    """Content, trailer section, and zero bytes of padding to the end."""
    yield from _content(source, known=known)
    yield End((yield from _fields(source, "trailer section", known=known)))
    padding = 0
    while not (yield from source.at_end()):
        zeros = source.taken(len(source.pending))
        padding += len(zeros)
        if any(zeros) or padding > PADDING_MAX_BYTES:
            raise source.error("padding", f"wanted {PADDING_MAX_BYTES} zero bytes or fewer")


def _known(source: _Source, known: int, indeterminate: int) -> Part[bool]:
    """The framing indicator: whether lengths are known, if it is one of the two."""
    framing = yield from source.varint("framing indicator")
    if framing not in (known, indeterminate):
        raise source.error("framing indicator", f"wanted {known} or {indeterminate}, got {framing}")
    return framing == known


def _request(source: _Source) -> Generator[RequestEvent | None, None, None]:
    known = yield from _known(source, KNOWN_REQUEST, INDETERMINATE_REQUEST)
    control = []
    for rule in REQUEST_CONTROL:
        size = yield from source.varint(rule.what)
        control.append((yield from source.text(rule, size)))
    method, scheme, authority, path = control
    headers = yield from _fields(source, "header section", known=known)
    yield RequestHead(method, scheme, authority, path, headers)
    yield from _rest(source, known=known)


def _response(source: _Source) -> Generator[ResponseEvent | None, None, None]:
    known = yield from _known(source, KNOWN_RESPONSE, INDETERMINATE_RESPONSE)
    informational = 0
    while (status := (yield from source.varint("status"))) in STATUS_INFORMATIONAL:
        informational += 1
        if informational > INFORMATIONAL_MAX:
            raise source.error("informational responses", f"more than {INFORMATIONAL_MAX}")
        headers = yield from _fields(source, "header section", known=known)
        yield Informational(status, headers)
    if status not in STATUS_FINAL:
        raise source.error("status", f"wanted 100 to 599, got {status}")
    headers = yield from _fields(source, "header section", known=known)
    yield ResponseHead(status, headers)
    yield from _rest(source, known=known)


class _MessageReader(Ordered, Generic[E]):
    ORDER: ClassVar[Order] = {
        "receive": {NEW: NEW},
        "finish": {NEW: SPENT},
    }

    def __init__(self, source: _Source, message: Generator[E | None, None, None]) -> None:
        super().__init__()
        self._source = source
        self._message = message

    def receive(self, data: bytes) -> list[E]:
        """Take the next bytes; give the events they complete.

        Raises:
            FormatError: They break a rule or pass a limit.
        """
        with self.step("receive"):
            self._source.pending += data
            return self._events()

    def finish(self) -> list[E]:
        """The message has ended; give the events that only its end completes.

        Raises:
            FormatError: It may not end here.
        """
        with self.step("finish"):
            self._source.ended = True
            return self._events()

    def _events(self) -> list[E]:
        events = []
        for event in self._message:
            if event is None:
                break
            events.append(event)
        return events


class RequestReader(_MessageReader[RequestEvent]):
    """Reads one request: `RequestHead`, `Content` as it comes, `End`."""

    def __init__(self) -> None:
        source = _Source()
        super().__init__(source, _request(source))


class ResponseReader(_MessageReader[ResponseEvent]):
    """Reads one response: `Informational` any number of times, `ResponseHead`, `Content`, `End`."""

    def __init__(self) -> None:
        source = _Source()
        super().__init__(source, _response(source))
