# SPDX-License-Identifier: Apache-2.0
"""The gate's streams as a machine: clients, workers and peers do anything, in any order.

Gate, links, slots and sockets are the guest's; the test plays everybody else (`tests.guest.gate.
house`). Each worker says its own number, so a chunk that goes to another's client would show.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from typing_extensions import override

from guest.channel import GoneError, pack
from guest.door import Cause, Ended, Ending, Opening, Process, Refusal, Say
from guest.gate.arrivals import RefusedError
from tests.guest.gate.house import EXITED, PUBLICATION, House, Worker, bare_socket, limits

LIMITS = limits(slots=2, waiting_max=2, request_max_bytes=64, idle_max_s=60, deadline_s=60)
PICK = st.integers(0, 7)
TURNS = 12
KILLED = Ending(Ended.SIGNALLED, 9, Cause.CANCELLED)
UNBORN = Ending(Ended.UNBORN, 0, Cause.NONE)

T = TypeVar("T")


@dataclass
class Visit:
    """One client, and what it sends and gets."""

    mark: bytes
    pieces: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    got: list[bytes] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    async def sending(self) -> AsyncIterator[bytes]:
        yield self.mark
        while (piece := await self.pieces.get()) is not None:
            yield piece


@dataclass
class Life:
    """One worker as the test plays it."""

    worker: Worker
    said: list[bytes] = field(default_factory=list)
    open: bool = True
    over: bool = False  # the zygote has said so
    request: bytes = b""


class Gate(RuleBasedStateMachine):
    """A gate and everybody around it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.visits: list[Visit] = []
        self.lives: list[Life] = []
        self.marks = 0
        self.it = self.do(self._build())

    async def _build(self) -> House:
        it = House(LIMITS)
        await it.get_ready()
        return it

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something, then let the gate do all it can."""
        return self.loop.run_until_complete(self._settled(work))

    async def _settled(self, work: Coroutine[Any, Any, T]) -> T:
        result = await work
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if hasattr(self, "it"):
                self._hear_zygote()
                self._hear_workers()
        return result

    def _hear_zygote(self) -> None:
        with suppress(GoneError):
            while (parcel := self.it.zygote.hear(wait=False)) is not None:
                if parcel.say is Say.FORK:
                    made = Worker(parcel.worker, Opening.parse(parcel.body), parcel.fds[0])
                    self.it.workers.append(made)
                    self.lives.append(Life(made))

    def _hear_workers(self) -> None:
        for life in self.lives:
            with suppress(GoneError):
                while life.open and (parcel := life.worker.door.hear(wait=False)) is not None:
                    life.request += parcel.body

    def _visit(self, pick: int) -> Visit | None:
        alive = [v for v in self.visits if v.task is not None and not v.task.done()]
        return alive[pick % len(alive)] if alive else None

    def _life(self, pick: int, *, is_open: bool) -> Life | None:
        some = [life for life in self.lives if life.open is is_open and not life.over]
        return some[pick % len(some)] if some else None

    # Clients

    @rule(chunked=st.booleans())
    def a_client_comes(self, chunked: bool) -> None:
        self.marks += 1
        visit = Visit(b"%04d" % self.marks)

        async def send(sealed: bytes) -> None:
            visit.got.append(sealed)

        async def come() -> None:
            visit.task = self.it.start(visit.sending(), send=send, chunked=chunked)

        self.visits.append(visit)
        self.do(come())

    @rule(pick=PICK, size=st.sampled_from([0, 1, 30, 61]))
    def a_client_sends(self, pick: int, size: int) -> None:
        if (visit := self._visit(pick)) is not None:
            self.do(visit.pieces.put(b"x" * size))

    @rule(pick=PICK)
    def a_client_has_sent_all(self, pick: int) -> None:
        if (visit := self._visit(pick)) is not None:
            self.do(visit.pieces.put(None))

    @rule(pick=PICK)
    def a_client_goes(self, pick: int) -> None:
        visit = self._visit(pick)
        if visit is not None and visit.task is not None:
            visit.task.cancel()
            self.do(asyncio.sleep(0))

    # Workers

    @rule(pick=PICK)
    def a_worker_answers(self, pick: int) -> None:
        if (life := self._life(pick, is_open=True)) is not None:
            chunk = b"%d of %d" % (len(life.said), life.worker.number)
            life.said.append(chunk)
            with suppress(GoneError):
                life.worker.door.say(Say.CHUNK, body=chunk)
            self.do(asyncio.sleep(0))

    @rule(pick=PICK, word=st.sampled_from([b"refused", b"busy", b"no such word"]))
    def a_worker_refuses(self, pick: int, word: bytes) -> None:
        if (life := self._life(pick, is_open=True)) is not None:
            with suppress(OSError):
                bare_socket(life.worker).send(pack(Say.REFUSE, 0, word))
            self.do(asyncio.sleep(0))

    @rule(
        pick=PICK, packet=st.sampled_from([b"\x00", pack(Say.DATA, 0, b"x"), pack(Say.ASK, 0, b"")])
    )
    def a_worker_is_captured(self, pick: int, packet: bytes) -> None:
        if (life := self._life(pick, is_open=True)) is not None:
            with suppress(OSError):
                bare_socket(life.worker).send(packet)
            self.do(asyncio.sleep(0))

    @rule(pick=PICK)
    def a_worker_exits(self, pick: int) -> None:
        if (life := self._life(pick, is_open=True)) is not None:
            self._close(life)
            self.do(asyncio.sleep(0))

    def _close(self, life: Life) -> None:
        life.open = False
        life.worker.door.close()

    # Zygote and keyholder

    @rule(pick=PICK, ending=st.sampled_from([EXITED, KILLED, UNBORN]))
    def the_zygote_has_reaped(self, pick: int, ending: Ending) -> None:
        if (life := self._life(pick, is_open=False)) is not None:
            life.over = True
            with suppress(GoneError):
                self.it.ended(life.worker, ending)
            self.do(asyncio.sleep(0))

    @rule(pick=PICK, sealed=st.sampled_from([b"", b"tail"]))
    def the_keyholder_seals(self, pick: int, sealed: bytes) -> None:
        if (life := self._life(pick, is_open=False)) is not None:
            tail = b"tail of %d" % life.worker.number if sealed else b""
            with suppress(GoneError):
                self.it.tail(life.worker, tail)
            self.do(asyncio.sleep(0))

    @rule(breaks=st.booleans())
    def the_zygote_falls(self, breaks: bool) -> None:
        """Its workers fall with it, and init gives the gate a new one."""
        for life in self.lives:
            if life.open:
                self._close(life)
            life.over = True
        if breaks:
            with suppress(OSError):
                self.it.zygote._sock.send(b"\xff")
        self.it.zygote.close()
        self.do(asyncio.sleep(0))
        self.do(self._zygote_comes_back())

    async def _zygote_comes_back(self) -> None:
        self.it.zygote = self.it.adopt(Process.ZYGOTE)
        self.it.zygote.say(Say.READY)

    @rule(named=st.booleans())
    def the_keyholder_falls(self, named: bool) -> None:
        self.it.keyholder.close()
        self.do(asyncio.sleep(0))
        self.do(self._keyholder_comes_back(PUBLICATION.write() if named else b""))

    async def _keyholder_comes_back(self, body: bytes) -> None:
        self.it.keyholder = self.it.adopt(Process.KEYHOLDER)
        self.it.keyholder.say(Say.PUBLISH, body=body)

    # What must hold

    @invariant()
    def the_slots_are_within_their_bounds(self) -> None:
        slots = self.it.exchanges.slots
        assert 0 <= slots.running <= LIMITS.slots
        assert 0 <= slots.waiting <= LIMITS.waiting_max
        assert slots.waiting == 0 or slots.running == LIMITS.slots

    @invariant()
    def no_more_workers_live_than_there_are_slots(self) -> None:
        assert sum(life.open for life in self.lives) <= LIMITS.slots

    @invariant()
    def everybody_hears_only_of_its_own(self) -> None:
        lives = {life.request[:4]: life for life in self.lives if life.request}
        for visit in self.visits:
            if visit.got:
                life = lives[visit.mark]
                own = [*life.said, b"tail of %d" % life.worker.number]
                assert (
                    visit.got == own[: len(visit.got)]
                    or visit.got[:-1] == life.said[: len(visit.got) - 1]
                )
                assert set(visit.got) <= set(own)

    @invariant()
    def every_end_is_a_word_of_the_table(self) -> None:
        for visit in self.visits:
            if visit.task is not None and visit.task.done() and not visit.task.cancelled():
                error = visit.task.exception()
                assert error is None or isinstance(error, RefusedError), error
                assert error is None or error.refusal in Refusal

    @override
    def teardown(self) -> None:
        """When all have gone and every worker was reaped, nothing is held."""
        try:
            self.do(self._everybody_goes())
            slots = self.it.exchanges.slots
            assert (slots.running, slots.waiting) == (0, 0)
            assert len(self.it.exchanges.arrivals) == 0
            assert self.it.links._fates == {}
        finally:
            self.loop.run_until_complete(self._close_all())
            self.loop.close()

    async def _close_all(self) -> None:
        self.it.close()
        for timer in self.it.links._overdue.values():
            timer.cancel()

    async def _everybody_goes(self) -> None:
        tasks = [visit.task for visit in self.visits if visit.task is not None]
        for _ in range(4 * TURNS):
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0)
            self._hear_zygote()
            for life in self.lives:
                if life.open:
                    self._close(life)
                with suppress(GoneError):
                    self.it.ended(life.worker, KILLED)
            if all(task.done() for task in tasks):
                break
            await asyncio.sleep(0.001)
        await asyncio.gather(*tasks, return_exceptions=True)


TestGate = Gate.TestCase
TestGate.settings = hypothesis_settings(
    hypothesis_settings.default, max_examples=30, stateful_step_count=40
)
