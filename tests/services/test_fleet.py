# SPDX-License-Identifier: Apache-2.0
"""The routing table of the ingress: learned from the guests, refreshed in bounds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.ingress.address import GuestAddress
from services.ingress.fleet import EXTRA_REFRESH_S, Fleet
from services.limits import Limits
from services.problems import UNAVAILABLE, UNKNOWN_KEY, Problem, Refused
from tests.services.peer import TARGET, Peer, listening
from tests.services.plain_http import PATIENCE_S

OTHER = "fedcba9876543210"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def fleet_of(*peers: Peer, clock: Clock | None = None) -> AsyncIterator[Fleet]:
    """A fleet that has looked at its guests once and does not look again by itself."""
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(PATIENCE_S))
        addresses = [await stack.enter_async_context(listening(peer)) for peer in peers]
        fleet = Fleet(addresses, Limits(), clock=clock or Clock(), refresh_s=1e9)
        yield await stack.enter_async_context(fleet)


async def problem_of(fleet: Fleet, target: str) -> Problem:
    with pytest.raises(Refused) as caught:
        await fleet.guest_of(target)
    return caught.value.problem


def test_a_target_that_no_guest_has_is_an_unknown_key() -> None:
    async def run() -> Problem:
        async with fleet_of(Peer()) as fleet:
            return await problem_of(fleet, OTHER)

    assert asyncio.run(run()) is UNKNOWN_KEY


def test_a_key_published_a_moment_ago_is_found_by_looking_again() -> None:
    async def run() -> None:
        peer, clock = Peer(), Clock()
        async with fleet_of(peer, clock=clock) as fleet:
            peer.targets = (TARGET, OTHER)
            clock.now += EXTRA_REFRESH_S
            assert await fleet.guest_of(OTHER) is await fleet.guest_of(TARGET)

    asyncio.run(run())


def test_a_retired_key_is_forgotten() -> None:
    async def run() -> Problem:
        peer, clock = Peer(), Clock()
        async with fleet_of(peer, clock=clock) as fleet:
            peer.targets = (OTHER,)
            clock.now += EXTRA_REFRESH_S
            await fleet.guest_of(OTHER)
            return await problem_of(fleet, TARGET)

    assert asyncio.run(run()) is UNKNOWN_KEY


def test_many_unknown_targets_cost_the_guest_one_question() -> None:
    async def run() -> int:
        peer, clock = Peer(), Clock()
        async with fleet_of(peer, clock=clock) as fleet:
            before = peer.asked
            clock.now += EXTRA_REFRESH_S
            await asyncio.gather(*(problem_of(fleet, f"{number:016x}") for number in range(200)))
            return peer.asked - before

    assert asyncio.run(run()) == 1


def test_a_guest_that_is_gone_takes_its_targets_with_it() -> None:
    async def run() -> Problem:
        clock = Clock()
        async with contextlib.AsyncExitStack() as guest:
            address = await guest.enter_async_context(listening(Peer()))
            async with Fleet([address], Limits(), clock=clock, refresh_s=1e9) as fleet:
                await fleet.guest_of(TARGET)
                await guest.aclose()
                clock.now += EXTRA_REFRESH_S
                assert await problem_of(fleet, OTHER) is UNAVAILABLE
                return await problem_of(fleet, TARGET)

    assert asyncio.run(run()) is UNAVAILABLE


def test_a_guest_that_came_back_is_found_again() -> None:
    async def run() -> None:
        clock, peer = Clock(), Peer(evidence=b"")
        async with fleet_of(peer, clock=clock) as fleet:
            assert await problem_of(fleet, TARGET) is UNAVAILABLE
            peer.evidence = b"{}"
            clock.now += EXTRA_REFRESH_S
            await fleet.guest_of(TARGET)

    asyncio.run(run())


@pytest.mark.parametrize(
    "peer",
    [
        Peer(evidence=b""),
        Peer(keys=b""),
        Peer(evidence=b"x" * 524289),
        Peer(keys=b"x" * 65537),
        Peer(targets=tuple(f"{number:016x}" for number in range(65))),
        Peer(targets=("0123456789ABCDEF",)),
        Peer(targets=("0123456789abcdef\n",)),
        Peer(targets=("../../etc/passwd",)),
        Peer(evidence=b"x" * 1000000),
    ],
    ids=lambda peer: f"{len(peer.evidence)}-{len(peer.keys)}-{len(peer.targets)}",
)
def test_a_guest_whose_evidence_is_out_of_bounds_is_not_used(peer: Peer) -> None:
    async def run() -> None:
        async with fleet_of(peer) as fleet:
            assert fleet.answering == 0
            with pytest.raises(Refused) as caught:
                await fleet.evidence()
            assert caught.value.problem is UNAVAILABLE

    asyncio.run(run())


def test_the_first_guest_that_answers_shows_its_evidence() -> None:
    async def run() -> bytes:
        async with fleet_of(Peer(evidence=b""), Peer(evidence=b"2"), Peer(evidence=b"3")) as fleet:
            return (await fleet.evidence()).evidence

    assert asyncio.run(run()) == b"2"


def test_guests_are_asked_again_on_a_beat() -> None:
    async def run() -> None:
        peer = Peer()
        async with (
            asyncio.timeout(PATIENCE_S),
            listening(peer) as address,
            Fleet([address], Limits(), clock=Clock(), refresh_s=0.01) as fleet,
        ):
            await peer.asked_again.wait()
            await fleet.guest_of(TARGET)

    asyncio.run(run())


def test_a_fleet_has_a_guest() -> None:
    addresses: list[GuestAddress] = []
    with pytest.raises(ValueError, match="at least one"):
        Fleet(addresses, Limits(), clock=Clock())
