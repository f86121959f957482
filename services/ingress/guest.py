# SPDX-License-Identifier: Apache-2.0
"""One guest as the ingress knows it: a channel, its last evidence, and an exchange with it.

This file owns the gRPC side. Rule: whatever the guest or the network does becomes a Refused (as
the table in `guestapi` has it); no other exception of grpclib leaves this file.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

from grpclib import GRPCError
from grpclib.exceptions import ProtocolError, StreamTerminatedError
from h2.exceptions import ProtocolError as H2Error

from guestapi import (
    CHUNK_MAX_BYTES,
    MESSAGE_MAX_BYTES,
    REPLY_MAX_BYTES,
    TARGETS_MAX,
    Reason,
    reason_of,
)
from guestapi.guest_grpc import GuestStub
from guestapi.guest_pb2 import CHUNKED as CHUNKED_MEDIA
from guestapi.guest_pb2 import WHOLE as WHOLE_MEDIA
from guestapi.guest_pb2 import EvidenceReply, EvidenceRequest, ExchangeIn, Open
from guestapi.receive import MessageError, receive
from services.ingress.address import GuestAddress, GuestChannel
from services.limits import Limits
from services.pieces import Upload
from services.problems import BUSY, DEADLINE, REFUSED, UNAVAILABLE, UNKNOWN_KEY, Problem, Refused
from services.resources import CHUNKED, WHOLE, Media

PROBLEM_OF: Final[dict[Reason, Problem]] = {
    Reason.BUSY: BUSY,
    Reason.UNKNOWN_KEY: UNKNOWN_KEY,
    Reason.REFUSED: REFUSED,
    Reason.DEADLINE: DEADLINE,
    Reason.UNAVAILABLE: UNAVAILABLE,
}
_MEDIA: Final = {WHOLE: WHOLE_MEDIA, CHUNKED: CHUNKED_MEDIA}

# What grpclib raises when the peer or the connection is not there or misbehaves. AttributeError
# is a defect of 0.4.9: it deletes the transport of a lost connection, and then acknowledges data
# that had already come.
_LOST: Final = (
    StreamTerminatedError,
    ProtocolError,
    H2Error,
    MessageError,
    OSError,
    AttributeError,
)


class Guest:
    """One guest. Connects when first needed and again after a loss."""

    def __init__(self, address: GuestAddress, limits: Limits) -> None:
        self._limits = limits
        self._channel = GuestChannel(address)
        self._stub = GuestStub(self._channel)

    def close(self) -> None:
        """Close the connection; running exchanges end as unavailable."""
        self._channel.close()

    async def evidence(self) -> EvidenceReply:
        """The guest's evidence, keys and targets, asked for now.

        Raises:
            Refused: it cannot be reached, or its reply is out of bounds.
        """
        with _refusing():
            async with self._stub.Evidence.open(timeout=self._limits.connect_s) as stream:
                await stream.send_message(EvidenceRequest(), end=True)
                reply: EvidenceReply | None = await receive(stream, max_bytes=REPLY_MAX_BYTES)
        if reply is None or len(reply.targets) > TARGETS_MAX:
            raise Refused(UNAVAILABLE)
        return reply

    async def exchange(
        self, target: str, media: Media, upload: Upload
    ) -> AsyncGenerator[bytes, None]:
        """Send the encapsulated request and yield the answer's chunks as they come.

        Leaving the iterator early resets the gRPC call, which ends the worker in the guest.

        Raises:
            Refused: the guest refused, was lost or broke the contract, or the client's body did.
        """
        with _refusing():
            async with self._stub.Exchange.open(timeout=self._limits.total_s) as stream:
                opening = ExchangeIn(open=Open(target=target, media=_MEDIA[media]))
                await stream.send_message(opening)
                sending = asyncio.create_task(_send(stream, upload, self._limits.idle_s))
                try:
                    while (chunk := await self._next(stream, sending)) is not None:
                        yield chunk
                finally:
                    await _ended(sending)

    async def _next(self, stream: Any, sending: asyncio.Task[None]) -> bytes | None:
        """The next chunk, unless sending fails first or nothing comes for too long."""
        receiving = asyncio.ensure_future(receive(stream, max_bytes=MESSAGE_MAX_BYTES))
        try:
            while not receiving.done():
                # While the client sends, its own pauses are limited instead (Upload, _send).
                done, _ = await asyncio.wait(
                    {receiving} if sending.done() else {receiving, sending},
                    timeout=self._limits.idle_s if sending.done() else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if sending in done:
                    sending.result()  # raises what went wrong with the client's body
                if not done:
                    raise Refused(DEADLINE)
            message = receiving.result()
        finally:
            await _ended(receiving)
        if message is None:
            return None
        if not 0 < len(message.chunk) <= CHUNK_MAX_BYTES:
            raise Refused(UNAVAILABLE)
        return bytes(message.chunk)


async def _send(stream: Any, upload: Upload, idle_s: float) -> None:
    """Send the client's body; what the guest does meanwhile is for the receiving side to see."""
    pieces = upload.pieces()
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            try:
                async with asyncio.timeout(idle_s):
                    await stream.send_message(ExchangeIn(chunk=piece))
            except TimeoutError as error:
                raise Refused(DEADLINE) from error
            except _LOST:
                return
    with contextlib.suppress(*_LOST):
        await stream.end()


async def _ended(task: asyncio.Future[Any]) -> None:
    """Cancel `task` and wait until it is over, whatever its result."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Turn what grpclib raises into Refused."""
    try:
        yield
    except GRPCError as error:
        raise Refused(PROBLEM_OF[reason_of(error)]) from error
    except TimeoutError as error:
        raise Refused(DEADLINE) from error
    except _LOST as error:
        raise Refused(UNAVAILABLE) from error
