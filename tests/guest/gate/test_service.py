# SPDX-License-Identifier: Apache-2.0
"""The gRPC service over a real server and client: statuses, words, and what health says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from grpclib import GRPCError, Status
from grpclib.client import Channel as Client
from grpclib.client import Stream

from guest.door import Cause, Ended, Ending, Process, Refusal, Say
from guest.gate.server import GateServer
from guest.gate.service import Service
from guest.settings import GateSettings
from guestapi import CHUNK_MAX_BYTES, REFUSALS, Reason, reason_of
from guestapi.guest_grpc import GuestStub
from guestapi.guest_pb2 import (
    CHUNKED,
    DEGRADED,
    MEDIA_UNSPECIFIED,
    READY,
    STARTING,
    WHOLE,
    EvidenceRequest,
    ExchangeIn,
    ExchangeOut,
    HealthReply,
    HealthRequest,
    Open,
)
from tests.guest.gate.house import LIMITS, PUBLICATION, TARGET, House, limits

LACKING = ("network-namespace", "own-user")
OPEN = ExchangeIn(open=Open(target=TARGET, media=CHUNKED))
Exchange = Stream[ExchangeIn, ExchangeOut]


@asynccontextmanager
async def served(
    gate_limits: GateSettings = LIMITS, *, ready: bool = True
) -> AsyncIterator[tuple[House, GuestStub]]:
    """A gate behind a real server, and a client of it."""
    it = House(gate_limits)
    server = GateServer([Service(it.links, it.exchanges, LACKING)])
    await server.start("127.0.0.1", 0)
    port = server._server.sockets[0].getsockname()[1]
    client = Client("127.0.0.1", port)
    try:
        if ready:
            await it.get_ready()
        yield it, GuestStub(client)
    finally:
        client.close()
        server.close()
        await server.wait_closed()
        it.close()


def run(scenario: Callable[[House, GuestStub], Awaitable[None]], **given: object) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(15), served(**given) as (it, stub):  # type: ignore[arg-type]
            await scenario(it, stub)

    asyncio.run(bounded())


async def reason(call: Awaitable[object]) -> tuple[Status, str]:
    with pytest.raises(GRPCError) as caught:
        await call
    assert reason_of(caught.value).value == caught.value.message
    return caught.value.status, caught.value.message or ""


async def exchange(stub: GuestStub, *messages: ExchangeIn) -> list[bytes]:
    """Send these and read everything."""
    async with stub.Exchange.open() as stream:
        await stream.send_request()
        for message in messages[:-1]:
            await stream.send_message(message)
        if messages:
            await stream.send_message(messages[-1], end=True)
        else:
            await stream.end()
        return [message.chunk async for message in stream]


def test_an_exchange_streams_both_ways_and_ends_well() -> None:
    async def scenario(it: House, stub: GuestStub) -> None:
        async def work() -> None:
            worker = await it.forked()
            assert await worker.request() == b"request"
            worker.door.say(Say.CHUNK, body=b"sealed")
            worker.door.close()
            it.ended(worker)
            it.tail(worker)

        working = asyncio.create_task(work())
        got = await exchange(stub, OPEN, ExchangeIn(chunk=b"req"), ExchangeIn(chunk=b"uest"))
        assert got == [b"sealed", b"tail"]
        await working

    run(scenario)


def test_plain_ohttp_is_forked_as_such() -> None:
    async def scenario(it: House, stub: GuestStub) -> None:
        async def work() -> None:
            worker = await it.forked()
            assert not worker.opening.chunked
            worker.door.say(Say.CHUNK, body=b"whole")
            worker.door.close()
            it.ended(worker)
            it.tail(worker, b"")

        working = asyncio.create_task(work())
        opening = ExchangeIn(open=Open(target=TARGET, media=WHOLE))
        assert await exchange(stub, opening, ExchangeIn(chunk=b"x")) == [b"whole"]
        await working

    run(scenario)


@pytest.mark.parametrize("word", Refusal)
def test_a_refusal_is_its_status_and_its_word(word: Refusal) -> None:
    async def scenario(it: House, stub: GuestStub) -> None:
        async def work() -> None:
            worker = await it.forked()
            worker.door.say(Say.REFUSE, body=word.encode())
            worker.door.close()
            it.ended(worker)

        working = asyncio.create_task(work())
        row = REFUSALS[Reason(word.value)]
        assert await reason(exchange(stub, OPEN, ExchangeIn(chunk=b"x"))) == (row.grpc, word.value)
        await working

    run(scenario)


@pytest.mark.parametrize(
    ("messages", "word"),
    [
        ((), Refusal.REFUSED),
        ((ExchangeIn(chunk=b"x"),), Refusal.REFUSED),
        ((ExchangeIn(),), Refusal.REFUSED),
        ((ExchangeIn(open=Open(target=TARGET, media=MEDIA_UNSPECIFIED)),), Refusal.REFUSED),
        ((ExchangeIn(open=Open(target="", media=CHUNKED)),), Refusal.UNKNOWN_KEY),
        ((ExchangeIn(open=Open(target=TARGET.upper(), media=CHUNKED)),), Refusal.UNKNOWN_KEY),
        ((ExchangeIn(open=Open(target=TARGET + "\n", media=CHUNKED)),), Refusal.UNKNOWN_KEY),
        ((ExchangeIn(open=Open(target="f" * 16, media=CHUNKED)),), Refusal.UNKNOWN_KEY),
        ((ExchangeIn(chunk=bytes(CHUNK_MAX_BYTES + 100)),), Refusal.REFUSED),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_exchange_that_begins_wrongly_forks_nothing(
    messages: tuple[ExchangeIn, ...], word: Refusal
) -> None:
    async def scenario(it: House, stub: GuestStub) -> None:
        assert (await reason(exchange(stub, *messages)))[1] == word
        assert it.zygote.hear(wait=False) is None

    run(scenario)


@pytest.mark.parametrize(
    "message",
    [OPEN, ExchangeIn(), ExchangeIn(chunk=b""), ExchangeIn(chunk=bytes(CHUNK_MAX_BYTES + 100))],
    ids=["a second open", "nothing", "an empty chunk", "a chunk too long"],
)
def test_an_exchange_that_goes_on_wrongly_is_refused_and_forks_nothing(
    message: ExchangeIn,
) -> None:
    async def scenario(it: House, stub: GuestStub) -> None:
        assert (await reason(exchange(stub, OPEN, message)))[1] == "refused"
        assert it.zygote.hear(wait=False) is None

    run(scenario)


def test_a_client_that_resets_its_call_ends_its_worker() -> None:
    async def scenario(it: House, stub: GuestStub) -> None:
        async with stub.Exchange.open() as stream:
            await stream.send_message(OPEN)
            await stream.send_message(ExchangeIn(chunk=b"x"), end=True)
            worker = await it.forked()
            await stream.cancel()
        assert (await it.killed()) == (worker.number, Cause.CANCELLED)
        it.ended(worker, Ending(Ended.SIGNALLED, 9, Cause.CANCELLED))
        await it.until(lambda: it.exchanges.slots.running == 0)

    run(scenario)


def test_a_full_house_is_busy() -> None:
    async def scenario(it: House, stub: GuestStub) -> None:
        async with it.exchanges.slots.taken():
            got = await reason(exchange(stub, OPEN, ExchangeIn(chunk=b"x")))
        assert got == (Status.RESOURCE_EXHAUSTED, "busy")

    run(scenario, gate_limits=limits(waiting_max=0))


def test_evidence_is_handed_out_as_it_came() -> None:
    async def scenario(_: House, stub: GuestStub) -> None:
        reply = await stub.Evidence(EvidenceRequest())
        assert (reply.evidence, reply.ohttp_keys) == (b"evidence", b"keys")
        assert (tuple(reply.targets), reply.not_after) == ((TARGET,), PUBLICATION.not_after)

    run(scenario)


def test_without_a_published_key_there_is_no_evidence_and_no_exchange() -> None:
    async def scenario(_: House, stub: GuestStub) -> None:
        unavailable = (Status.UNAVAILABLE, "unavailable")
        assert await reason(stub.Evidence(EvidenceRequest())) == unavailable
        assert await reason(exchange(stub, OPEN)) == unavailable

    run(scenario, ready=False)


async def health(stub: GuestStub) -> HealthReply:
    reply: HealthReply = await stub.Health(HealthRequest())
    return reply


def test_health_goes_from_starting_to_ready_to_degraded() -> None:
    async def scenario(it: House, stub: GuestStub) -> None:
        reply = await health(stub)
        assert (reply.state, list(reply.missing)) == (STARTING, ["zygote", "keyholder", *LACKING])
        await it.get_ready()
        reply = await health(stub)
        assert (reply.state, reply.epoch, list(reply.missing)) == (READY, 3, list(LACKING))
        assert (reply.slots, reply.running, reply.waiting) == (1, 0, 0)
        it.zygote.close()
        await it.until(lambda: not it.links.zygote_ready)
        reply = await health(stub)
        assert (reply.state, list(reply.missing)) == (DEGRADED, ["zygote", *LACKING])
        it.zygote = it.adopt(Process.ZYGOTE)

    run(scenario, ready=False)


def test_health_counts_who_runs_and_who_waits() -> None:
    async def scenario(it: House, stub: GuestStub) -> None:
        async with it.exchanges.slots.taken():
            waiting = asyncio.create_task(exchange(stub, OPEN))
            await it.until(lambda: it.exchanges.slots.waiting == 1)
            reply = await health(stub)
            assert (reply.running, reply.waiting) == (1, 1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    run(scenario)
