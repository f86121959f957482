# SPDX-License-Identifier: Apache-2.0
"""Binary HTTP (RFC 9292): whole requests and responses as values, written and parsed in one go.

Parsing runs the streaming readers on the whole message, so there is one grammar. Writing never
cuts a message short: both framings are written in full, and padding is zero bytes at the end.
A `repr` shows no content and no field.
"""

from dataclasses import dataclass, field

from wire import bhttp_pieces as pieces
from wire.bhttp_fields import (
    STATUS_FINAL,
    STATUS_INFORMATIONAL,
    Fields,
    write_control,
    write_lines,
    write_status,
)
from wire.bhttp_stream import (
    KNOWN_REQUEST,
    KNOWN_RESPONSE,
    Content,
    End,
    Informational,
    RequestHead,
    RequestReader,
    ResponseHead,
    ResponseReader,
)
from wire.varint import write_varint

__all__ = [
    "Fields",
    "Informational",
    "Request",
    "Response",
    "parse_request",
    "parse_response",
    "write_request",
    "write_response",
]


@dataclass(frozen=True, slots=True)
class Request:
    """A request. Text is Latin-1; field names are lower case."""

    method: str
    scheme: str
    authority: str
    path: str
    headers: Fields = field(default=(), repr=False)
    content: bytes = field(default=b"", repr=False)
    trailers: Fields = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """A response, with the 1xx blocks that came before its final status."""

    status: int
    headers: Fields = field(default=(), repr=False)
    content: bytes = field(default=b"", repr=False)
    trailers: Fields = field(default=(), repr=False)
    informational: tuple[Informational, ...] = ()


def parse_request(data: bytes) -> Request:
    """Parse one whole request of either framing.

    Raises:
        FormatError: It breaks a rule of RFC 9292 or passes a limit.
    """
    reader = RequestReader()
    events = reader.receive(data) + reader.finish()
    [head] = [event for event in events if isinstance(event, RequestHead)]
    [end] = [event for event in events if isinstance(event, End)]
    content = b"".join(event.data for event in events if isinstance(event, Content))
    control = (head.method, head.scheme, head.authority, head.path)
    return Request(*control, head.headers, content, end.trailers)


def parse_response(data: bytes) -> Response:
    """Parse one whole response of either framing.

    Raises:
        FormatError: It breaks a rule of RFC 9292 or passes a limit.
    """
    reader = ResponseReader()
    events = reader.receive(data) + reader.finish()
    informational = tuple(event for event in events if isinstance(event, Informational))
    [head] = [event for event in events if isinstance(event, ResponseHead)]
    [end] = [event for event in events if isinstance(event, End)]
    content = b"".join(event.data for event in events if isinstance(event, Content))
    return Response(head.status, head.headers, content, end.trailers, informational)


def write_request(request: Request, *, indeterminate: bool = False, padding: int = 0) -> bytes:
    """The bytes of a request, followed by `padding` zero bytes.

    Raises:
        FormatError: A text does not have its form, or a limit was passed.
    """
    control = (request.method, request.scheme, request.authority, request.path)
    if indeterminate:
        return (
            pieces.begin_request(*control, request.headers)
            + _open_rest(request.content, request.trailers)
            + pieces.padding(padding)
        )
    return (
        write_varint(KNOWN_REQUEST)
        + write_control(control)
        + _section(write_lines(request.headers))
        + _section(request.content)
        + _section(write_lines(request.trailers))
        + pieces.padding(padding)
    )


def write_response(response: Response, *, indeterminate: bool = False, padding: int = 0) -> bytes:
    """The bytes of a response, followed by `padding` zero bytes.

    Raises:
        FormatError: A status or text does not have its form, or a limit was passed.
    """
    if indeterminate:
        blocks = (pieces.informational(one.status, one.headers) for one in response.informational)
        return (
            pieces.begin_response()
            + b"".join(blocks)
            + pieces.head(response.status, response.headers)
            + _open_rest(response.content, response.trailers)
            + pieces.padding(padding)
        )
    blocks = (
        write_status(one.status, STATUS_INFORMATIONAL) + _section(write_lines(one.headers))
        for one in response.informational
    )
    return (
        write_varint(KNOWN_RESPONSE)
        + b"".join(blocks)
        + write_status(response.status, STATUS_FINAL)
        + _section(write_lines(response.headers))
        + _section(response.content)
        + _section(write_lines(response.trailers))
        + pieces.padding(padding)
    )


def _section(written: bytes) -> bytes:
    return write_varint(len(written)) + written


def _open_rest(content: bytes, trailers: Fields) -> bytes:
    return pieces.content(content) + pieces.end_content() + pieces.trailers(trailers)
