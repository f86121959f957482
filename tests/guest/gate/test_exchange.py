# SPDX-License-Identifier: Apache-2.0
"""One exchange from the gate's side: the order of an answer, and every way it can end early."""

import asyncio
import gc
import logging
import os

import pytest

from guest.channel import pack
from guest.door import Cause, Ended, Ending, Refusal, Say
from guest.gate import exchange
from guest.gate.exchange import PIECE_MAX_BYTES
from tests.guest.gate.house import (
    bare_socket,
    heard,
    house,
    limits,
    next_request_is_served,
    refused,
    request,
    run,
)
from tests.guest.rig import few_descriptors


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a word that never comes for less time than the guest does."""
    monkeypatch.setattr(exchange, "TAIL_MAX_S", 0.2)
    monkeypatch.setattr(exchange, "REAP_MAX_S", 0.2)


def test_the_request_goes_in_whole_and_the_tail_comes_last() -> None:
    async def scenario() -> None:
        async with house() as it:
            large = bytes(range(256)) * 300
            task = it.start(request(b"a", large, b"z"))
            worker = await it.forked()
            assert worker.opening.chunked
            assert await worker.request() == b"a" + large + b"z"
            for chunk in (b"1", b"2", b"3"):
                worker.door.say(Say.CHUNK, body=chunk)
            it.tail(worker)  # however early it comes
            await it.until(lambda: len(it.sent) == 3)
            assert it.sent == [b"1", b"2", b"3"]
            worker.door.close()
            it.ended(worker)
            await task
            assert it.sent == [b"1", b"2", b"3", b"tail"]
            await next_request_is_served(it)

    run(scenario())


def test_a_plain_answer_needs_no_tail() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"), chunked=False)
            worker = await it.forked()
            assert not worker.opening.chunked
            await worker.request()
            worker.door.say(Say.CHUNK, body=b"whole")
            worker.door.close()
            it.ended(worker)
            it.tail(worker, b"")
            await task
            assert it.sent == [b"whole"]

    run(scenario())


def test_a_plain_request_whose_worker_died_gets_the_sealed_failure() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"), chunked=False)
            worker = await it.forked()
            worker.door.close()
            it.ended(worker, Ending(Ended.SIGNALLED, 9, Cause.NONE))
            it.tail(worker, b"sealed failure")
            await task
            assert it.sent == [b"sealed failure"]

    run(scenario())


@pytest.mark.parametrize("chunked", [True, False])
def test_no_chunk_and_no_tail_is_unavailable(chunked: bool) -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"), chunked=chunked)
            worker = await it.forked()
            worker.door.close()
            it.ended(worker)
            it.tail(worker, b"")
            assert await refused(task) is Refusal.UNAVAILABLE
            await next_request_is_served(it)

    run(scenario())


def test_chunks_without_a_tail_are_no_complete_answer() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            worker.door.say(Say.CHUNK, body=b"chunk")
            worker.door.close()
            it.ended(worker)
            it.tail(worker, b"")
            assert await refused(task) is Refusal.UNAVAILABLE

    run(scenario())


@pytest.mark.usefixtures("impatient")
def test_a_tail_that_does_not_come_is_not_waited_for_long() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            worker.door.close()
            it.ended(worker)
            assert await refused(task) is Refusal.UNAVAILABLE

    run(scenario())


@pytest.mark.parametrize("word", Refusal)
def test_the_word_of_a_worker_that_opened_nothing_is_passed_on(word: Refusal) -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            await worker.request()
            worker.door.say(Say.REFUSE, body=word.encode())
            worker.door.close()
            it.ended(worker)
            assert await refused(task) is word
            assert it.sent == []
            await next_request_is_served(it)

    run(scenario())


def test_the_word_of_a_worker_that_left_with_the_request_unread_is_passed_on() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a", b"never read", b"nor this"))
            worker = await it.forked()
            await asyncio.sleep(0.05)
            worker.door.say(Say.REFUSE, body=b"unknown-key")
            worker.door.close()
            it.ended(worker)
            assert await refused(task) is Refusal.UNKNOWN_KEY

    run(scenario())


@pytest.mark.parametrize(
    "packet",
    [
        b"\x00",
        pack(Say.DATA, 0, b"x"),
        pack(Say.REFUSE, 0, b"no word of ours"),
        pack(Say.REFUSE, 0, b"\xff"),
        pack(Say.REFUSE, 0, bytes(65)),
    ],
)
def test_a_worker_that_breaks_its_door_is_ended(packet: bytes) -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            bare_socket(worker).send(packet)
            assert await it.killed() == (worker.number, Cause.CANCELLED)
            it.ended(worker, Ending(Ended.SIGNALLED, 9, Cause.CANCELLED))
            assert await refused(task) is Refusal.UNAVAILABLE
            await next_request_is_served(it)

    run(scenario())


def test_a_worker_past_the_deadline_is_ended_and_its_tail_still_sent() -> None:
    async def scenario() -> None:
        async with house(limits(deadline_s=1)) as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            await worker.request()
            worker.door.say(Say.CHUNK, body=b"chunk")
            assert await it.killed() == (worker.number, Cause.DEADLINE)
            worker.door.close()
            it.ended(worker, Ending(Ended.SIGNALLED, 9, Cause.DEADLINE))
            it.tail(worker, b"deadline")
            await task
            assert it.sent == [b"chunk", b"deadline"]
            await next_request_is_served(it)

    run(scenario())


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_outlives_its_end_is_given_up() -> None:
    async def scenario() -> None:
        async with house(limits(deadline_s=1)) as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            assert await it.killed() == (worker.number, Cause.DEADLINE)
            assert await it.killed() == (worker.number, Cause.CANCELLED)
            it.ended(worker)
            assert await refused(task) is Refusal.DEADLINE

    run(scenario())


def test_a_client_that_is_gone_ends_its_worker_and_the_slot_is_free_after_its_end() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            await heard(worker.door)
            task.cancel()
            assert await it.killed() == (worker.number, Cause.CANCELLED)
            assert it.exchanges.slots.running == 1
            it.ended(worker, Ending(Ended.SIGNALLED, 9, Cause.CANCELLED))
            with pytest.raises(asyncio.CancelledError):
                await task
            await next_request_is_served(it)

    run(scenario())


def test_a_second_cancellation_does_not_give_the_slot_away_early() -> None:
    async def scenario() -> None:
        async with house() as it:
            task = it.start(request(b"a"))
            worker = await it.forked()
            task.cancel()
            await it.killed()
            task.cancel()
            await asyncio.sleep(0.05)
            assert it.exchanges.slots.running == 1
            it.ended(worker)
            with pytest.raises(asyncio.CancelledError):
                await task
            assert it.exchanges.slots.running == 0

    run(scenario())


def test_a_client_that_cannot_be_sent_to_ends_its_worker() -> None:
    async def scenario() -> None:
        async def broken(_: bytes) -> None:
            raise ConnectionAbortedError

        async with house() as it:
            task = it.start(request(b"a"), send=broken)
            worker = await it.forked()
            worker.door.say(Say.CHUNK, body=b"chunk")
            assert await it.killed() == (worker.number, Cause.CANCELLED)
            it.ended(worker)
            with pytest.raises(ConnectionAbortedError):
                await task
            await next_request_is_served(it)

    run(scenario())


@pytest.mark.usefixtures("impatient")
def test_a_client_that_reads_nothing_holds_its_worker_back_until_the_deadline() -> None:
    async def scenario() -> None:
        async def stuck(_: bytes) -> None:
            await asyncio.Event().wait()

        async with house(limits(deadline_s=1)) as it:
            task = it.start(request(b"a"), send=stuck)
            worker = await it.forked()
            worker.door.say(Say.CHUNK, body=b"chunk")
            assert (await it.killed())[1] is Cause.DEADLINE
            worker.door.close()
            it.ended(worker)
            assert await refused(task) is Refusal.DEADLINE

    run(scenario())


def test_too_many_bytes_are_refused_before_a_worker_is_made() -> None:
    async def scenario() -> None:
        async with house(limits(request_max_bytes=4096)) as it:
            assert await refused(it.start(request(bytes(4096), b"x"))) is Refusal.REFUSED
            assert it.zygote.hear(wait=False) is None
            await next_request_is_served(it)

    run(scenario())


def test_as_many_bytes_as_allowed_pass() -> None:
    async def scenario() -> None:
        async with house(limits(request_max_bytes=PIECE_MAX_BYTES + 1)) as it:
            task = it.start(request(bytes(PIECE_MAX_BYTES + 1)))
            worker = await it.forked()
            assert await worker.request() == bytes(PIECE_MAX_BYTES + 1)
            worker.door.close()
            it.ended(worker)
            it.tail(worker)
            await task

    run(scenario())


def test_two_failures_in_one_moment_leave_no_text_behind(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        now = asyncio.Event()

        async def broken(_: bytes) -> None:
            await now.wait()
            raise ConnectionAbortedError

        async with house() as it:
            task = it.start(request(b"a"), send=broken)
            worker = await it.forked()
            worker.door.say(Say.CHUNK, body=b"chunk")
            await worker.request()
            await asyncio.sleep(0.05)
            now.set()
            await asyncio.sleep(0)  # the task of the answer fails in this turn
            task.cancel()
            await it.killed()
            it.ended(worker)
            with pytest.raises((asyncio.CancelledError, ConnectionAbortedError)):
                await task

    with caplog.at_level(logging.DEBUG, "asyncio"):
        run(scenario())
        gc.collect()  # a task that nobody has asked for its end says so when it is freed
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_without_a_free_descriptor_a_request_is_busy_and_holds_nothing() -> None:
    async def scenario() -> None:
        async with house() as it:
            with few_descriptors(os.getpid(), 0):  # and the one by which they were counted
                assert await refused(it.start(request(b"a"))) is Refusal.BUSY
            assert it.zygote.hear(wait=False) is None
            await next_request_is_served(it)

    run(scenario())
