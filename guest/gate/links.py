# SPDX-License-Identifier: Apache-2.0
"""The gate's doors to the zygote and the keyholder, and which exchange waits behind them.

A door that closes settles everything that waited for it: a lost zygote ends its workers as
"unknown", a lost keyholder leaves their tails empty. Nothing waits for a process that is gone.
init gives a new door when it starts a peer again; if none comes, the peer lives and its door is
broken, which nobody but we know, so the gate ends itself and all of its doors are made anew.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from guest import journal
from guest.channel import RELINK_MAX_S, Channel, GoneError, Parcel
from guest.door import Cause, DoorError, Ended, Ending, Opening, Process, Say
from guest.publication import Publication

_LOST = Ending(Ended.UNKNOWN, 0, Cause.NONE)


class LinkDownError(Exception):
    """The zygote or the keyholder is not there, or not ready yet."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What is still to be heard about one worker."""

    number: int
    ended: asyncio.Future[Ending]
    tail: asyncio.Future[bytes]

    @property
    def unborn(self) -> bool:
        """Whether there was no room to make it."""
        known = self.ended.done() and not self.ended.cancelled()
        return known and self.ended.result().ended is Ended.UNBORN


class Links:
    """Both doors, adopted again whenever init has started a peer afresh.

    ``cut_off`` is called when a peer has had no door for `RELINK_MAX_S`.
    """

    def __init__(self, cut_off: Callable[[], None] = lambda: None) -> None:
        self._cut_off = cut_off
        self._overdue: dict[Process, asyncio.TimerHandle] = {}
        self.publication: Publication | None = None
        self.zygote_ready = False
        self._doors: dict[Process, Channel] = {}
        self._fates: dict[int, Fate] = {}
        # A gate that starts again must not reuse the numbers of workers that are still dying.
        self._numbers = itertools.count(secrets.randbits(62))

    @property
    def ready(self) -> bool:
        """Whether a request could be served now."""
        return self.zygote_ready and self.publication is not None

    def adopt(self, peer: Process, fd: int) -> None:
        """Take the new door to ``peer``; the old one, if any, is dead."""
        self._drop(peer)
        # One loop serves everybody: it never waits for a peer that does not read.
        door = Channel.adopt(fd, us=Process.GATE, them=peer, send_max_s=0)
        self._doors[peer] = door
        asyncio.get_running_loop().add_reader(door.fileno(), self._listen, peer, door)
        if (overdue := self._overdue.pop(peer, None)) is not None:
            overdue.cancel()

    def fork(self, opening: Opening, worker_fd: int) -> Fate:
        """Have a worker made that speaks over ``worker_fd``.

        Raises:
            LinkDownError: there is no zygote or no published key.
        """
        door = self._doors.get(Process.ZYGOTE)
        if door is None or not self.ready:
            raise LinkDownError
        loop = asyncio.get_running_loop()
        fate = Fate(next(self._numbers), loop.create_future(), loop.create_future())
        self._fates[fate.number] = fate
        try:
            door.say(Say.FORK, fate.number, opening.write(), (worker_fd,))
        except GoneError as error:
            self.forget(fate)
            raise LinkDownError from error
        return fate

    def kill(self, fate: Fate, cause: Cause) -> None:
        """Have the worker ended, if it still lives; a lost zygote has taken it along."""
        door = self._doors.get(Process.ZYGOTE)
        if door is not None and not fate.ended.done():
            try:
                door.say(Say.KILL, fate.number, cause.encode("ascii"))
            except GoneError:
                self._drop(Process.ZYGOTE)

    def forget(self, fate: Fate) -> None:
        """Stop waiting for anything about this worker."""
        self._fates.pop(fate.number, None)
        fate.ended.cancel()
        fate.tail.cancel()

    def _listen(self, peer: Process, door: Channel) -> None:
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
        if parcel.say is Say.READY:
            self.zygote_ready = True
        elif parcel.say is Say.PUBLISH:
            self.publication = Publication.parse(parcel.body) if parcel.body else None
        elif (fate := self._fates.get(parcel.worker)) is None:
            return  # the exchange has left already
        elif parcel.say is Say.ENDED and not fate.ended.done():
            fate.ended.set_result(Ending.parse(parcel.body))
            if fate.unborn and not fate.tail.done():
                fate.tail.set_result(b"")
        elif parcel.say is Say.TAIL and not fate.tail.done():
            fate.tail.set_result(parcel.body)

    def _drop(self, peer: Process) -> None:
        door = self._doors.pop(peer, None)
        if door is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(door.fileno())
        door.close()
        self._overdue[peer] = loop.call_later(RELINK_MAX_S, self._cut_off)
        if peer is Process.ZYGOTE:
            self.zygote_ready = False
        else:
            self.publication = None
        for fate in self._fates.values():
            if peer is Process.ZYGOTE and not fate.ended.done():
                fate.ended.set_result(_LOST)
            if peer is Process.KEYHOLDER and not fate.tail.done():
                fate.tail.set_result(b"")
