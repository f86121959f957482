# SPDX-License-Identifier: Apache-2.0
"""A zygote in a process of its own whose workers do what their request says."""

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guest.channel import Channel, GoneError, Parcel, pair
from guest.door import Cause, Ending, Opening, Process, Say
from guest.worker.zygote import Zygote
from tests.guest.rig import is_open

WAIT_MAX_S = 8.0


def work(opening: Opening, socket_fd: int, door_fd: int) -> None:
    """What the workers of these tests do: what the first piece of their request says."""
    gate = Channel.adopt(socket_fd, us=Process.WORKER, them=Process.GATE)
    parcel = gate.hear()
    word = parcel.body.decode() if parcel is not None else ""
    if word == "look":
        found = [
            f"{fd}={Path(f'/proc/self/fd/{fd}').readlink()}" for fd in range(512) if is_open(fd)
        ]
        gate.say(Say.CHUNK, body=f"{socket_fd} {door_fd} {' '.join(found)}".encode())
    elif word == "opening":
        gate.say(Say.CHUNK, body=opening.write())
    elif word == "ask":
        keyholder = Channel.adopt(door_fd, us=Process.WORKER, them=Process.KEYHOLDER)
        keyholder.say(Say.ASK, body=b"question")
        gate.say(Say.CHUNK, body=b"asked")
    elif word == "print and fail":
        print("secret", flush=True)
        os.write(2, b"secret")
        raise ValueError("secret")
    elif word == "exit":
        os._exit(7)
    elif word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif word == "wait":
        gate.say(Say.CHUNK, body=b"waiting")
        gate.hear()
    elif word == "hang":
        gate.say(Say.CHUNK, body=str(os.getpid()).encode())
        signal.pause()


class Hall:
    """A zygote in a process of its own, and the far ends of its doors."""

    def __init__(self, deadline_s: int) -> None:
        self._written = os.memfd_create("stderr")
        ours, theirs = pair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.dup2(self._written, 2)
                ours.close()
                wiring = Channel(theirs, us=Process.ZYGOTE, them=Process.INIT)
                Zygote(wiring, work, deadline_s).serve()
            finally:
                os._exit(0)
        theirs.close()
        self.pidfd = os.pidfd_open(self.pid)
        self.init = Channel(ours, us=Process.INIT, them=Process.ZYGOTE)
        assert heard(self.init).say is Say.READY
        self.gate = self.link(Process.GATE)
        self.keyholder = self.link(Process.KEYHOLDER)
        assert heard(self.gate).say is Say.READY

    def link(self, peer: Process) -> Channel:
        """Give the zygote a new door to a peer."""
        near, far = pair()
        with far:
            self.init.say(Say.LINK, body=peer.encode(), fds=(far.fileno(),))
        return Channel(near, us=peer, them=Process.ZYGOTE)

    def fork(self, number: int, word: str = "hang", *, queued_ms: int = 0) -> Channel:
        """Have a worker made, and give it its word."""
        near, far = pair()
        with far:
            self.gate.say(Say.FORK, number, Opening(True, queued_ms).write(), (far.fileno(),))
        door = Channel(near, us=Process.GATE, them=Process.WORKER)
        with contextlib.suppress(GoneError):  # no worker was made
            door.say(Say.DATA, body=word.encode())
        return door

    def kill(self, number: int, cause: Cause) -> None:
        self.gate.say(Say.KILL, number, cause.encode())

    def ended(self, number: int) -> Ending:
        """How the gate hears that the next worker ended; the keyholder hears the same."""
        words = heard(self.gate)
        assert (words.say, words.worker) == (Say.ENDED, number)
        return Ending.parse(words.body)

    def lives(self) -> bool:
        return not select.select([self.pidfd], [], [], 0)[0]

    def written(self) -> bytes:
        """What zygote and workers have written to standard error."""
        return os.pread(self._written, 1 << 16, 0)

    def close(self) -> None:
        for door in (self.init, self.gate, self.keyholder):
            door.close()
        assert select.select([self.pidfd], [], [], WAIT_MAX_S)[0], "the zygote outlives init"
        os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        os.close(self._written)


def heard(channel: Channel) -> Parcel:
    assert select.select([channel], [], [], WAIT_MAX_S)[0], "nothing is said"
    parcel = channel.hear()
    assert parcel is not None
    return parcel


@contextmanager
def hall(deadline_s: int = 60) -> Iterator[Hall]:
    made = Hall(deadline_s)
    try:
        yield made
    finally:
        made.close()
