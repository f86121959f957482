# SPDX-License-Identifier: Apache-2.0
"""A client by hand: it seals like the SDK, sends what no device would send, and sees every byte.

Each request has a connection of its own. A `Reply` holds all that could tell two refusals apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from yarl import URL

from attest import VerifiedGuest
from sealroom.attack.attack import UnclearError
from sealroom.attack.target import BUSY_TRIES, CHEAP, Target, verified
from sealroom.exchange import seal
from sealroom.task import Task
from sealroom.transport import RESPONSE_MAX_BYTES
from wire.api import JSON
from wire.chunked import ChunkedResponseOpener
from wire.errors import WireError
from wire.ohttp import Mode

REPLY_S: Final = 60.0
ANSWERED: Final = 200
BUSY: Final = 503
NOT_COMPARED: Final = frozenset({"date"})


@dataclass(frozen=True)
class Reply:
    """What came back, less the date. `whole` is false when the connection broke off."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    whole: bool = True

    @property
    def told(self) -> str:
        """The reply in a few words."""
        return f"HTTP {self.status}" + ("" if self.whole else ", broken off")


@dataclass
class Sealed:
    """A sealed request, and what opens its answer once."""

    target: str
    body: bytes
    opener: ChunkedResponseOpener

    def opens(self, reply: Reply) -> bool:
        """Whether the reply is a whole answer to this request."""
        if (reply.status, reply.whole) != (ANSWERED, True):
            return False
        try:
            self.opener.receive(reply.body)
            self.opener.finish()
        except WireError:
            return False
        return True


class ByHand:
    """What a client of one guest can send."""

    def __init__(self, relay: str, guest: VerifiedGuest) -> None:
        self.relay = relay
        self.guest = guest

    @classmethod
    async def of(cls, target: Target) -> ByHand:
        """A client of the verified guest behind the target."""
        return cls(target.relay, await verified(target))

    def seal(self, asked: Task = CHEAP) -> Sealed:
        """A request like a device's; the cheap one is answered without the model."""
        made = seal(self.guest, asked.path, asked.content, media=JSON, accept=JSON)
        return Sealed(made.target, made.body, made.opener)

    async def post(
        self,
        where: str,
        body: bytes | AsyncIterator[bytes],
        *,
        media: str = Mode.CHUNKED.value,
        method: str = "POST",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Reply:
        """One request to the path `where`, exactly so."""
        limit = aiohttp.ClientTimeout(total=REPLY_S)
        fields = [*((("Content-Type", media),) if media else ()), *headers]
        async with (
            aiohttp.ClientSession(
                timeout=limit,
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                connector=aiohttp.TCPConnector(force_close=True),
            ) as session,
            session.request(
                method,
                URL(self.relay + where, encoded=True),
                data=body,
                headers=fields,
                allow_redirects=False,
            ) as reply,
        ):
            return await _read(reply)

    async def send(self, sealed: Sealed, body: bytes | None = None) -> Reply:
        """Send it, or other bytes in its place; a guest without a free slot is asked again."""
        sent = sealed.body if body is None else body
        for _ in range(BUSY_TRIES):
            reply = await self.post(f"/t/{sealed.target}", sent)
            if reply.status != BUSY:
                return reply
            await asyncio.sleep(1)
        raise UnclearError("the guest is busy")


async def _read(reply: aiohttp.ClientResponse) -> Reply:
    fields = ((name.lower(), value) for name, value in reply.headers.items())
    kept = tuple(sorted(one for one in fields if one[0] not in NOT_COMPARED))
    data, whole = bytearray(), True
    try:
        while piece := await reply.content.read(65536):
            data += piece
            if len(data) > RESPONSE_MAX_BYTES:
                raise UnclearError(f"reply: wanted at most {RESPONSE_MAX_BYTES} bytes, got more")
    except aiohttp.ClientPayloadError:
        whole = False
    return Reply(reply.status, kept, bytes(data), whole)
