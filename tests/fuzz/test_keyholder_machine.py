# SPDX-License-Identifier: Apache-2.0
"""The keyholder's doors as a machine: BORN, ASK, MARK, ENDED and nonsense, in any order.

The keyholder is the guest's, over its real sockets, and its workers are real processes, because it
waits for their pidfds (`tests.guest.keyholder.hall`). What each worker was given, it uses: its
chunks and the keyholder's tail together must open at its client, or there must be no tail at all.
Two seals under one nonce would not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from typing_extensions import override

from guest.channel import GoneError, pack
from guest.door import Cause, Ended, Ending, Phase, Process, Say
from guest.settings import Kem
from lab.mocktsm import MockSnp, MockTsm
from tests.guest.keyholder.clients import Client, ask, opened, settings
from tests.guest.keyholder.hall import NO_BUNDLE, Hall, Worker, heard
from wire import bhttp_pieces as pieces
from wire.api import EVENT_STREAM
from wire.chunked import ChunkedResponseSealer
from wire.keyconfig import parse_key_configs, write_key_config
from wire.ohttp import Mode, response_key

LIMITS = settings(kems=(Kem.X25519,))
PLATFORM = MockSnp()
PICK = st.integers(0, 7)
WORKERS_MAX = 4
TURNS = 4
COMMENT = pieces.content(b": beat\n\n")
OPENING = pieces.begin_response() + pieces.head(200, (("content-type", EVENT_STREAM),))
ENDINGS = [
    Ending(Ended.EXITED, 0, Cause.NONE),
    Ending(Ended.SIGNALLED, 9, Cause.DEADLINE),
    Ending(Ended.UNBORN, 0, Cause.NONE),
]
EARLY = pack(Say.MARK, 0, bytes([Phase.NOTHING]))  # nobody may say this, and before a secret least
NONSENSE = [
    b"\x00",
    EARLY,
    pack(Say.SECRET, 0, b""),
    pack(Say.ASK, 0, b"x"),
    pack(Say.MARK, 0, b"\x09"),
]

T = TypeVar("T")


@dataclass
class Life:
    """A worker, what it asked, what it was told, and what it has sealed."""

    worker: Worker
    client: Client | None = None
    asked: bool = False
    sealer: ChunkedResponseSealer | None = None
    sealed: bytes = b""
    marks: int = 0
    captured: bool = False
    exited: bool = False
    ended: bool = False
    tail: bytes | None = None


class Keyholder(RuleBasedStateMachine):
    """A keyholder and everybody around it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.lives: list[Life] = []
        self.secrets: dict[bytes, int] = {}
        self.asked: list[Client] = []
        self.number = 0
        self.hall = self.loop.run_until_complete(self._build())
        publication = self.loop.run_until_complete(self.hall.published())
        self.config = write_key_config(parse_key_configs(publication.ohttp_keys)[0])

    async def _build(self) -> Hall:
        made = Hall(MockTsm(PLATFORM), LIMITS, NO_BUNDLE)
        await heard(made.init)
        return made

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def _settle(self) -> None:
        """Let the keyholder hear all that was said; note what it has told the gate."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        with suppress(GoneError):
            while (parcel := self.hall.gate.hear(wait=False)) is not None:
                if parcel.say is Say.TAIL:
                    (life,) = [one for one in self.lives if one.worker.number == parcel.worker]
                    assert life.tail is None, "a second tail"
                    life.tail = parcel.body

    def settle(self) -> None:
        self.do(self._settle())

    def alive(self) -> list[Life]:
        """The workers that have not exited."""
        return [life for life in self.lives if not life.exited]

    def asking(self) -> list[Life]:
        """Those that have not asked yet."""
        return [life for life in self.alive() if not life.asked and not life.captured]

    def sealing(self) -> list[Life]:
        """Those that were answered."""
        return [life for life in self.alive() if life.sealer and not life.captured]

    # The zygote

    @initialize(count=st.integers(2, 3))
    def some_workers_are_born(self, count: int) -> None:
        for _ in range(count):
            self.a_worker_is_born()

    @precondition(lambda self: len(self.alive()) < WORKERS_MAX)
    @rule()
    def a_worker_is_born(self) -> None:
        self.number += 1
        self.lives.append(Life(self._worker(self.number)))

    def _worker(self, number: int) -> Worker:
        async def make() -> Worker:
            return self.hall.worker(number)

        made = self.do(make())
        self.settle()
        return made

    @precondition(lambda self: any(not life.ended for life in self.alive()))
    @rule(pick=PICK, twice=st.booleans())
    def the_zygote_is_captured(self, pick: int, twice: bool) -> None:
        """It bears a number that lives, or says what it may not; its workers are given up."""
        alive = [life for life in self.alive() if not life.ended]
        if twice:
            self._worker(alive[pick % len(alive)].worker.number)
        else:
            self.hall.zygote._sock.send(pack(Say.MARK, 0, b"\x01"))
        self._zygote_is_lost()

    def _zygote_is_lost(self) -> None:
        self.settle()
        self.hall.zygote.close()
        for life in self.lives:
            life.ended = True
        self.hall.zygote = self.hall.link(Process.ZYGOTE)
        self.settle()

    @precondition(lambda self: any(not life.ended for life in self.lives))
    @rule(pick=PICK, ending=st.sampled_from(ENDINGS))
    def the_zygote_says_how_it_ended(self, pick: int, ending: Ending) -> None:
        alive = [life for life in self.lives if not life.ended]
        life = alive[pick % len(alive)]
        self.hall.ended(life.worker, ending)
        life.ended = True
        self.settle()

    # Workers

    @precondition(lambda self: self.asking())
    @rule(pick=PICK)
    def a_worker_asks(self, pick: int) -> None:
        client = ask(self.config)
        self.asked.append(client)
        self._ask(self.asking()[pick % len(self.asking())], client)

    @precondition(lambda self: self.alive() and self.asked)
    @rule(pick=PICK, which=PICK)
    def a_worker_asks_what_was_asked_before(self, pick: int, which: int) -> None:
        life = self.alive()[pick % len(self.alive())]
        self._ask(life, self.asked[which % len(self.asked)])

    def _ask(self, life: Life, client: Client) -> None:
        with suppress(GoneError):
            life.worker.door.say(Say.ASK, body=client.question.write())
        self.settle()
        if life.captured:
            return
        if life.asked:
            life.captured = True  # once is once
            return
        life.asked = True
        answer = self.do(heard(life.worker.door))
        if answer.say is Say.SECRET:
            self.secrets[client.enc] = self.secrets.get(client.enc, 0) + 1
            key = response_key(
                Mode.CHUNKED, client.header, client.enc, answer.body[:32], answer.body[32:]
            )
            life.client, life.sealer = client, ChunkedResponseSealer(key)

    @precondition(lambda self: self.sealing())
    @rule(pick=PICK, count=st.integers(1, 3))
    def a_worker_marks_and_sends(self, pick: int, count: int) -> None:
        """The first chunk opens the stream, each further one is a comment."""
        life = self.sealing()[pick % len(self.sealing())]
        sealer = life.sealer
        assert sealer is not None
        for _ in range(count):
            life.worker.door.say(Say.MARK, body=bytes([Phase.STREAMING]))
            life.sealed += b"" if life.marks else sealer.begin()
            life.sealed += sealer.seal(COMMENT if life.marks else OPENING)
            life.marks += 1
        self.settle()

    @precondition(lambda self: self.alive())
    @rule(pick=PICK, packet=st.sampled_from(NONSENSE))
    def a_worker_breaks_its_door(self, pick: int, packet: bytes) -> None:
        life = self.alive()[pick % len(self.alive())]
        with suppress(OSError):
            life.worker.door._sock.send(packet)
        life.captured = True
        self.settle()

    @precondition(lambda self: self.alive())
    @rule(pick=PICK)
    def a_worker_exits(self, pick: int) -> None:
        life = self.alive()[pick % len(self.alive())]
        life.exited = True
        life.worker.exit()
        self.settle()

    @rule()
    def the_gate_comes_anew(self) -> None:
        before, self.hall.gate = self.hall.gate, self.hall.link(Process.GATE)
        self.settle()
        before.close()
        self.settle()

    # What must hold

    @invariant()
    def no_encapsulation_was_answered_twice(self) -> None:
        assert set(self.secrets.values()) <= {1}

    @invariant()
    def a_tail_is_sealed_when_the_room_is_empty_and_not_before(self) -> None:
        for life in self.lives:
            assert (life.tail is not None) == (life.exited and life.ended), life

    @override
    def teardown(self) -> None:
        """Every answer opens with its tail, and a captured worker's has none."""
        try:
            for life in self.lives:
                life.worker.exit()
                if not life.ended:
                    self.hall.ended(life.worker, ENDINGS[0])
                life.exited = life.ended = True
            self.settle()
            self.do(asyncio.sleep(0.02))
            self.settle()
            assert self.hall.keyholder._vigils == {}
            for life in self.lives:
                if life.captured or life.client is None:
                    assert life.tail == b""
                else:
                    answer = opened(life.client.opener, life.sealed + (life.tail or b""))
                    assert dict(answer.trailers)
        finally:
            with ExitStack() as stack:
                stack.callback(self.loop.close)
                self.do(self._close_all())

    async def _close_all(self) -> None:
        await self.hall.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*left, return_exceptions=True)


TestKeyholder = Keyholder.TestCase
TestKeyholder.settings = hypothesis_settings(
    hypothesis_settings.default, max_examples=10, stateful_step_count=30
)
