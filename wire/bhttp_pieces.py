# SPDX-License-Identifier: Apache-2.0
"""Writes Binary HTTP of indeterminate length (RFC 9292 §3.2) piece by piece.

    request  = begin_request                  content* end_content trailers padding
    response = begin_response informational* head content* end_content trailers padding

The pieces keep no state, so that two processes can write one message: the worker its beginning and
the keyholder its end.
"""

from wire.bhttp_fields import (
    STATUS_FINAL,
    STATUS_INFORMATIONAL,
    Fields,
    write_control,
    write_lines,
    write_status,
)
from wire.bhttp_stream import INDETERMINATE_REQUEST, INDETERMINATE_RESPONSE
from wire.varint import write_varint

_END = write_varint(0)


def begin_request(
    method: str, scheme: str, authority: str, path: str, headers: Fields = ()
) -> bytes:
    """Framing indicator, control data and header section of a request.

    Raises:
        FormatError: A text does not have the form RFC 9292 §3.4 wants.
    """
    control = write_control((method, scheme, authority, path))
    return write_varint(INDETERMINATE_REQUEST) + control + write_lines(headers) + _END


def begin_response() -> bytes:
    """The framing indicator of a response."""
    return write_varint(INDETERMINATE_RESPONSE)


def informational(status: int, headers: Fields = ()) -> bytes:
    """A 1xx block before the head; 102 serves as a sign of life.

    Raises:
        FormatError: The status is not 100 to 199, or a field does not have its form.
    """
    return write_status(status, STATUS_INFORMATIONAL) + write_lines(headers) + _END


def head(status: int, headers: Fields = ()) -> bytes:
    """The final status and the header section.

    Raises:
        FormatError: The status is not 200 to 599, or a field does not have its form.
    """
    return write_status(status, STATUS_FINAL) + write_lines(headers) + _END


def content(data: bytes) -> bytes:
    """Some content; none for no bytes, because an empty chunk would mean its end."""
    return write_varint(len(data)) + data if data else b""


def end_content() -> bytes:
    """The end of the content."""
    return _END


def trailers(fields: Fields = ()) -> bytes:
    """The trailer section, also when it is empty.

    Raises:
        FormatError: A field does not have its form.
    """
    return write_lines(fields) + _END


def padding(size: int) -> bytes:
    """`size` zero bytes, which may follow a complete message."""
    return bytes(size)
