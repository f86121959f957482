# SPDX-License-Identifier: Apache-2.0
"""What the gate knows of its peers: who may enter, and what is left when one of them is lost."""

import asyncio

import pytest

from guest.channel import pack
from guest.door import Cause, Ended, Ending, Process, Refusal, Say
from guest.gate import links as links_module
from guest.publication import Publication
from tests.guest.gate.house import (
    PUBLICATION,
    closed,
    house,
    limits,
    next_request_is_served,
    refused,
    request,
    run,
)


def test_one_request_more_than_may_wait_is_busy() -> None:
    async def scenario() -> None:
        async with house() as it:
            first = it.start(request(b"a"))
            worker = await it.forked()
            second = it.start(request(b"b"))
            await it.until(lambda: it.exchanges.slots.waiting == 1)
            assert await refused(it.start(request(b"c"))) is Refusal.BUSY
            worker.door.close()
            it.ended(worker)
            it.tail(worker)
            await first
            later = await it.forked()
            assert later.opening.queued_ms >= 0
            later.door.close()
            it.ended(later)
            it.tail(later)
            await second

    run(scenario())


def test_a_request_that_waits_past_its_deadline_is_refused_and_forks_nothing() -> None:
    async def scenario() -> None:
        async with house(limits(deadline_s=1)) as it:
            async with it.exchanges.slots.taken():
                assert await refused(it.start(request(b"a"))) is Refusal.DEADLINE
            assert it.zygote.hear(wait=False) is None
            await next_request_is_served(it)

    run(scenario())


def test_a_target_that_is_not_published_is_an_unknown_key() -> None:
    async def scenario() -> None:
        async with house() as it:
            run_it = it.exchanges.run("f" * 16, request(b"a"), it._send, chunked=True)
            assert await refused(asyncio.create_task(run_it)) is Refusal.UNKNOWN_KEY
            assert it.zygote.hear(wait=False) is None

    run(scenario())


def test_a_gate_that_has_heard_of_no_key_is_unavailable() -> None:
    async def scenario() -> None:
        async with house() as it:
            it.keyholder.say(Say.PUBLISH)
            await it.until(lambda: it.links.publication is None)
            assert await refused(it.start(request(b"a"))) is Refusal.UNAVAILABLE

    run(scenario())


def test_a_lost_zygote_ends_its_exchanges_and_a_new_one_serves_the_next() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            worker.door.say(Say.CHUNK, body=b"chunk")
            await it.until(lambda: it.sent == [b"chunk"])
            it.zygote.close()
            worker.door.close()
            it.tail(worker, b"unknown")
            await task
            assert it.sent == [b"chunk", b"unknown"]
            assert await refused(it.start(request(b"a"))) is Refusal.UNAVAILABLE
            it.zygote = it.adopt(Process.ZYGOTE)
            it.zygote.say(Say.READY)
            await it.until(lambda: it.links.ready)
            await next_request_is_served(it)

    run(scenario())


def test_a_lost_keyholder_leaves_no_tail_and_a_new_one_serves_the_next() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            it.keyholder.close()
            worker.door.close()
            it.ended(worker)
            assert await refused(task) is Refusal.UNAVAILABLE
            assert await refused(it.start(request(b"a"))) is Refusal.UNAVAILABLE
            it.keyholder = it.adopt(Process.KEYHOLDER)
            it.keyholder.say(Say.PUBLISH, body=PUBLICATION.write())
            await it.until(lambda: it.links.ready)
            await next_request_is_served(it)

    run(scenario())


@pytest.mark.parametrize("peer", [Process.ZYGOTE, Process.KEYHOLDER])
def test_a_peer_that_breaks_its_door_loses_it(peer: Process) -> None:
    async def scenario() -> None:
        async with house() as it:
            far = it.zygote if peer is Process.ZYGOTE else it.keyholder
            far._sock.send(pack(Say.FORK, 0, b""))
            assert await closed(far)
            assert not it.links.ready

    run(scenario())


