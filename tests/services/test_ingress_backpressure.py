# SPDX-License-Identifier: Apache-2.0
"""A slow side stops the other one: bytes that were taken and not passed on are bounded.

Counted in bytes, not in time: the fast side sends as much as it can until it is stopped, and what
it got rid of is what sits between the two.
"""

from __future__ import annotations

import asyncio

from services.limits import Limits
from tests.services.peer import Call, Peer
from tests.services.plain_http import PATH, Client, connected, http_chunk, read_pieces
from tests.services.serving import STREAMING, serving
from tests.services.test_relay_streams import settled

# The HTTP/2 windows and our buffers are below 1 MiB; the rest is the kernel's socket buffers.
STALLED_MAX_BYTES = 12 << 20
ENDLESS_BYTES = 24 << 20
BLOCK = b"x" * 65536


def test_a_client_that_does_not_read_stops_the_guest() -> None:
    sent = [0]

    async def endless(call: Call) -> None:
        while sent[0] < ENDLESS_BYTES:
            await call.send(BLOCK)
            sent[0] += len(BLOCK)

    async def run() -> tuple[int, int]:
        limits = Limits(answer_max_bytes=2 * ENDLESS_BYTES)
        async with (
            serving(Peer(script=endless), limits=limits) as ingress,
            connected(ingress.port) as client,
        ):
            await client.start("POST", PATH, STREAMING)
            await client.send(http_chunk(b""))
            stalled = await settled(sent)
            pieces = read_pieces(client.reader, await client.head())
            return stalled, sum([len(piece) async for piece in pieces])

    stalled, received = asyncio.run(run())
    assert stalled < STALLED_MAX_BYTES
    assert received == ENDLESS_BYTES


def test_a_guest_that_does_not_read_stops_the_client() -> None:
    sent = [0]
    goes_on = asyncio.Event()

    async def wait_and_count(call: Call) -> None:
        await goes_on.wait()
        total = sum([len(chunk) async for chunk in call.chunks()])
        await call.send(b"%d" % total)

    async def run() -> tuple[int, bytes]:
        limits = Limits(body_max_bytes=2 * ENDLESS_BYTES)
        async with (
            serving(Peer(script=wait_and_count), limits=limits) as ingress,
            connected(ingress.port) as client,
        ):
            await client.start("POST", PATH, STREAMING)
            sending = asyncio.create_task(send_blocks(client, sent))
            stalled = await settled(sent)
            goes_on.set()
            await sending
            return stalled, await client.body(await client.head())

    stalled, received = asyncio.run(run())
    assert stalled < STALLED_MAX_BYTES
    assert received == b"%d" % ENDLESS_BYTES


def test_one_client_that_does_not_read_does_not_stop_another() -> None:
    sent = [0]

    async def endless_or_echo(call: Call) -> None:
        if await call.body() == b"small":
            await call.send(b"answer")
            return
        while sent[0] < ENDLESS_BYTES:
            await call.send(BLOCK)
            sent[0] += len(BLOCK)

    async def run() -> bytes:
        limits = Limits(answer_max_bytes=2 * ENDLESS_BYTES)
        async with (
            serving(Peer(script=endless_or_echo), limits=limits) as ingress,
            connected(ingress.port) as slow,
            connected(ingress.port) as quick,
        ):
            await slow.start("POST", PATH, STREAMING)
            await slow.send(http_chunk(b""))
            await settled(sent)
            await quick.start("POST", PATH, STREAMING)
            await quick.send(http_chunk(b"small") + http_chunk(b""))
            return await quick.body(await quick.head())

    assert asyncio.run(run()) == b"answer"


async def send_blocks(client: Client, sent: list[int]) -> None:
    """Send ENDLESS_BYTES as fast as they are taken, counting in `sent`."""
    while sent[0] < ENDLESS_BYTES:
        await client.send(http_chunk(BLOCK))
        sent[0] += len(BLOCK)
    await client.send(http_chunk(b""))
