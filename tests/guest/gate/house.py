# SPDX-License-Identifier: Apache-2.0
"""A gate whose zygote, keyholder and workers are driven by the test, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from guest.channel import Channel, GoneError, Parcel, pair
from guest.door import Cause, Ended, Ending, Opening, Process, Refusal, Say
from guest.gate.arrivals import RefusedError
from guest.gate.exchange import Exchanges
from guest.gate.links import Links
from guest.publication import Publication
from guest.settings import GateSettings
from tests.guest.rig import nothing_left_open

TARGET = "0123456789abcdef"
PUBLICATION = Publication(
    epoch=3, not_after=1_800_000_000, targets=(TARGET,), evidence=b"evidence", ohttp_keys=b"keys"
)
LIMITS = GateSettings(slots=1, waiting_max=1, request_max_bytes=100_000, idle_max_s=5, deadline_s=5)
EXITED = Ending(Ended.EXITED, 0, Cause.NONE)
WAIT_MAX_S = 8.0


def limits(**changed: int) -> GateSettings:
    """The gate's limits, with some changed."""
    plain = {name: getattr(LIMITS, name) for name in GateSettings.__slots__}
    return GateSettings(**{**plain, **changed})


async def heard(channel: Channel) -> Parcel:
    """The next parcel, without holding up the loop."""
    async with asyncio.timeout(WAIT_MAX_S):
        while (parcel := channel.hear(wait=False)) is None:  # noqa: ASYNC110 - the other side is
            await asyncio.sleep(0.002)  # a socket, which tells no event
        return parcel


async def closed(channel: Channel) -> bool:
    """Wait until the other side has closed its door, whatever it still says."""
    try:
        while True:
            await heard(channel)
    except GoneError:
        return True


class Worker:
    """A worker as the test plays it."""

    def __init__(self, number: int, opening: Opening, fd: int) -> None:
        self.number = number
        self.opening = opening
        self.door = Channel.adopt(fd, us=Process.WORKER, them=Process.GATE)

    async def request(self) -> bytes:
        """Everything the gate gives it."""
        got = b""
        while (parcel := await heard(self.door)).say is Say.DATA:
            got += parcel.body
        return got


class House:
    """The gate's links and exchanges, and the far ends of its doors."""

    def __init__(
        self, gate_limits: GateSettings, cut_off: Callable[[], None] = lambda: None
    ) -> None:
        self.links = Links(cut_off)
        self.exchanges = Exchanges(self.links, gate_limits)
        self.sent: list[bytes] = []
        self.workers: list[Worker] = []
        self.zygote = self.adopt(Process.ZYGOTE)
        self.keyholder = self.adopt(Process.KEYHOLDER)

    def adopt(self, peer: Process) -> Channel:
        """Give the gate a new door to a peer and return the far end."""
        near, far = pair()
        self.links.adopt(peer, near.detach())
        return Channel(far, us=peer, them=Process.GATE)

    async def get_ready(self) -> None:
        """Zygote and keyholder are there."""
        self.zygote.say(Say.READY)
        self.keyholder.say(Say.PUBLISH, body=PUBLICATION.write())
        await self.until(lambda: self.links.ready)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something that must become true."""
        async with asyncio.timeout(WAIT_MAX_S):
            while not holds():  # noqa: ASYNC110 - what the gate holds tells no event either
                await asyncio.sleep(0.002)

    async def _send(self, sealed: bytes) -> None:
        self.sent.append(sealed)

    def start(
        self,
        pieces: AsyncIterator[bytes],
        *,
        send: Callable[[bytes], Awaitable[None]] | None = None,
        chunked: bool = True,
    ) -> asyncio.Task[None]:
        """Begin an exchange."""
        run = self.exchanges.run(TARGET, pieces, send or self._send, chunked=chunked)
        return asyncio.create_task(run)

    async def forked(self) -> Worker:
        """The worker that the gate asks for, as a zygote would make it."""
        parcel = await heard(self.zygote)
        assert parcel.say is Say.FORK
        worker = Worker(parcel.worker, Opening.parse(parcel.body), parcel.fds[0])
        self.workers.append(worker)
        return worker

    async def killed(self) -> tuple[int, Cause]:
        """The next word to the zygote, which must be to end a worker."""
        parcel = await heard(self.zygote)
        assert parcel.say is Say.KILL
        return parcel.worker, Cause(parcel.body.decode())

    def ended(self, worker: Worker, ending: Ending = EXITED) -> None:
        """The worker was reaped."""
        self.zygote.say(Say.ENDED, worker.number, ending.write())

    def tail(self, worker: Worker, sealed: bytes = b"tail") -> None:
        """The keyholder seals the final chunk."""
        self.keyholder.say(Say.TAIL, worker.number, sealed)

    def close(self) -> None:
        """Close every door."""
        for door in (self.zygote, self.keyholder, *(worker.door for worker in self.workers)):
            door.close()
        for peer in (Process.ZYGOTE, Process.KEYHOLDER):
            self.links._drop(peer)


@asynccontextmanager
async def house(
    gate_limits: GateSettings = LIMITS, *, cut_off: Callable[[], None] = lambda: None
) -> AsyncIterator[House]:
    """A gate that is ready."""
    made = House(gate_limits, cut_off)
    try:
        await made.get_ready()
        yield made
    finally:
        made.close()


async def request(*pieces: bytes) -> AsyncIterator[bytes]:
    """A request that comes at once."""
    for piece in pieces:
        yield piece


async def silence(first: bytes = b"first") -> AsyncIterator[bytes]:
    """A request that stops coming."""
    yield first
    await asyncio.Event().wait()


def bare_socket(worker: Worker) -> socket.socket:
    """The worker's socket, to say what its table does not allow."""
    return worker.door._sock


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario in its time; it may leave nothing open."""

    async def bounded() -> None:
        async with asyncio.timeout(15):
            await scenario

    with nothing_left_open():
        asyncio.run(bounded())


async def refused(task: asyncio.Task[None]) -> Refusal:
    """The word with which an exchange ends."""
    with pytest.raises(RefusedError) as caught:
        await task
    return caught.value.refusal


async def next_request_is_served(it: House) -> None:
    """The slot is free again and the gate in order."""
    assert (it.exchanges.slots.running, it.exchanges.slots.waiting) == (0, 0)
    it.sent.clear()
    task = it.start(request(b"next"))
    worker = await it.forked()
    assert await worker.request() == b"next"
    worker.door.say(Say.CHUNK, body=b"chunk")
    worker.door.close()
    it.ended(worker)
    it.tail(worker)
    await task
    assert it.sent == [b"chunk", b"tail"]
