# SPDX-License-Identifier: Apache-2.0
"""The ingress between a real HTTP client and a real gRPC guest: limits, loss and refusals."""

from __future__ import annotations

import asyncio
import json

import pytest

from guestapi.guest_pb2 import ExchangeOut
from services.ingress import Ingress, parse_address
from services.limits import Limits
from services.observer import COMPLETE, Observation
from tests.services.peer import Call, Peer, listening
from tests.services.plain_http import (
    CHUNKED,
    PATH,
    PATIENCE_S,
    Client,
    Head,
    ask,
    connected,
    http_chunk,
)
from tests.services.relays import free_port
from tests.services.serving import STREAMING, answered, serving, with_client

OTHER = "fedcba9876543210"
EVIDENCE = "/.well-known/sealroom-evidence"
KEYS = "/.well-known/ohttp-gateway"


@pytest.mark.parametrize(
    ("method", "path", "media", "status", "word"),
    [
        ("POST", "/t/0123456789ABCDEF", CHUNKED, 404, "not-found"),
        ("POST", f"{PATH}?a", CHUNKED, 404, "not-found"),
        ("POST", "/healthz", CHUNKED, 404, "not-found"),
        ("GET", PATH, CHUNKED, 405, "method"),
        ("POST", EVIDENCE, CHUNKED, 405, "method"),
        ("POST", PATH, "text/plain", 415, "media"),
        ("POST", f"/t/{OTHER}", CHUNKED, 422, "unknown-key"),
    ],
)
def test_what_no_guest_should_see_is_refused_here(
    method: str, path: str, media: str, status: int, word: str
) -> None:
    async def script(_: Call) -> None:
        raise AssertionError("reached the guest")

    async def run() -> tuple[Head, bytes]:
        async with serving(Peer(script=script)) as ingress:
            return await ask(ingress.port, method, path, {"Content-Type": media}, b"sealed")

    head, content = asyncio.run(run())
    assert (head.status, json.loads(content)["title"]) == (status, word)


@pytest.mark.parametrize(
    ("path", "media", "body"),
    [
        (EVIDENCE, "application/json", b'{"evidence":"of the first guest"}'),
        (KEYS, "application/ohttp-keys", b"\x00\x01k"),
    ],
)
def test_the_public_objects_are_the_guests_own_bytes(path: str, media: str, body: bytes) -> None:
    async def run() -> tuple[Head, bytes]:
        async with serving(Peer(), Peer(targets=(OTHER,), evidence=b"{}")) as ingress:
            return await ask(ingress.port, "GET", path)

    head, content = asyncio.run(run())
    assert (head.status, head["content-type"], content) == (200, media, body)
    assert head["cache-control"] == "public, max-age=60, no-transform"
    assert head.names <= {"content-type", "cache-control", "transfer-encoding", "date"}


@pytest.mark.parametrize("path", [PATH, EVIDENCE, KEYS, "/healthz"])
def test_without_a_guest_everything_is_unavailable(path: str) -> None:
    async def run() -> tuple[Head, bytes]:
        async with Ingress([parse_address(f"tcp:127.0.0.1:{free_port()}")]) as ingress:
            method = "POST" if path == PATH else "GET"
            return await ask(ingress.port, method, path, {"Content-Type": CHUNKED}, b"")

    head, content = asyncio.run(run())
    assert (head.status, json.loads(content)["title"]) == (503, "unavailable")


def test_health_is_shown_while_a_guest_answers() -> None:
    async def run() -> tuple[Head, bytes]:
        async with serving(Peer()) as ingress:
            return await ask(ingress.port, "GET", "/healthz")

    head, content = asyncio.run(run())
    assert (head.status, content) == (200, b'{"state":"ready"}')


def test_a_declared_length_above_the_limit_is_refused_unread() -> None:
    async def run() -> Head:
        async with serving(Peer(), limits=Limits(body_max_bytes=1000)) as ingress:
            head, _ = await ask(ingress.port, "POST", PATH, {"Content-Type": CHUNKED}, b"x" * 1001)
            return head

    assert asyncio.run(run()).status == 413


def test_a_chunked_body_that_outgrows_the_limit_resets_the_call() -> None:
    async def wait(call: Call) -> None:
        await call.body()

    peer = Peer(script=wait)

    async def conversation(client: Client) -> None:
        await client.send(http_chunk(b"x" * 600) + http_chunk(b"x" * 600))
        assert (await client.head()).status == 413
        await peer.cancelled.wait()

    with_client(peer, conversation, Limits(body_max_bytes=1000))


