# SPDX-License-Identifier: Apache-2.0
"""Requests that come slowly hold no slot, no worker, and no place that another one needs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from guest.door import Refusal
from guest.gate import arrivals
from guest.gate.arrivals import Arrivals, RefusedError
from tests.guest.gate.house import (
    House,
    house,
    limits,
    next_request_is_served,
    refused,
    request,
    run,
    silence,
)

PLACES = 3


@pytest.fixture
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "ARRIVING_MAX", PLACES)


async def trickle(pause_s: float = 0.05) -> AsyncIterator[bytes]:
    """One byte at a time, without an end."""
    while True:
        yield b"x"
        await asyncio.sleep(pause_s)


async def no_slot_is_taken(it: House, arriving: int) -> None:
    await it.until(lambda: len(it.exchanges.arrivals) == arriving)
    assert (it.exchanges.slots.running, it.exchanges.slots.waiting) == (0, 0)
    assert it.zygote.hear(wait=False) is None


def test_a_request_that_is_still_coming_holds_no_slot_and_no_worker() -> None:
    async def scenario() -> None:
        async with house() as it:
            tasks = [it.start(silence()), it.start(trickle())]
            await no_slot_is_taken(it, 2)
            await next_request_is_served(it)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert len(it.exchanges.arrivals) == 0

    run(scenario())


def test_a_sender_that_pauses_for_too_long_is_refused() -> None:
    async def scenario() -> None:
        async with house(limits(idle_max_s=1)) as it:
            assert await refused(it.start(silence())) is Refusal.DEADLINE
            await next_request_is_served(it)

    run(scenario())


def test_a_sender_that_never_pauses_and_never_ends_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arrivals, "ARRIVAL_MAX_S", 0.3)

    async def scenario() -> None:
        async with house() as it:
            assert await refused(it.start(trickle())) is Refusal.DEADLINE
            assert it.zygote.hear(wait=False) is None
            await next_request_is_served(it)

    run(scenario())


def test_a_request_may_not_arrive_after_its_own_deadline() -> None:
    async def scenario() -> None:
        async with house(limits(deadline_s=1)) as it:
            assert await refused(it.start(trickle())) is Refusal.DEADLINE

    run(scenario())


def test_a_sender_that_says_what_it_may_not_is_refused() -> None:
    async def wrong() -> AsyncIterator[bytes]:
        yield b"first"
        raise RefusedError(Refusal.REFUSED)

    async def scenario() -> None:
        async with house() as it:
            assert await refused(it.start(wrong())) is Refusal.REFUSED
            await no_slot_is_taken(it, 0)

    run(scenario())


@pytest.mark.usefixtures("few_places")
def test_a_newcomer_pushes_out_who_has_been_sending_for_longest() -> None:
    async def scenario() -> None:
        async with house() as it:
            slow = [it.start(trickle()) for _ in range(PLACES)]
            await no_slot_is_taken(it, PLACES)
            await next_request_is_served(it)
            assert await refused(slow[0]) is Refusal.BUSY
            assert [task.done() for task in slow[1:]] == [False] * (PLACES - 1)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    run(scenario())


@pytest.mark.usefixtures("few_places")
def test_there_are_never_more_arriving_than_there_are_places() -> None:
    async def scenario() -> None:
        coming = Arrivals(limits())
        until = asyncio.get_running_loop().time() + 60
        tasks = []
        for _ in range(4 * PLACES):
            tasks.append(asyncio.create_task(coming.receive(trickle(), until)))
            await asyncio.sleep(0)
            assert len(coming) <= PLACES
        ends = await asyncio.gather(*tasks[: 3 * PLACES], return_exceptions=True)
        assert {end.refusal for end in ends if isinstance(end, RefusedError)} == {Refusal.BUSY}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(coming) == 0

    run(scenario())


def test_a_full_queue_is_busy_before_a_byte_is_read() -> None:
    async def scenario() -> None:
        asked = []

        async def pieces() -> AsyncIterator[bytes]:
            asked.append(True)
            yield b"a"

        async with house(limits(waiting_max=0)) as it:
            async with it.exchanges.slots.taken():
                assert await refused(it.start(pieces())) is Refusal.BUSY
            assert asked == []
            task = it.start(request(b"a"))
            worker = await it.forked()
            assert await worker.request() == b"a"
            worker.door.close()
            it.ended(worker)
            it.tail(worker)
            await task

    run(scenario())
