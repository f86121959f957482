# SPDX-License-Identifier: Apache-2.0
"""The queue in front of the workers: Busy at once, first come first served, no slot lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from guest.gate.slots import Busy, Slots


async def turn() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


class Guests:
    """Tasks that take a slot each, note it and hold it until they are let go."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.came: list[int] = []
        self._leave = [asyncio.Event() for _ in range(16)]

    async def stay(self, number: int) -> None:
        async with self._slots.taken():
            self.came.append(number)
            await self._leave[number].wait()

    def leave(self, number: int) -> None:
        self._leave[number].set()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 10))


def test_a_full_house_with_a_full_queue_is_busy_at_once() -> None:
    async def scenario() -> None:
        slots = Slots(1, 1)
        guests = Guests(slots)
        tasks = [asyncio.create_task(guests.stay(number)) for number in range(2)]
        await turn()
        assert (slots.running, slots.waiting) == (1, 1)
        with pytest.raises(Busy):
            async with slots.taken():
                pass
        assert (slots.running, slots.waiting) == (1, 1)
        guests.leave(0)
        guests.leave(1)
        await asyncio.gather(*tasks)
        assert (slots.running, slots.waiting) == (0, 0)

    run(scenario())


def test_nobody_waits_where_no_one_may() -> None:
    async def scenario() -> None:
        slots = Slots(1, 0)
        async with slots.taken():
            with pytest.raises(Busy):
                async with slots.taken():
                    pass
        async with slots.taken():
            assert slots.running == 1

    run(scenario())


def test_first_come_is_first_served() -> None:
    async def scenario() -> None:
        slots = Slots(1, 8)
        guests = Guests(slots)
        tasks = [asyncio.create_task(guests.stay(number)) for number in range(6)]
        await turn()
        for number in range(6):
            assert guests.came == list(range(number + 1))
            guests.leave(number)
            await turn()
        await asyncio.gather(*tasks)
        assert slots.running == 0

    run(scenario())


def test_a_newcomer_does_not_overtake_the_queue() -> None:
    async def scenario() -> None:
        slots = Slots(1, 8)
        guests = Guests(slots)
        tasks = [asyncio.create_task(guests.stay(number)) for number in range(2)]
        await turn()
        guests.leave(0)
        tasks.append(asyncio.create_task(guests.stay(2)))
        await turn()
        assert guests.came == [0, 1]
        guests.leave(1)
        guests.leave(2)
        await asyncio.gather(*tasks)

    run(scenario())


def test_an_error_gives_the_slot_back() -> None:
    async def scenario() -> None:
        slots = Slots(1, 0)
        with pytest.raises(ZeroDivisionError):
            async with slots.taken():
                raise ZeroDivisionError
        assert slots.running == 0

    run(scenario())


def test_a_waiter_that_leaves_frees_its_place_in_the_queue() -> None:
    async def scenario() -> None:
        slots = Slots(1, 1)
        guests = Guests(slots)
        first = asyncio.create_task(guests.stay(0))
        await turn()
        second = asyncio.create_task(guests.stay(1))
        await turn()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert slots.waiting == 0
        guests.leave(0)
        await first
        assert slots.running == 0

    run(scenario())


def test_a_waiter_that_leaves_in_the_moment_of_its_turn_passes_the_slot_on() -> None:
    async def scenario() -> None:
        slots = Slots(1, 2)
        guests = Guests(slots)
        tasks = [asyncio.create_task(guests.stay(number)) for number in range(3)]
        await turn()
        guests.leave(0)
        await asyncio.sleep(0)  # the slot is the second's now, who has not run yet
        tasks[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        await turn()
        assert guests.came[-1] == 2
        guests.leave(2)
        await asyncio.gather(tasks[0], tasks[2])
        assert slots.running == 0

    run(scenario())


def test_a_waiter_that_left_just_before_its_turn_is_passed_over() -> None:
    async def scenario() -> None:
        slots = Slots(1, 2)
        guests = Guests(slots)
        tasks = [asyncio.create_task(guests.stay(number)) for number in range(3)]
        await turn()
        guests.leave(0)
        tasks[1].cancel()  # both in one turn of the loop: the slot is released to one who left
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        await turn()
        assert guests.came == [0, 2]
        guests.leave(2)
        await asyncio.gather(tasks[0], tasks[2])
        assert (slots.running, slots.waiting) == (0, 0)

    run(scenario())


@pytest.mark.parametrize("seed", range(8))
def test_no_slot_is_lost_however_guests_come_and_go(seed: int) -> None:
    async def scenario() -> None:
        slots = Slots(3, 4)
        most = 0

        async def stay(number: int) -> None:
            nonlocal most
            async with slots.taken():
                most = max(most, slots.running)
                for _ in range((number * 7 + seed) % 5):
                    await asyncio.sleep(0)

        tasks = []
        for number in range(60):
            tasks.append(asyncio.create_task(stay(number)))
            if (number + seed) % 3 == 0:
                tasks[max(0, number - seed % 4)].cancel()
            if (number + seed) % 4:
                await asyncio.sleep(0)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} <= {type(None), Busy, asyncio.CancelledError}
        assert (slots.running, slots.waiting) == (0, 0)
        assert most == 3

    run(scenario())
