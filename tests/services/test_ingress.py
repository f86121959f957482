# SPDX-License-Identifier: Apache-2.0
"""The ingress between a real HTTP client and a real gRPC guest: what crosses it."""

from __future__ import annotations

import asyncio
import json

import pytest
from grpclib import GRPCError, Status

from guestapi import REFUSALS, Reason, refusal
from guestapi.guest_pb2 import CHUNKED as CHUNKED_MEDIA
from guestapi.guest_pb2 import WHOLE as WHOLE_MEDIA
from services.ingress import Ingress
from services.ingress.fleet import EXTRA_REFRESH_S
from services.observer import CUT, Observation
from services.problems import PROBLEMS
from tests.services.peer import TARGET, Call, Peer, Script, listening
from tests.services.plain_http import (
    CHUNKED,
    CHUNKED_RES,
    PATH,
    PATIENCE_S,
    WHOLE,
    WHOLE_RES,
    Client,
    ask,
    connected,
    http_chunk,
    read_pieces,
)
from tests.services.serving import STREAMING, answered, serving, with_client

OTHER = "fedcba9876543210"
EVIDENCE = "/.well-known/sealroom-evidence"
KEYS = "/.well-known/ohttp-gateway"


@pytest.mark.parametrize(
    ("media", "answer_media", "sent"),
    [(CHUNKED, CHUNKED_RES, CHUNKED_MEDIA), (WHOLE, WHOLE_RES, WHOLE_MEDIA)],
    ids=["chunked", "whole"],
)
def test_an_exchange_carries_target_media_and_body(
    media: str, answer_media: str, sent: int
) -> None:
    calls: list[tuple[str, int, bytes]] = []

    async def script(call: Call) -> None:
        calls.append((call.target, call.media, await call.body()))
        await call.send(b"opened")

    head, content = answered(script, b"sealed" * 40000, media)
    assert calls == [(TARGET, sent, b"sealed" * 40000)]
    assert (head.status, head["content-type"], content) == (200, answer_media, b"opened")
    assert head["cache-control"] == "no-store, no-transform"


def test_the_guest_learns_nothing_else_of_the_http_request() -> None:
    metadata: list[dict[str, str]] = []

    async def script(call: Call) -> None:
        metadata.append(dict(call.stream.metadata))
        await call.send(b"opened")

    async def run() -> None:
        async with serving(Peer(script=script)) as ingress:
            fields = {"Content-Type": CHUNKED, "X-Forwarded-For": "192.0.2.1", "Cookie": "id=1"}
            await ask(ingress.port, "POST", PATH, fields, b"sealed")

    asyncio.run(run())
    assert metadata == [{}]


def test_every_chunk_is_flushed_in_both_directions_before_the_next_comes() -> None:
    async def conversation(client: Client) -> None:
        await client.send(http_chunk(b"one"))
        pieces = read_pieces(client.reader, await client.head())
        assert await anext(pieces) == b"one"
        for piece in (b"two", b"three"):
            await client.send(http_chunk(piece))
            assert await anext(pieces) == piece  # the echo of it, before anything more is sent
        await client.send(http_chunk(b""))
        assert [piece async for piece in pieces] == []

    with_client(Peer(), conversation)


def test_each_target_goes_to_its_own_guest() -> None:
    async def first(call: Call) -> None:
        await call.send(b"first guest")

    async def second(call: Call) -> None:
        await call.send(b"second guest")

    async def run() -> tuple[bytes, bytes]:
        peers = Peer(script=first), Peer(targets=(OTHER,), script=second)
        async with serving(*peers) as ingress:
            fields = {"Content-Type": CHUNKED}
            _, one = await ask(ingress.port, "POST", PATH, fields, b"a")
            _, two = await ask(ingress.port, "POST", f"/t/{OTHER}", fields, b"a")
            return one, two

    assert asyncio.run(run()) == (b"first guest", b"second guest")


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_of_the_guest_has_its_row_in_http(reason: Reason) -> None:
    async def script(_: Call) -> None:
        raise refusal(reason)

    head, content = answered(script)
    assert (head.status, json.loads(content)["title"]) == (REFUSALS[reason].http, reason.value)
    assert head.all("retry-after") == (["1"] if reason is Reason.BUSY else [])
    assert content in [problem.body for problem in PROBLEMS]


