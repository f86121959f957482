# SPDX-License-Identifier: Apache-2.0
"""The process that holds the model and forks one worker per request.

It has one thread, no key, no network and never sees a request: the worker reads its own from the
socket that passes through here unopened. It is the parent of the workers, so it alone ends and
reaps them: on the gate's word, at the deadline, or when the gate is gone.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from guest import journal, sandbox
from guest.channel import RELINK_MAX_S, Channel, GoneError, Parcel, pair
from guest.child import linked
from guest.door import Cause, DoorError, Ended, Ending, Opening, Process, Say

WORKERS_MAX: Final = 128  # the gate's slots are the real limit; this one bounds a gate gone mad
DEADLINE_GRACE_S: Final = 1.0  # past the gate's deadline, in case the gate does not speak

Work = Callable[[Opening, int, int], None]
"""What a worker does with its opening, its socket to the gate and its door to the keyholder."""


@dataclass(slots=True)
class Worker:
    """A living child."""

    number: int
    pid: int
    pidfd: int
    until: float
    cause: Cause = Cause.NONE


class Zygote:
    """Serves the doors of init, gate and keyholder until init is gone."""

    def __init__(self, wiring: Channel, work: Work, deadline_s: int) -> None:
        self._wiring = wiring
        self._work = work
        self._deadline_s = deadline_s + DEADLINE_GRACE_S
        self._doors: dict[Process, Channel] = {Process.INIT: wiring}
        self._workers: dict[int, Worker] = {}
        self._cut_off_at = math.inf  # a keyholder that has fallen has a new door before that
        self._selector = selectors.DefaultSelector()
        self._nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

    def serve(self) -> None:
        """Run until init closes its door; the workers die with this process.

        A keyholder without a new door after `RELINK_MAX_S` has not fallen: its door is broken, and
        nobody but we know that. Then this process ends as well, and init makes every door anew.
        """
        self._listen(Process.INIT, self._wiring)
        self._wiring.say(Say.READY)
        while Process.INIT in self._doors and time.monotonic() < self._cut_off_at:
            for key, _ in self._selector.select(self._patience_s()):
                key.data()
            self._end_overdue()

    def _patience_s(self) -> float | None:
        moments = [self._cut_off_at, *(worker.until for worker in self._workers.values())]
        first = min(moments)
        return None if first == math.inf else max(0.0, first - time.monotonic())

    def _listen(self, peer: Process, door: Channel) -> None:
        self._selector.register(door, selectors.EVENT_READ, lambda: self._hear(peer, door))

    def _hear(self, peer: Process, door: Channel) -> None:
        if self._doors.get(peer) is not door:
            return  # a new door has taken its place in this very turn
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
            self._adopt(parcel)
        elif parcel.say is Say.FORK:
            self._fork(parcel)
        elif parcel.say is Say.KILL:
            try:
                cause = Cause(parcel.body.decode("ascii"))
            except ValueError as error:
                raise DoorError("kill: not a known cause") from error
            if parcel.worker in self._workers:
                self._kill(self._workers[parcel.worker], cause)

    def _adopt(self, parcel: Parcel) -> None:
        name, fd = linked(parcel, us=Process.ZYGOTE)
        peer = Process(name)
        self._drop(peer)
        self._doors[peer] = Channel.adopt(fd, us=Process.ZYGOTE, them=peer)
        self._listen(peer, self._doors[peer])
        if peer is Process.KEYHOLDER:
            self._cut_off_at = math.inf
        if peer is Process.GATE:
            self._tell(peer, Say.READY)

    def _drop(self, peer: Process) -> None:
        """Close the door to a peer that is gone; without a gate nobody wants the answers."""
        door = self._doors.pop(peer, None)
        if door is None:
            return
        self._selector.unregister(door)
        door.close()
        if peer is Process.KEYHOLDER:
            self._cut_off_at = time.monotonic() + RELINK_MAX_S
        if peer is Process.GATE:
            for worker in self._workers.values():
                self._kill(worker, Cause.CANCELLED)

    def _tell(
        self,
        peer: Process,
        say: Say,
        number: int = 0,
        body: bytes = b"",
        fds: tuple[int, ...] = (),
    ) -> bool:
        door = self._doors.get(peer)
        if door is None:
            return False
        try:
            door.say(say, number, body, fds)
        except GoneError:
            self._drop(peer)
            return False
        return True

    def _fork(self, parcel: Parcel) -> None:
        """Make the worker, tell the keyholder of it, and keep nothing of what it will read."""
        (socket_fd,) = parcel.fds
        try:
            opening = Opening.parse(parcel.body)
            if parcel.worker in self._workers:
                raise DoorError("fork: a worker of this number lives")
        except DoorError:
            os.close(socket_fd)
            raise
        try:
            theirs, ours = pair()
        except OSError:  # no descriptor is free
            os.close(socket_fd)
            self._unborn(parcel.worker)
            return
        parent = os.getpid()
        pid = -1
        with ours, theirs:
            if len(self._workers) < WORKERS_MAX and Process.KEYHOLDER in self._doors:
                pid = _fork()
            if pid == 0:
                self._become_worker(opening, socket_fd, ours.detach(), parent)
            os.close(socket_fd)
            if pid < 0:
                self._unborn(parcel.worker)
                return
            pidfd = os.pidfd_open(pid)  # there is room for it: one was closed just now
            until = time.monotonic() + self._deadline_s
            worker = Worker(parcel.worker, pid, pidfd, until)
            self._workers[worker.number] = worker
            self._selector.register(pidfd, selectors.EVENT_READ, lambda: self._reap(worker))
            fds = (theirs.fileno(), pidfd)
            if not self._tell(Process.KEYHOLDER, Say.BORN, worker.number, fds=fds):
                self._kill(worker, Cause.CANCELLED)

    def _unborn(self, number: int) -> None:
        """Tell the gate, and only the gate, that there is no room for this worker."""
        unborn = Ending(Ended.UNBORN, 0, Cause.NONE)
        self._tell(Process.GATE, Say.ENDED, number, unborn.write())

    def _become_worker(
        self, opening: Opening, socket_fd: int, door_fd: int, parent: int
    ) -> NoReturn:
        """Never returns into the zygote, and never lets an exception print what it holds."""
        code = os.EX_SOFTWARE
        try:
            os.dup2(self._nowhere, 0)
            os.dup2(self._nowhere, 1)
            os.dup2(self._nowhere, 2)
            _close_all_but(socket_fd, door_fd)
            sandbox.die_with_parent()  # before the question, or the zygote may die between
            if os.getppid() == parent:
                self._work(opening, socket_fd, door_fd)
                code = os.EX_OK
        finally:
            os._exit(code)

    def _kill(self, worker: Worker, cause: Cause) -> None:
        if worker.cause is Cause.NONE:
            worker.cause = cause
            signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.until <= now:
                self._kill(worker, Cause.DEADLINE)
                worker.until = now + self._deadline_s

    def _reap(self, worker: Worker) -> None:
        """Collect the exit of a worker and tell both who wait for it."""
        result = os.waitid(os.P_PIDFD, worker.pidfd, os.WEXITED)
        self._selector.unregister(worker.pidfd)
        os.close(worker.pidfd)
        del self._workers[worker.number]
        exited = result is not None and result.si_code == os.CLD_EXITED
        code = result.si_status if result is not None else 0
        # A worker that ended by itself was not killed, even if our signal was on its way.
        cause = Cause.NONE if exited else worker.cause
        ended = Ending(Ended.EXITED if exited else Ended.SIGNALLED, code, cause)
        journal.record(journal.Event.WORKER_ENDED, exited=int(exited), code=code)
        for peer in (Process.KEYHOLDER, Process.GATE):
            self._tell(peer, Say.ENDED, worker.number, ended.write())


def _fork() -> int:
    """As `os.fork`, or -1 when the kernel has no room for another process."""
    try:
        return os.fork()
    except OSError:
        return -1


def _close_all_but(*kept: int) -> None:
    """Close every descriptor above standard error except ``kept``."""
    low = 3
    for fd in sorted(kept):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
