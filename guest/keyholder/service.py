# SPDX-License-Identifier: Apache-2.0
"""The keyholder's loop: the doors of all others, the clock of key life, and nothing else.

What it decides stands elsewhere: `ring` and `keylife` for keys, `vigil` and `tail` for answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import Any, Final

from guest import journal
from guest.channel import Channel, GoneError, Parcel
from guest.child import linked
from guest.door import DoorError, Ending, Process, Say
from guest.keyholder.attesting import AttestationError, Claims, attest
from guest.keyholder.epoch import Epoch
from guest.keyholder.facts import kernel_facts
from guest.keyholder.keylife import State
from guest.keyholder.ring import Ring
from guest.keyholder.tsm import Configfs
from guest.keyholder.vigil import LOST, Vigil
from guest.secretmem import SecretMemory, scrub
from guest.settings import Identity, KeySettings, StaplingSettings

RETRY_MIN_S: Final = 0.2
RETRY_MAX_S: Final = 15.0
SCRUB_AFTER_S: Final = 0.1  # of a question or an end; it takes milliseconds, so not after each
SECRETS_MAX: Final = 1024  # answers under way; eight times as many as a zygote has workers


class Keyholder:
    """Keys from birth to erasure, and one vigil per worker."""

    def __init__(
        self,
        wiring: Channel,
        configfs: Configfs,
        keys: KeySettings,
        stapling: StaplingSettings,
        identity: Identity,
        *,
        memory: SecretMemory,
    ) -> None:
        self._configfs = configfs
        self._stapling = stapling
        self._identity = identity
        self._ring = Ring(keys, memory)
        self._scrubbing: asyncio.TimerHandle | None = None
        self._kernel = kernel_facts()
        self._doors: dict[Process, Channel] = {Process.INIT: wiring}
        self._vigils: dict[int, Vigil] = {}
        self._done = asyncio.Event()
        self._published = asyncio.Event()

    async def run(self) -> None:
        """Serve until init closes its door or `stop` is called."""
        self._listen(Process.INIT)
        self._doors[Process.INIT].say(Say.READY)
        life = asyncio.create_task(self._live())
        done = asyncio.create_task(self._done.wait())
        either: set[asyncio.Future[Any]] = {life, done}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()  # raises: without key life nothing may go on
        finally:
            life.cancel()
            done.cancel()

    def stop(self) -> None:
        """Make `run` return."""
        self._done.set()

    # Key life

    async def _live(self) -> None:
        await asyncio.gather(self._renewing(), self._tidying())

    async def _tidying(self) -> None:
        """Retire and erase epochs when their time has come, whatever the platform does."""
        while True:
            self._note(self._ring.tidy(time.monotonic()))
            self._published.clear()
            moment = self._ring.next_tidy()
            wait_s = None if moment is None else max(0.0, moment - time.monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._published.wait(), wait_s)

    async def _renewing(self) -> None:
        """Make an epoch whenever one is due; a platform that would not sign is asked again."""
        retry_s = RETRY_MIN_S
        while True:
            if (wait_s := self._ring.successor_due() - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            elif await self._renew():
                retry_s = RETRY_MIN_S
            else:
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, RETRY_MAX_S)

    async def _renew(self) -> bool:
        """Bear, attest and publish the next epoch; False if the platform would not sign."""
        epoch = self._ring.bear(monotonic=time.monotonic(), wall=int(time.time()))
        claims = Claims(
            epoch=epoch.number,
            not_before=epoch.not_before,
            not_after=epoch.not_after,
            key_configs=tuple(epoch.configs),
            receipt_key=epoch.receipt_public,
        )
        try:
            evidence = await asyncio.to_thread(
                attest, self._configfs, self._identity, self._stapling, claims
            )
        except AttestationError as error:
            self._ring.discard(epoch)
            journal.record(journal.Event.ATTESTATION_FAILED, code=error.code)
            return False
        self._ring.publish(epoch, evidence)
        self._published.set()
        self._note([epoch])
        return True

    def _note(self, changed: list[Epoch]) -> None:
        """Write down new states and tell the gate what clients may know now."""
        for epoch in changed:
            number = list(State).index(epoch.state)
            journal.record(journal.Event.KEY_STATE, epoch=epoch.number, state=number)
        if changed:
            self._publish()

    def _publish(self) -> None:
        publication = self._ring.publication()
        body = publication.write() if publication is not None else b""
        self._tell(Process.GATE, Say.PUBLISH, body=body)

    # Doors

    def _listen(self, peer: Process) -> None:
        door = self._doors[peer]
        asyncio.get_running_loop().add_reader(door.fileno(), self._hear, peer, door)

    def _hear(self, peer: Process, door: Channel) -> None:
        try:
            parcel = door.hear(wait=False)
            if parcel is not None:
                self._heard(parcel)
        except GoneError:
            self._drop(peer)
        except DoorError:
            journal.record(journal.Event.DOOR_BROKEN)
            self._drop(peer)

    def _heard(self, parcel: Parcel) -> None:
        if parcel.say is Say.LINK:
            name, fd = linked(parcel, us=Process.KEYHOLDER)
            self._adopt(Process(name), fd)
        elif parcel.say is Say.BORN:
            self._born(parcel)
        elif parcel.say is Say.ENDED and parcel.worker in self._vigils:
            vigil = self._vigils[parcel.worker]
            vigil.ending = Ending.parse(parcel.body)
            self._conclude(vigil)

    def _adopt(self, peer: Process, fd: int) -> None:
        self._drop(peer)
        self._doors[peer] = Channel.adopt(fd, us=Process.KEYHOLDER, them=peer)
        self._listen(peer)
        if peer is Process.GATE:
            self._publish()

    def _drop(self, peer: Process) -> None:
        door = self._doors.pop(peer, None)
        if door is None:
            return
        asyncio.get_running_loop().remove_reader(door.fileno())
        door.close()
        if peer is Process.INIT:
            self.stop()
        if peer is Process.ZYGOTE:  # its workers die with it; nobody will say how
            for vigil in list(self._vigils.values()):
                vigil.ending = vigil.ending or LOST
                self._conclude(vigil)

    def _tell(self, peer: Process, say: Say, number: int = 0, body: bytes = b"") -> None:
        door = self._doors.get(peer)
        if door is not None:
            try:
                door.say(say, number, body)
            except GoneError:
                self._drop(peer)

    # Workers

    def _born(self, parcel: Parcel) -> None:
        if parcel.worker in self._vigils:
            parcel.close()
            raise DoorError("born: a worker of this number lives")
        door_fd, pidfd = parcel.fds
        door = Channel.adopt(door_fd, us=Process.KEYHOLDER, them=Process.WORKER)
        vigil = Vigil(parcel.worker, door, pidfd)
        self._vigils[vigil.number] = vigil
        loop = asyncio.get_running_loop()
        loop.add_reader(door.fileno(), self._attend, vigil)
        loop.add_reader(pidfd, self._gone, vigil)

    def _attend(self, vigil: Vigil) -> None:
        if not vigil.listen(self._ring):
            asyncio.get_running_loop().remove_reader(vigil.door.fileno())
        self._scrub_soon()

    def _gone(self, vigil: Vigil) -> None:
        """The worker's pidfd is readable: its memory is with the kernel again."""
        vigil.gone = time.monotonic()
        asyncio.get_running_loop().remove_reader(vigil.pidfd)
        self._conclude(vigil)

    def _conclude(self, vigil: Vigil) -> None:
        """Once the worker is gone and its end is known: hear its last marks, seal, forget."""
        if not vigil.over():
            return
        vigil.hear_out(self._ring)
        del self._vigils[vigil.number]
        asyncio.get_running_loop().remove_reader(vigil.door.fileno())
        vigil.door.close()
        os.close(vigil.pidfd)
        if vigil.captured:
            journal.record(journal.Event.DOOR_BROKEN)
        self._tell(Process.GATE, Say.TAIL, vigil.number, vigil.conclude(self._kernel))
        vigil.forget()
        self._scrub_soon()

    def _scrub_soon(self) -> None:
        """Overwrite what cryptography left in freed blocks, once for all of the last moment."""
        if self._scrubbing is None:
            self._scrubbing = asyncio.get_running_loop().call_later(SCRUB_AFTER_S, self._scrub)

    def _scrub(self) -> None:
        self._scrubbing = None
        scrub()
