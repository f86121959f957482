# SPDX-License-Identifier: Apache-2.0
"""How a body moves through the relay: at once, bounded, and visibly cut when it is cut."""

from __future__ import annotations

import asyncio
import json

import pytest

from services.limits import Limits
from tests.services.plain_http import (
    CHUNKED,
    CHUNKED_RES,
    PATH,
    PATIENCE_S,
    Arrived,
    Gateway,
    Head,
    ask,
    connected,
    gateway,
    http_chunk,
    read_pieces,
    response,
)
from tests.services.relays import ANSWER_HEAD, asked, kinds, relaying

# What a stalled stream may hold: our windows and buffers, and the kernel's socket buffers, which
# are the larger part (net.ipv4.tcp_wmem and tcp_rmem allow several MB per socket here).
STALLED_MAX_BYTES = 24 << 20
ENDLESS_BYTES = 36 << 20
BLOCK = b"x" * 65536


async def settled(count: list[int]) -> int:
    """The value of `count` once it has stopped changing."""
    last, same = -1, 0
    while same < 5:
        await asyncio.sleep(0.1)
        same = same + 1 if count[0] == last else 0
        last = count[0]
    return last


@kinds
def test_every_piece_of_a_request_is_passed_on_before_the_next_comes(kind: str) -> None:
    arrived_pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(arrived: Arrived) -> None:
        async for piece in read_pieces(arrived.reader, arrived.head):
            arrived_pieces.put_nowait(piece)
        await arrived.send(response(200, {"Content-Type": CHUNKED_RES}))

    async def run() -> None:
        async with asked(kind, script) as (_, client):
            for piece in (b"one", b"two", b"three"):
                await client.send(http_chunk(piece))
                assert await arrived_pieces.get() == piece  # before anything more is sent
            await client.send(http_chunk(b""))
            assert (await client.head()).status == 200

    asyncio.run(run())


@kinds
def test_every_piece_of_an_answer_is_passed_on_before_the_next_comes(kind: str) -> None:
    wanted: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(arrived: Arrived) -> None:
        await arrived.body()
        await arrived.send(ANSWER_HEAD)
        while piece := await wanted.get():
            await arrived.send(http_chunk(piece))
        await arrived.send(http_chunk(b""))

    async def run() -> None:
        async with asked(kind, script) as (_, client):
            await client.send(http_chunk(b""))
            wanted.put_nowait(b"one")
            pieces = read_pieces(client.reader, await client.head())
            assert await anext(pieces) == b"one"
            for piece in (b"two", b"three"):
                wanted.put_nowait(piece)
                assert await anext(pieces) == piece
            wanted.put_nowait(b"")
            assert [piece async for piece in pieces] == []

    asyncio.run(run())


@kinds
def test_an_answer_may_begin_before_the_request_has_ended(kind: str) -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.send(response(503, {"Retry-After": "1"}))

    async def run() -> Head:
        async with asked(kind, script) as (_, client):
            await client.send(http_chunk(b"beginning"))
            return await client.head()

    assert asyncio.run(run()).status == 503


@kinds
@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_an_answer_that_was_cut_is_cut_for_the_client_too(kind: str, framing: str) -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.body()
        if framing == "chunked":
            await arrived.send(ANSWER_HEAD + http_chunk(b"beginning"))
        else:
            whole = response(200, {"Content-Type": CHUNKED_RES}, b"beginning and end")
            await arrived.send(whole.removesuffix(b" and end"))

    async def run() -> None:
        async with asked(kind, script) as (_, client):
            await client.send(http_chunk(b""))
            head = await client.head()
            assert head.status == 200
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.body(head)

    asyncio.run(run())


@kinds
def test_a_client_that_leaves_takes_its_request_with_it(kind: str) -> None:
    begun = asyncio.Event()

    async def script(arrived: Arrived) -> None:
        await arrived.body()
        await arrived.send(ANSWER_HEAD)
        begun.set()
        await arrived.reader.readexactly(1)  # ends when the relay closes the connection

    async def run() -> None:
        async with asked(kind, script) as (upstream, client):
            await client.send(http_chunk(b""))
            await begun.wait()
            client.writer.transport.abort()
            await upstream.lost.wait()

    asyncio.run(run())


@kinds
def test_a_request_that_breaks_off_is_not_completed_at_the_gateway(kind: str) -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.body()

    async def run() -> None:
        async with asked(kind, script) as (upstream, client):
            await client.send(http_chunk(b"beginning"))
            await upstream.arrived.wait()
            client.writer.transport.abort()
            await upstream.lost.wait()

    asyncio.run(run())


