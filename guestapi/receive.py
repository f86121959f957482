# SPDX-License-Identifier: Apache-2.0
"""Reading one gRPC message with a size limit.

This file owns one rule: no end of the service takes memory for a message before its length was
checked. grpclib 0.4.9 has no such limit: it reads the 32-bit length prefix (gRPC over HTTP/2,
"Length-Prefixed-Message") and acknowledges data until that many bytes have come, so a peer could
fill 4 GiB. It also lets protobuf's and its own assertion errors out for a malformed message;
here they become one error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from google.protobuf.message import DecodeError

Message = TypeVar("Message")
Message_co = TypeVar("Message_co", covariant=True)


class MessageError(Exception):
    """The peer sent a message that is too large, cut short, compressed or not protobuf.

    Attributes:
        problem: what was wrong, without any of the bytes.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"gRPC message: {problem}")
        self.problem = problem


class Readable(Protocol[Message_co]):
    """What the streams of grpclib's client and server have in common."""

    async def recv_message(self) -> Message_co | None:
        """The next message, or None when the peer has ended its side."""


async def receive(stream: Readable[Message], *, max_bytes: int) -> Message | None:
    """The next message of `stream`, or None when the peer has half-closed.

    `stream` is a grpclib stream of either side; on the client its request must have been sent.

    Raises:
        MessageError: the message is longer than `max_bytes` or malformed.
        StreamTerminatedError, GRPCError: as grpclib raises them.
    """
    # grpclib gives its HTTP/2 stream no public name, and no other place sees the length first.
    wire: Any = stream._stream  # type: ignore[attr-defined]  # noqa: SLF001 (see above)
    if "recv_data" not in vars(wire):
        wire.recv_data = _bounded(wire.recv_data, max_bytes)
    try:
        return await stream.recv_message()
    except AssertionError as error:
        raise MessageError("ended in the middle") from error
    except NotImplementedError as error:
        raise MessageError("is compressed") from error
    except DecodeError as error:
        raise MessageError("is not protobuf") from error


def _bounded(
    read: Callable[[int], Awaitable[bytes]], max_bytes: int
) -> Callable[[int], Awaitable[bytes]]:
    async def recv_data(size: int) -> bytes:
        if size > max_bytes:
            raise MessageError(f"wanted at most {max_bytes} bytes, got {size}")
        return await read(size)

    return recv_data
