# SPDX-License-Identifier: Apache-2.0
"""An ingress in front of real gRPC guests, and one exchange through it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.ingress import Ingress
from services.limits import Limits
from tests.services.peer import Peer, Script, listening
from tests.services.plain_http import CHUNKED, PATH, PATIENCE_S, Client, Head, ask, connected

STREAMING = {"Content-Type": CHUNKED, "Transfer-Encoding": "chunked"}


@asynccontextmanager
async def serving(*peers: Peer, limits: Limits | None = None) -> AsyncIterator[Ingress]:
    """An ingress in front of `peers`, which are all up."""
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(PATIENCE_S))
        guests = [await stack.enter_async_context(listening(peer)) for peer in peers]
        yield await stack.enter_async_context(Ingress(guests, limits=limits))


def answered(script: Script, body: bytes = b"sealed", media: str = CHUNKED) -> tuple[Head, bytes]:
    """The HTTP answer to one exchange with a guest that does `script`."""

    async def run() -> tuple[Head, bytes]:
        async with serving(Peer(script=script)) as ingress:
            return await ask(ingress.port, "POST", PATH, {"Content-Type": media}, body)

    return asyncio.run(run())


def with_client(
    peer: Peer, conversation: Callable[[Client], Awaitable[None]], limits: Limits | None = None
) -> None:
    """Run `conversation` on a connection on which a streaming exchange has been started."""

    async def run() -> None:
        async with serving(peer, limits=limits) as ingress, connected(ingress.port) as client:
            await client.start("POST", PATH, STREAMING)
            await conversation(client)

    asyncio.run(run())
