# SPDX-License-Identifier: Apache-2.0
"""What an observer of the relay in Python sees, and how many it serves at once."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from services.limits import Limits
from services.observer import COMPLETE, CUT, Observation
from services.relay import Relay
from tests.services.plain_http import (
    CHUNKED,
    CHUNKED_RES,
    PATH,
    Arrived,
    GatewayScript,
    Head,
    ask,
    connected,
    gateway,
    http_chunk,
    read_pieces,
    response,
)
from tests.services.relays import ANSWER_HEAD, asked


def seen_by_an_observer(script: GatewayScript, limits: Limits | None = None) -> list[Observation]:
    """What the observer of a Python relay sees of one request with a 6-byte body."""
    seen: list[Observation] = []

    async def run() -> None:
        async with (
            gateway(script) as upstream,
            Relay(
                f"http://127.0.0.1:{upstream.port}", limits=limits, observer=seen.append
            ) as relay,
            connected(relay.port) as client,
        ):
            await client.start("POST", PATH, {"Content-Type": CHUNKED, "Content-Length": "6"})
            await client.send(b"sealed")
            await client.reader.read()

    asyncio.run(run())
    return seen


def test_an_observer_sees_sizes_and_the_outcome_and_nothing_else() -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.body()
        await arrived.send(response(200, {"Content-Type": CHUNKED_RES}, b"opened!"))

    limits = Limits(head_s=0.1)  # closes the kept connection soon
    assert seen_by_an_observer(script, limits) == [Observation("exchange", COMPLETE, 6, 7)]
    assert set(Observation.__dataclass_fields__) == {"kind", "outcome", "bytes_in", "bytes_out"}


def test_an_observer_sees_the_word_of_a_problem() -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.body()
        await arrived.send(response(422))

    assert seen_by_an_observer(script) == [Observation("exchange", "unknown-key", 6, 0)]


def test_an_observer_sees_that_an_answer_was_cut() -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.body()
        await arrived.send(ANSWER_HEAD + http_chunk(b"open"))

    assert seen_by_an_observer(script) == [Observation("exchange", CUT, 6, 4)]


def test_one_request_too_many_is_busy_at_once() -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.body()

    async def run() -> tuple[Head, bytes]:
        async with asked("python", script, Limits(exchanges_max=1)) as (upstream, client):
            await client.send(http_chunk(b"first"))
            await upstream.arrived.wait()
            port = client.writer.get_extra_info("peername")[1]
            return await ask(port, "POST", PATH, {"Content-Type": CHUNKED}, b"second")

    head, content = asyncio.run(run())
    assert (head.status, head["retry-after"], json.loads(content)["title"]) == (503, "1", "busy")


def test_one_connection_too_many_is_closed() -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.send(response(200))

    async def run() -> bytes:
        async with asked("python", script, Limits(connections_max=1)) as (_, client):
            port = client.writer.get_extra_info("peername")[1]
            loop = asyncio.get_running_loop()
            with socket.socket() as second:
                second.setblocking(False)
                await loop.sock_connect(second, ("127.0.0.1", port))
                try:
                    return await loop.sock_recv(second, 1)
                except ConnectionResetError:
                    return b""

    assert asyncio.run(run()) == b""


def test_an_answer_that_outgrows_its_limit_is_cut() -> None:
    goes_on = asyncio.Event()

    async def script(arrived: Arrived) -> None:
        await arrived.body()
        await arrived.send(ANSWER_HEAD + http_chunk(b"x" * 600))
        await goes_on.wait()
        await arrived.send(http_chunk(b"x" * 600) + http_chunk(b""))

    async def run() -> None:
        async with asked("python", script, Limits(answer_max_bytes=1000)) as (_, client):
            await client.send(http_chunk(b""))
            pieces = read_pieces(client.reader, await client.head())
            assert await anext(pieces) == b"x" * 600
            goes_on.set()
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await anext(pieces)

    asyncio.run(run())