@kinds
def test_a_declared_length_above_the_limit_is_refused_unread(kind: str) -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.send(response(200))

    async def run() -> tuple[Gateway, Head, bytes]:
        limits = Limits(body_max_bytes=1000)
        async with gateway(script) as upstream, relaying(kind, upstream.port, limits) as port:
            body = b"x" * 1001
            return upstream, *await ask(port, "POST", PATH, {"Content-Type": CHUNKED}, body)

    upstream, head, content = asyncio.run(run())
    assert (head.status, json.loads(content)["title"]) == (413, "too-large")
    assert upstream.connections == 0


@kinds
def test_a_chunked_body_that_outgrows_the_limit_is_refused(kind: str) -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.body()

    async def run() -> tuple[Gateway, Head, bytes]:
        async with asked(kind, script, Limits(body_max_bytes=1000)) as (upstream, client):
            await client.send(http_chunk(b"x" * 600) + http_chunk(b"x" * 600))
            head = await client.head()
            return upstream, head, await client.body(head)

    upstream, head, content = asyncio.run(run())
    assert (head.status, json.loads(content)["title"]) == (413, "too-large")
    assert upstream.lost.is_set() or not upstream.heads


@kinds
def test_a_gateway_that_says_nothing_is_a_deadline(kind: str) -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.body()
        await arrived.reader.read()

    async def run() -> tuple[Head, bytes]:
        async with asked(kind, script, Limits(idle_s=0.2)) as (_, client):
            await client.send(http_chunk(b""))
            head = await client.head()
            return head, await client.body(head)

    head, content = asyncio.run(run())
    assert (head.status, json.loads(content)["title"]) == (504, "deadline")


@kinds
def test_a_request_head_that_never_ends_is_cut(kind: str) -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.send(response(200))

    async def run() -> bytes:
        limits = Limits(head_s=0.3)
        async with (
            asyncio.timeout(PATIENCE_S),
            gateway(script) as upstream,
            relaying(kind, upstream.port, limits) as port,
            connected(port) as client,
        ):
            await client.send(b"POST /t/0123456789abcdef HTTP/1.1\r\nHost: ")
            try:
                return await client.reader.read()
            except ConnectionResetError:
                return b""

    assert b"200" not in asyncio.run(run())


@kinds
def test_a_client_that_does_not_read_stops_the_gateway(kind: str) -> None:
    sent = [0]

    async def script(arrived: Arrived) -> None:
        await arrived.body()
        await arrived.send(ANSWER_HEAD)
        while sent[0] < ENDLESS_BYTES:
            await arrived.send(http_chunk(BLOCK))
            sent[0] += len(BLOCK)
        await arrived.send(http_chunk(b""))

    async def run() -> tuple[int, int]:
        limits = Limits(answer_max_bytes=2 * ENDLESS_BYTES)
        async with asked(kind, script, limits) as (_, client):
            await client.send(http_chunk(b""))
            stalled = await settled(sent)
            pieces = read_pieces(client.reader, await client.head())
            return stalled, sum([len(piece) async for piece in pieces])

    stalled, received = asyncio.run(run())
    assert stalled < STALLED_MAX_BYTES
    assert received == ENDLESS_BYTES


@kinds
def test_a_gateway_that_does_not_read_stops_the_client(kind: str) -> None:
    sent = [0]
    goes_on = asyncio.Event()

    async def script(arrived: Arrived) -> None:
        await goes_on.wait()
        total = len(await arrived.body())
        await arrived.send(response(200, {"Content-Type": CHUNKED_RES}, b"%d" % total))

    async def run() -> tuple[int, bytes]:
        limits = Limits(body_max_bytes=2 * ENDLESS_BYTES)
        async with asked(kind, script, limits) as (_, client):

            async def endless() -> None:
                while sent[0] < ENDLESS_BYTES:
                    await client.send(http_chunk(BLOCK))
                    sent[0] += len(BLOCK)
                await client.send(http_chunk(b""))

            sending = asyncio.create_task(endless())
            stalled = await settled(sent)
            goes_on.set()
            await sending
            return stalled, await client.body(await client.head())

    stalled, received = asyncio.run(run())
    assert stalled < STALLED_MAX_BYTES
    assert received == b"%d" % ENDLESS_BYTES
