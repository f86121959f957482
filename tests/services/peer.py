# SPDX-License-Identifier: Apache-2.0
"""The other end of the ingress: a small gRPC guest that does what a test tells it.

It implements guest.proto over a real socket. It is not a stand-in for any code of ours: the
guest's own gate is tested in its own room.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from grpclib.config import Configuration
from grpclib.server import Server
from typing_extensions import override

from guestapi.guest_grpc import GuestBase
from guestapi.guest_pb2 import READY, EvidenceReply, ExchangeOut, HealthReply
from services.ingress import GuestAddress, parse_address

TARGET = "0123456789abcdef"

Script = Callable[["Call"], Awaitable[None]]


@dataclass
class Call:
    """One Exchange as the guest sees it."""

    stream: Any
    target: str
    media: int

    async def chunks(self) -> AsyncIterator[bytes]:
        while (message := await self.stream.recv_message()) is not None:
            yield message.chunk

    async def body(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def send(self, chunk: bytes) -> None:
        await self.stream.send_message(ExchangeOut(chunk=chunk))


async def echo(call: Call) -> None:
    """Answer every chunk with itself, at once."""
    async for chunk in call.chunks():
        await call.send(chunk)


@dataclass
class Peer(GuestBase):
    """A scripted guest. `script` serves each Exchange."""

    targets: tuple[str, ...] = (TARGET,)
    evidence: bytes = b'{"evidence":"of the first guest"}'
    keys: bytes = b"\x00\x01k"
    script: Script = echo
    asked: int = 0
    asked_again: asyncio.Event = field(default_factory=asyncio.Event)
    links: list[Any] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    @override
    async def Exchange(self, stream: Any) -> None:
        first = await stream.recv_message()
        try:
            await self.script(Call(stream, first.open.target, first.open.media))
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    @override
    async def Evidence(self, stream: Any) -> None:
        await stream.recv_message()
        if self.asked:
            self.asked_again.set()
        self.asked += 1
        self.links.append(stream._stream._transport)
        reply = EvidenceReply(
            evidence=self.evidence, ohttp_keys=self.keys, targets=self.targets, not_after=1
        )
        await stream.send_message(reply)

    @override
    async def Health(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(HealthReply(state=READY))


@asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[GuestAddress]:
    """`peer` on a free port of this machine."""
    config = Configuration(http2_stream_window_size=65535, http2_connection_window_size=65535)
    server = Server([peer], config=config)
    await server.start("127.0.0.1", 0)
    port = server._server.sockets[0].getsockname()[1]
    try:
        yield parse_address(f"tcp:127.0.0.1:{port}")
    finally:
        server.close()
        for link in peer.links:
            link.abort()  # grpclib would let connections live on
        await server.wait_closed()
