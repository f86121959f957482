# SPDX-License-Identifier: Apache-2.0
"""The gRPC service of the guest (`guestapi/guest.proto`) on top of `guest.gate.exchange`.

This file turns messages into bytes and refusals into status words. It decides nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from guest.door import Refusal
from guest.gate.arrivals import RefusedError
from guest.gate.exchange import Exchanges
from guest.gate.links import Links
from guestapi import MESSAGE_MAX_BYTES, TARGET_HEX_DIGITS, Reason, refusal
from guestapi.guest_grpc import GuestBase
from guestapi.guest_pb2 import (
    CHUNKED,
    DEGRADED,
    READY,
    STARTING,
    WHOLE,
    EvidenceReply,
    EvidenceRequest,
    ExchangeIn,
    ExchangeOut,
    HealthReply,
    HealthRequest,
)
from guestapi.receive import MessageError, receive

if TYPE_CHECKING:
    from grpclib.server import Stream

EMPTY_MAX_BYTES: Final = 64  # of the requests that say nothing
OPEN_MAX_S: Final = 5.0  # from the start of the call to its first message
_TARGET: Final = re.compile(rf"[0-9a-f]{{{TARGET_HEX_DIGITS}}}")


class Service(GuestBase):
    """Exchange, Evidence and Health."""

    def __init__(self, links: Links, exchanges: Exchanges, lacking: tuple[str, ...]) -> None:
        self._links = links
        self._lacking = lacking
        self._exchanges = exchanges

    async def Exchange(  # noqa: N802 - the method names are the service definition's
        self, stream: Stream[ExchangeIn, ExchangeOut]
    ) -> None:
        """One encapsulated request, one encapsulated answer; refusals are words of the table."""

        async def send(sealed: bytes) -> None:
            await stream.send_message(ExchangeOut(chunk=sealed))

        try:
            async with asyncio.timeout(OPEN_MAX_S):
                first = await receive(stream, max_bytes=MESSAGE_MAX_BYTES)
            if first is None or first.WhichOneof("part") != "open":
                raise refusal(Reason.REFUSED)
            if first.open.media not in (WHOLE, CHUNKED):
                raise refusal(Reason.REFUSED)
            if not _TARGET.fullmatch(first.open.target):
                raise refusal(Reason.UNKNOWN_KEY)
            await self._exchanges.run(
                first.open.target, _pieces(stream), send, chunked=first.open.media == CHUNKED
            )
        except RefusedError as error:
            raise refusal(Reason(error.refusal.value)) from error
        except MessageError as error:
            raise refusal(Reason.REFUSED) from error
        except TimeoutError as error:
            raise refusal(Reason.DEADLINE) from error

    async def Evidence(  # noqa: N802 - as above
        self, stream: Stream[EvidenceRequest, EvidenceReply]
    ) -> None:
        """The newest evidence and every target that still answers."""
        await receive(stream, max_bytes=EMPTY_MAX_BYTES)
        publication = self._links.publication
        if publication is None:
            raise refusal(Reason.UNAVAILABLE)
        await stream.send_message(
            EvidenceReply(
                evidence=publication.evidence,
                ohttp_keys=publication.ohttp_keys,
                targets=publication.targets,
                not_after=publication.not_after,
            )
        )

    async def Health(  # noqa: N802 - as above
        self, stream: Stream[HealthRequest, HealthReply]
    ) -> None:
        """Counts and states; `missing` also names what the statement says that is lacking."""
        await receive(stream, max_bytes=EMPTY_MAX_BYTES)
        publication = self._links.publication
        down = [] if self._links.zygote_ready else ["zygote"]
        if publication is None:
            down.append("keyholder")
        slots = self._exchanges.slots
        state = READY if not down else STARTING if publication is None else DEGRADED
        await stream.send_message(
            HealthReply(
                state=state,
                running=slots.running,
                waiting=slots.waiting,
                slots=slots.slots,
                epoch=publication.epoch if publication else 0,
                missing=[*down, *self._lacking],
            )
        )


async def _pieces(stream: Stream[ExchangeIn, ExchangeOut]) -> AsyncIterator[bytes]:
    """The chunks after the Open, until the host half-closes.

    Raises:
        RefusedError: anything but a chunk with bytes in it.
        MessageError: as `receive`.
    """
    while (message := await receive(stream, max_bytes=MESSAGE_MAX_BYTES)) is not None:
        if message.WhichOneof("part") != "chunk" or not message.chunk:
            raise RefusedError(Refusal.REFUSED)
        yield message.chunk
