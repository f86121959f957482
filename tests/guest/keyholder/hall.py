# SPDX-License-Identifier: Apache-2.0
"""A keyholder that runs, over real sockets, with the test as init, gate, zygote and workers."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from guest.channel import Channel, Parcel, pair
from guest.door import Ending, Process, Question, Say
from guest.keyholder.service import SECRETS_MAX, Keyholder
from guest.keyholder.tsm import Configfs
from guest.publication import Publication
from guest.secretmem import SecretMemory
from guest.settings import Identity, KeySettings, StaplingSettings, Variant
from tests.guest.keyholder.clients import SETTINGS

IDENTITY = Identity(
    variant=Variant.MOCK,
    model=b"m" * 32,
    prompts=b"p" * 32,
    configuration=b"c" * 32,
    lacking=("own-user",),
)
NO_BUNDLE = StaplingSettings(endorsements=None)
WAIT_MAX_S = 10.0


async def heard(channel: Channel) -> Parcel:
    """The next parcel, without holding up the loop."""
    async with asyncio.timeout(WAIT_MAX_S):
        while (parcel := channel.hear(wait=False)) is None:  # noqa: ASYNC110 - the other side is
            await asyncio.sleep(0.002)  # a socket, which tells no event
        return parcel


class Worker:
    """A real process that waits to be ended, and the door that the test speaks through."""

    def __init__(self, number: int) -> None:
        self.number = number
        ours, theirs = pair()
        self._read, write = os.pipe2(os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid == 0:
            os.closerange(3, self._read)
            os.closerange(self._read + 1, os.sysconf("SC_OPEN_MAX"))
            os.read(self._read, 1)
            os._exit(0)
        os.close(self._read)
        self._leave = write
        self.pidfd = os.pidfd_open(self.pid)
        self._theirs = theirs
        self.door = Channel(ours, us=Process.WORKER, them=Process.KEYHOLDER)

    def born(self, zygote: Channel) -> None:
        """Tell the keyholder, as the zygote does, and keep no copy of its door."""
        fds = (self._theirs.fileno(), self.pidfd)
        zygote.say(Say.BORN, self.number, fds=fds)
        self._theirs.close()

    async def ask(self, question: Question) -> Parcel:
        """Ask the one question."""
        self.door.say(Say.ASK, body=question.write())
        return await heard(self.door)

    def exit(self) -> None:
        """Die: the door first, as the kernel does it, and then the process."""
        self.door.close()
        if self._leave >= 0:
            os.close(self._leave)
            self._leave = -1
            os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOWAIT)

    def close(self) -> None:
        """Leave no process and no descriptor."""
        self.exit()
        self._theirs.close()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self.pidfd)


class Hall:
    """The far ends of the keyholder's doors."""

    def __init__(
        self, configfs: Configfs, settings: KeySettings, stapling: StaplingSettings
    ) -> None:
        near, far = pair()
        self.init = Channel(far, us=Process.INIT, them=Process.KEYHOLDER)
        wiring = Channel(near, us=Process.KEYHOLDER, them=Process.INIT)
        self.keyholder = Keyholder(
            wiring, configfs, settings, stapling, IDENTITY, memory=SecretMemory(SECRETS_MAX)
        )
        self.running = asyncio.create_task(self.keyholder.run())
        self.workers: list[Worker] = []
        self.gate = self.link(Process.GATE)
        self.zygote = self.link(Process.ZYGOTE)

    def link(self, peer: Process) -> Channel:
        """Give the keyholder a new door to a peer."""
        near, far = pair()
        with far:
            self.init.say(Say.LINK, body=peer.encode(), fds=(far.fileno(),))
        return Channel(near, us=peer, them=Process.KEYHOLDER)

    async def published(self) -> Publication:
        """The next publication that names a key."""
        while True:
            parcel = await heard(self.gate)
            if parcel.say is Say.PUBLISH and parcel.body:
                return Publication.parse(parcel.body)

    def worker(self, number: int) -> Worker:
        """A worker of which the keyholder has heard."""
        made = Worker(number)
        self.workers.append(made)
        made.born(self.zygote)
        return made

    def ended(self, worker: Worker, ending: Ending) -> None:
        """The zygote has reaped it."""
        self.zygote.say(Say.ENDED, worker.number, ending.write())

    async def tail(self) -> Parcel:
        """The next tail; publications in between are passed over."""
        while (parcel := await heard(self.gate)).say is not Say.TAIL:
            assert parcel.say is Say.PUBLISH
        return parcel

    async def close(self) -> None:
        """End the keyholder, and what it had open."""
        self.init.close()
        with suppress(Exception):
            async with asyncio.timeout(WAIT_MAX_S):
                await self.running
        for peer in list(self.keyholder._doors):
            self.keyholder._drop(peer)
        for worker in self.workers:
            worker.close()
        for vigil in self.keyholder._vigils.values():
            asyncio.get_running_loop().remove_reader(vigil.pidfd)
            asyncio.get_running_loop().remove_reader(vigil.door.fileno())
            vigil.door.close()
            os.close(vigil.pidfd)
        self.gate.close()
        self.zygote.close()


@asynccontextmanager
async def hall(
    configfs: Configfs,
    settings: KeySettings = SETTINGS,
    stapling: StaplingSettings = NO_BUNDLE,
) -> AsyncIterator[Hall]:
    """A keyholder that has said it is ready."""
    made = Hall(configfs, settings, stapling)
    try:
        assert (await heard(made.init)).say is Say.READY
        yield made
    finally:
        await made.close()
