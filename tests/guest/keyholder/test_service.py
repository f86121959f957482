# SPDX-License-Identifier: Apache-2.0
"""The whole keyholder over real sockets, on a mock platform: keys, questions, tails, losses."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from attest import parse_evidence, read_policy, verify
from attest.receipt import Ended as ReceiptEnded
from attest.statement import Statement, parse_statement
from guest.channel import GoneError, pack
from guest.door import Cause, Ended, Ending, Phase, Process, Say
from guest.keyholder import service
from guest.publication import Publication
from guest.settings import Kem, KeySettings
from lab.mocktsm import FaultPlan, MockSnp, MockTsm, mock_policy_mapping, mock_roots
from tests.guest.keyholder.clients import SETTINGS, ask, opened, receipt_of, settings
from tests.guest.keyholder.hall import IDENTITY, Hall, hall, heard
from tests.guest.rig import nothing_left_open
from wire import bhttp_pieces as pieces
from wire.api import EVENT_STREAM
from wire.chunked import ChunkedResponseSealer
from wire.keyconfig import target
from wire.ohttp import Mode, response_key

PLATFORM = MockSnp()
EXITED = Ending(Ended.EXITED, 0, Cause.NONE)
OPENED = pieces.begin_response() + pieces.head(200, (("content-type", EVENT_STREAM),))
BRIEF = settings(kems=(Kem.X25519,), life_s=2, overlap_s=1, grace_s=1)


def run(
    scenario: Callable[[Hall], Awaitable[None]],
    key_settings: KeySettings = SETTINGS,
    faults: dict[str, int | str] | None = None,
) -> None:
    plan = FaultPlan(faults or {})

    async def bounded() -> None:
        async with asyncio.timeout(25), hall(MockTsm(PLATFORM, plan), key_settings) as it:
            await scenario(it)

    asyncio.run(bounded())


def statement_of(publication: Publication) -> Statement:
    return parse_statement(parse_evidence(publication.evidence)[0].statement)


def test_the_first_publication_is_evidence_that_verifies() -> None:
    async def scenario(it: Hall) -> None:
        publication = await it.published()
        mapping = mock_policy_mapping(
            platform=PLATFORM,
            model=IDENTITY.model,
            prompts=IDENTITY.prompts,
            configuration=IDENTITY.configuration,
            max_life_s=3600,
            lacking=frozenset(IDENTITY.lacking),
        )
        evidence, endorsements = parse_evidence(publication.evidence)
        guest = verify(
            evidence,
            endorsements,
            read_policy(mapping),
            roots=mock_roots(),
            now=datetime.now(UTC),
        )
        assert tuple(target(config) for config in guest.key_configs) == publication.targets
        assert guest.statement.epoch == publication.epoch == 1
        assert guest.statement.not_after == publication.not_after
        assert guest.statement.lacking == IDENTITY.lacking

    run(scenario)


def test_an_exchange_ends_with_a_receipt_under_the_key_of_the_statement() -> None:
    async def scenario(it: Hall) -> None:
        stated = statement_of(await it.published())
        client = ask(stated.key_configs[0])
        worker = it.worker(7)
        answer = (await worker.ask(client.question)).body
        key = response_key(Mode.CHUNKED, client.header, client.enc, answer[:32], answer[32:])
        sealer = ChunkedResponseSealer(key)
        worker.door.say(Say.MARK, body=bytes([Phase.STREAMING]))
        worker.door.say(Say.MARK, body=bytes([Phase.ANSWERED]))
        sent = sealer.begin() + sealer.seal(OPENED) + sealer.seal(pieces.content(b"words"))
        worker.exit()
        it.ended(worker, EXITED)
        tail = await it.tail()
        assert tail.worker == 7
        response = opened(client.opener, sent + tail.body)
        assert response.content == b"words"
        read = receipt_of(response, stated.receipt_key)
        assert (read.epoch, read.ended, read.exchange) == (
            1,
            ReceiptEnded.EXITED,
            client.opener.exchange_id,
        )

    run(scenario)


@pytest.mark.parametrize("first", ["exit", "word"])
def test_nothing_is_sealed_before_both_the_end_and_the_zygotes_word(first: str) -> None:
    async def scenario(it: Hall) -> None:
        stated = statement_of(await it.published())
        worker = it.worker(7)
        await worker.ask(ask(stated.key_configs[0]).question)
        if first == "exit":
            worker.exit()
        else:
            it.ended(worker, EXITED)
        await asyncio.sleep(0.1)
        assert it.gate.hear(wait=False) is None
        if first == "exit":
            it.ended(worker, EXITED)
        else:
            worker.exit()
        assert (await it.tail()).body

    run(scenario)


def test_a_worker_that_closes_its_door_but_lives_gets_no_tail_yet() -> None:
    async def scenario(it: Hall) -> None:
        stated = statement_of(await it.published())
        worker = it.worker(7)
        await worker.ask(ask(stated.key_configs[0]).question)
        worker.door.close()
        it.ended(worker, EXITED)
        await asyncio.sleep(0.1)
        assert it.gate.hear(wait=False) is None
        worker.exit()
        assert (await it.tail()).body

    run(scenario)


def test_a_lost_zygote_leaves_tails_that_say_unknown() -> None:
    async def scenario(it: Hall) -> None:
        stated = statement_of(await it.published())
        client = ask(stated.key_configs[0])
        worker = it.worker(7)
        await worker.ask(client.question)
        it.zygote.close()
        await asyncio.sleep(0.05)
        assert it.gate.hear(wait=False) is None  # its workers are not dead yet
        worker.exit()
        response = opened(client.opener, (await it.tail()).body)
        assert receipt_of(response, stated.receipt_key).ended is ReceiptEnded.UNKNOWN
        it.zygote = it.link(Process.ZYGOTE)
        later = it.worker(8)
        assert (await later.ask(ask(stated.key_configs[0]).question)).say is Say.SECRET

    run(scenario)


def test_a_replayed_question_of_many_workers_is_answered_once() -> None:
    async def scenario(it: Hall) -> None:
        stated = statement_of(await it.published())
        question = ask(stated.key_configs[0]).question
        workers = [it.worker(number) for number in range(12)]
        said = await asyncio.gather(*(worker.ask(question) for worker in workers))
        assert sorted(parcel.say for parcel in said) == [Say.SECRET] + [Say.DENIED] * 11

    run(scenario)


def test_a_gate_that_comes_back_is_told_what_is_published() -> None:
    async def scenario(it: Hall) -> None:
        first = await it.published()
        it.gate.close()
        it.gate = it.link(Process.GATE)
        assert await it.published() == first

    run(scenario)


def test_a_gate_that_comes_before_the_first_key_is_told_that_there_is_none() -> None:
    async def scenario(it: Hall) -> None:
        parcel = await heard(it.gate)
        assert (parcel.say, parcel.body) == (Say.PUBLISH, b"")

    run(scenario, faults={"no-provider": "always"})


@pytest.mark.parametrize("fault", ["no-provider", "short-blob", "no-certificates", "timed-out"])
def test_a_platform_that_fails_at_first_is_asked_again(
    fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async def scenario(it: Hall) -> None:
        publication = await it.published()
        assert publication.epoch >= 2  # the first was erased before anyone knew it
        assert len(list(it.keyholder._ring)) == 1

    run(scenario, faults={fault: 1})
    assert '"event":"attestation-failed"' in capfd.readouterr().err


def test_a_platform_that_stays_down_publishes_nothing_but_does_not_end_the_keyholder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "RETRY_MIN_S", 0.02)

    async def scenario(it: Hall) -> None:
        await asyncio.sleep(0.5)
        assert not it.running.done()
        assert it.keyholder._ring.publication() is None
        assert list(it.keyholder._ring) == []

    run(scenario, faults={"no-provider": "always"})


@pytest.mark.slow
def test_rotation_loses_no_question() -> None:
    """Keys live for two seconds; whatever is asked meanwhile of a published target is answered."""

    async def scenario(it: Hall) -> None:
        epochs = set()
        configs: dict[str, bytes] = {}
        current = await it.published()
        loop = asyncio.get_running_loop()
        until = loop.time() + 3.5
        number = 0
        while loop.time() < until:
            while (parcel := it.gate.hear(wait=False)) is not None:
                if parcel.say is Say.PUBLISH and parcel.body:
                    current = Publication.parse(parcel.body)
            epochs.add(current.epoch)
            for config in statement_of(current).key_configs:
                configs[target(config)] = config
            for name in current.targets:
                number += 1
                worker = it.worker(number)
                assert (await worker.ask(ask(configs[name]).question)).say is Say.SECRET
                worker.exit()
                it.ended(worker, EXITED)
            await asyncio.sleep(0.05)
        assert len(epochs) >= 3
        assert number >= 10

    run(scenario, BRIEF)


@pytest.mark.slow
def test_keys_are_retired_and_erased_on_time_while_the_platform_is_down() -> None:
    async def scenario(it: Hall) -> None:
        await it.published()
        it.keyholder._configfs = MockTsm(PLATFORM, FaultPlan({"no-provider": "always"}))
        loop = asyncio.get_running_loop()
        until = loop.time() + 3.0 + 0.5  # life and grace, and room for a slow machine
        await asyncio.sleep(max(0.0, until - loop.time()))
        assert list(it.keyholder._ring) == []

    run(scenario, BRIEF)


def test_the_gate_is_told_when_the_last_key_has_ended() -> None:
    async def scenario(it: Hall) -> None:
        await it.published()
        it.keyholder._configfs = MockTsm(PLATFORM, FaultPlan({"no-provider": "always"}))
        parcel = await heard(it.gate)
        assert (parcel.say, parcel.body) == (Say.PUBLISH, b"")

    run(scenario, BRIEF)


def test_a_keyholder_without_init_ends() -> None:
    async def scenario(it: Hall) -> None:
        it.init.close()
        async with asyncio.timeout(5):
            await it.running

    run(scenario)


def test_a_keyholder_that_is_told_to_stop_ends() -> None:
    async def scenario(it: Hall) -> None:
        it.keyholder.stop()
        async with asyncio.timeout(5):
            await it.running

    run(scenario)


def test_a_keyholder_whose_key_life_fails_ends_and_serves_nothing_more() -> None:
    class Broken:
        """Fails as no configfs can."""

        def __getattr__(self, name: str) -> Any:
            raise ZeroDivisionError

    async def scenario() -> None:
        async with asyncio.timeout(5), hall(Broken()) as it:
            with pytest.raises(ZeroDivisionError):
                await it.running

    asyncio.run(scenario())


@pytest.mark.parametrize("peer", [Process.GATE, Process.ZYGOTE])
def test_a_peer_that_breaks_its_door_loses_it_and_the_rest_goes_on(peer: Process) -> None:
    async def scenario(it: Hall) -> None:
        await it.published()
        broken = it.gate if peer is Process.GATE else it.zygote
        broken._sock.send(pack(Say.SECRET, 0, b""))
        with pytest.raises(GoneError):
            await heard(broken)
        it.gate.close()
        it.gate = it.link(Process.GATE)
        assert (await it.published()).epoch == 1

    run(scenario)


@pytest.mark.parametrize("body", [b"exited +0 none", b"", b"\xff"])
def test_an_ending_in_another_spelling_breaks_the_zygotes_door(body: bytes) -> None:
    async def scenario(it: Hall) -> None:
        await it.published()
        it.worker(7)
        it.zygote.say(Say.ENDED, 7, body)
        with pytest.raises(GoneError):
            await heard(it.zygote)

    run(scenario)


def test_a_second_worker_of_one_number_breaks_the_zygotes_door() -> None:
    async def scenario(it: Hall) -> None:
        stated = statement_of(await it.published())
        first = it.worker(7)
        await first.ask(ask(stated.key_configs[0]).question)
        it.worker(7)
        with pytest.raises(GoneError):
            await heard(it.zygote)
        first.exit()
        assert (await it.tail()).body  # the first is not forgotten

    run(scenario)


def test_an_ending_of_nobody_changes_nothing() -> None:
    async def scenario(it: Hall) -> None:
        stated = statement_of(await it.published())
        it.zygote.say(Say.ENDED, 99, EXITED.write())
        worker = it.worker(7)
        assert (await worker.ask(ask(stated.key_configs[0]).question)).say is Say.SECRET

    run(scenario)


def test_many_workers_leave_no_descriptor_behind() -> None:
    async def scenario(it: Hall) -> None:
        stated = statement_of(await it.published())
        with nothing_left_open():
            for number in range(20):
                worker = it.worker(number)
                await worker.ask(ask(stated.key_configs[1]).question)
                worker.exit()
                it.ended(worker, EXITED)
                await it.tail()
                worker.close()
                it.workers.clear()
        assert it.keyholder._vigils == {}

    run(scenario)


def test_a_worker_that_is_killed_by_a_signal_is_seen_by_its_pidfd() -> None:
    async def scenario(it: Hall) -> None:
        stated = statement_of(await it.published())
        client = ask(stated.key_configs[0])
        worker = it.worker(7)
        await worker.ask(client.question)
        worker.door.close()
        os.kill(worker.pid, signal.SIGKILL)
        it.ended(worker, Ending(Ended.SIGNALLED, 9, Cause.DEADLINE))
        response = opened(client.opener, (await it.tail()).body)
        read = receipt_of(response, stated.receipt_key)
        assert (read.ended, read.code) == (ReceiptEnded.KILLED, 9)
        assert response.status == 504

    run(scenario)