@pytest.mark.parametrize(
    "error",
    [
        GRPCError(Status.RESOURCE_EXHAUSTED, "refused"),
        GRPCError(Status.INVALID_ARGUMENT, "because the tag at offset 17 is wrong"),
        GRPCError(Status.INTERNAL, "busy"),
        GRPCError(Status.UNAVAILABLE, None),
        ZeroDivisionError("a secret"),
    ],
    ids=lambda error: str(error.args[0]),
)
def test_an_answer_outside_the_table_is_unavailable(error: Exception) -> None:
    async def script(_: Call) -> None:
        raise error

    head, content = answered(script)
    assert (head.status, json.loads(content)["title"]) == (503, "unavailable")


def test_a_guest_may_refuse_before_it_has_read_the_request() -> None:
    async def script(_: Call) -> None:
        raise refusal(Reason.BUSY)

    async def conversation(client: Client) -> None:
        await client.send(http_chunk(b"beginning"))
        assert (await client.head()).status == 503

    with_client(Peer(script=script), conversation)


async def send_nothing(_: Call) -> None:
    """End with OK and no answer."""


async def send_an_empty_chunk(call: Call) -> None:
    await call.send(b"")


async def send_too_large_a_chunk(call: Call) -> None:
    await call.send(b"x" * 65537)


async def announce_four_gigabytes(call: Call) -> None:
    await call.stream.send_initial_metadata()
    await call.stream._stream.send_data(b"\x00\xff\xff\xff\xff")
    await call.body()


async def send_a_compressed_message(call: Call) -> None:
    await call.stream.send_initial_metadata()
    await call.stream._stream.send_data(b"\x01\x00\x00\x00\x01a")


async def send_no_protobuf(call: Call) -> None:
    await call.stream.send_initial_metadata()
    await call.stream._stream.send_data(b"\x00\x00\x00\x00\x01\xff")


async def hang_up(call: Call) -> None:
    call.stream._stream._transport.abort()


@pytest.mark.parametrize(
    "script",
    [
        *(send_nothing, send_an_empty_chunk, send_too_large_a_chunk, announce_four_gigabytes),
        *(send_a_compressed_message, send_no_protobuf, hang_up),
    ],
)
def test_a_guest_that_breaks_the_contract_is_unavailable(script: Script) -> None:
    head, content = answered(script)
    assert (head.status, json.loads(content)["title"]) == (503, "unavailable")


@pytest.mark.parametrize("script", [hang_up, send_an_empty_chunk, announce_four_gigabytes])
def test_an_answer_that_has_begun_can_only_be_cut(script: Script) -> None:
    async def begin(call: Call) -> None:
        await call.send(b"beginning")
        await asyncio.sleep(0.05)
        await script(call)

    async def run() -> None:
        seen: list[Observation] = []
        async with (
            asyncio.timeout(PATIENCE_S),
            listening(Peer(script=begin)) as guest,
            Ingress([guest], observer=seen.append) as ingress,
            connected(ingress.port) as client,
        ):
            await client.start("POST", PATH, STREAMING)
            await client.send(http_chunk(b""))
            pieces = read_pieces(client.reader, await client.head())
            assert await anext(pieces) == b"beginning"
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await anext(pieces)
        assert seen == [Observation("exchange", CUT, 0, 9)]

    asyncio.run(run())


def test_a_guest_that_no_longer_knows_its_target_is_asked_for_its_evidence_again() -> None:
    """Its keyholder has started anew: whoever comes next must not get the old keys."""

    async def script(call: Call) -> None:
        await call.body()
        raise refusal(Reason.UNKNOWN_KEY)

    async def run() -> tuple[int, bytes]:
        peer, now = Peer(script=script), [1000.0]
        async with (
            asyncio.timeout(PATIENCE_S),
            listening(peer) as guest,
            Ingress([guest], clock=lambda: now[0], refresh_s=1e9) as ingress,
        ):
            peer.evidence = b'{"evidence":"of the new keyholder"}'
            now[0] += EXTRA_REFRESH_S
            head, _ = await ask(ingress.port, "POST", PATH, {"Content-Type": CHUNKED}, b"sealed")
            _, evidence = await ask(ingress.port, "GET", EVIDENCE, {}, b"")
            return head.status, evidence

    assert asyncio.run(run()) == (422, b'{"evidence":"of the new keyholder"}')