def test_an_ending_in_another_spelling_breaks_the_zygotes_door() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            it.zygote.say(Say.ENDED, worker.number, b"exited +0 none")
            assert await closed(it.zygote)
            worker.door.close()
            it.tail(worker, b"unknown")
            await task

    run(scenario())


def test_a_publication_in_another_spelling_breaks_the_keyholders_door() -> None:
    async def scenario() -> None:
        async with house() as it:
            it.keyholder.say(Say.PUBLISH, body=PUBLICATION.write() + b" ")
            assert await closed(it.keyholder)
            assert it.links.publication is None

    run(scenario())


def test_words_about_a_worker_that_nobody_waits_for_change_nothing() -> None:
    async def scenario() -> None:
        async with house() as it:
            it.zygote.say(Say.ENDED, 1, Ending(Ended.EXITED, 0, Cause.NONE).write())
            it.keyholder.say(Say.TAIL, 1, b"tail")
            await next_request_is_served(it)

    run(scenario())


def test_a_newer_publication_takes_the_place_of_the_last() -> None:
    async def scenario() -> None:
        async with house() as it:
            newer = Publication(
                epoch=4, not_after=1, targets=("e" * 16,), evidence=b"e", ohttp_keys=b"k"
            )
            it.keyholder.say(Say.PUBLISH, body=newer.write())
            await it.until(lambda: it.links.publication == newer)
            assert await refused(it.start(request(b"a"))) is Refusal.UNKNOWN_KEY

    run(scenario())


def test_a_gate_that_starts_again_does_not_count_from_the_same_number() -> None:
    async def scenario() -> None:
        numbers = []
        for _ in range(2):
            async with house() as it:
                task = it.start(request(b"a"))
                worker = await it.forked()
                numbers.append(worker.number)
                worker.door.close()
                it.ended(worker)
                it.tail(worker)
                await task
        assert abs(numbers[0] - numbers[1]) > 1000

    run(scenario())


def test_a_worker_for_which_there_is_no_room_is_busy_at_once() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            it.ended(worker, Ending(Ended.UNBORN, 0, Cause.NONE))
            worker.door.close()
            assert await refused(task) is Refusal.BUSY
            await next_request_is_served(it)

    run(scenario())


def test_a_zygote_that_does_not_read_holds_up_nobody_and_its_door_is_given_up() -> None:
    async def scenario() -> None:
        async with house(limits(slots=4000, waiting_max=4000, deadline_s=60)) as it:
            tasks = [it.start(request(b"a")) for _ in range(2000)]
            done, waiting = await asyncio.wait(tasks, timeout=1)
            assert {await refused(task) for task in done} == {Refusal.UNAVAILABLE}
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting, timeout=1)
            assert not it.links.ready, "its KILLs could not be said"
            await asyncio.gather(*waiting, return_exceptions=True)
            assert it.exchanges.slots.running == 0

    run(scenario())


@pytest.mark.parametrize("peer", [Process.ZYGOTE, Process.KEYHOLDER])
def test_a_door_that_is_broken_for_good_ends_the_gate(
    monkeypatch: pytest.MonkeyPatch, peer: Process
) -> None:
    monkeypatch.setattr(links_module, "RELINK_MAX_S", 0.1)

    async def scenario() -> None:
        cut_off = asyncio.Event()
        async with house(cut_off=cut_off.set) as it:
            (it.zygote if peer is Process.ZYGOTE else it.keyholder).close()
            await it.until(lambda: not it.links.ready)
            await cut_off.wait()

    run(scenario())


def test_a_peer_that_comes_back_in_time_keeps_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "RELINK_MAX_S", 0.2)

    async def scenario() -> None:
        cut_off = asyncio.Event()
        async with house(cut_off=cut_off.set) as it:
            it.zygote.close()
            await it.until(lambda: not it.links.ready)
            it.zygote = it.adopt(Process.ZYGOTE)
            await asyncio.sleep(0.4)
            assert not cut_off.is_set()

    run(scenario())