def test_a_client_that_sends_nothing_for_too_long_resets_the_call() -> None:
    async def wait(call: Call) -> None:
        await call.body()

    peer = Peer(script=wait)

    async def conversation(client: Client) -> None:
        await client.send(http_chunk(b"beginning"))
        assert (await client.head()).status == 408
        await peer.cancelled.wait()

    with_client(peer, conversation, Limits(idle_s=0.2))


def test_a_guest_that_does_not_read_for_too_long_is_a_deadline() -> None:
    async def never_read(_: Call) -> None:
        await asyncio.sleep(PATIENCE_S)

    peer = Peer(script=never_read)

    async def conversation(client: Client) -> None:
        flood = asyncio.create_task(client.send(http_chunk(b"x" * (32 << 20))))
        assert (await client.head()).status == 504
        await peer.cancelled.wait()
        await asyncio.gather(flood, return_exceptions=True)

    with_client(peer, conversation, Limits(idle_s=0.5, body_max_bytes=64 << 20))


def test_a_body_whose_framing_breaks_resets_the_call() -> None:
    begun = asyncio.Event()

    async def wait(call: Call) -> None:
        begun.set()
        await call.body()

    peer = Peer(script=wait)

    async def conversation(client: Client) -> None:
        await client.send(http_chunk(b"beginning"))
        await begun.wait()
        await client.send(b"not a length\r\n")
        assert (await client.head()).status in {400, 408}
        await peer.cancelled.wait()

    with_client(peer, conversation, Limits(idle_s=0.2))


@pytest.mark.parametrize("limits", [Limits(idle_s=0.2), Limits(total_s=0.2)], ids=["idle", "total"])
def test_a_guest_that_says_nothing_is_a_deadline_and_is_reset(limits: Limits) -> None:
    async def wait(call: Call) -> None:
        await call.body()
        await asyncio.sleep(PATIENCE_S)

    peer = Peer(script=wait)

    async def conversation(client: Client) -> None:
        await client.send(http_chunk(b""))
        head = await client.head()
        assert (head.status, json.loads(await client.body(head))["title"]) == (504, "deadline")
        await peer.cancelled.wait()

    with_client(peer, conversation, limits)


@pytest.mark.parametrize("moment", ["before the answer", "in the answer", "in the request"])
def test_a_client_that_leaves_cancels_the_call_in_the_guest(moment: str) -> None:
    begun = asyncio.Event()

    async def wait(call: Call) -> None:
        if moment != "in the request":
            await call.body()
        if moment == "in the answer":
            await call.send(b"beginning")
        begun.set()
        await asyncio.sleep(PATIENCE_S)

    peer = Peer(script=wait)

    async def conversation(client: Client) -> None:
        await client.send(http_chunk(b"sealed"))
        if moment != "in the request":
            await client.send(http_chunk(b""))
        await begun.wait()
        client.writer.transport.abort()
        await peer.cancelled.wait()

    with_client(peer, conversation)


def test_two_exchanges_at_once_do_not_meet() -> None:
    async def run() -> None:
        async with (
            serving(Peer()) as ingress,
            connected(ingress.port) as one,
            connected(ingress.port) as two,
        ):
            for client in (one, two):
                await client.start("POST", PATH, STREAMING)
            await two.send(http_chunk(b"second") + http_chunk(b""))
            assert await two.body(await two.head()) == b"second"
            await one.send(http_chunk(b"first") + http_chunk(b""))
            assert await one.body(await one.head()) == b"first"

    asyncio.run(run())


def test_an_observer_sees_sizes_and_the_outcome() -> None:
    seen: list[Observation] = []

    async def run() -> None:
        async with listening(Peer()) as guest, Ingress([guest], observer=seen.append) as ingress:
            await ask(ingress.port, "POST", PATH, {"Content-Type": CHUNKED}, b"sealed")
            await ask(ingress.port, "POST", PATH, {"Content-Type": "text/plain"}, b"sealed")
            await ask(ingress.port, "GET", KEYS)

    asyncio.run(run())
    assert seen == [
        Observation("exchange", COMPLETE, 6, 6),
        Observation("exchange", "media", 0, 0),
        Observation("keys", COMPLETE, 0, 3),
    ]


def test_the_largest_chunk_passes() -> None:
    async def script(call: Call) -> None:
        await call.stream.send_message(ExchangeOut(chunk=b"x" * 65536))

    head, content = answered(script)
    assert (head.status, len(content)) == (200, 65536)
