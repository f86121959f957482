# SPDX-License-Identifier: Apache-2.0
"""The parent of the three processes: starts them, wires them together, starts them again.

init reads the configuration, holds no key and no ciphertext, and speaks to its children only
through their doors (`guest.door`). When one of them ends, for whatever reason, it is started
afresh with new sockets to the others; what it held (keys, requests, the model) is gone with it. A
keyholder that comes back has new keys, so there is no window for replay. Restarts back off up to
`BACKOFF_MAX_S`.

In the confidential VM this is PID 1; on an ordinary host `lab` runs it as an ordinary process.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from guest import cgroups, config, journal
from guest.channel import Channel, GoneError, pair
from guest.child import NETWORK
from guest.door import DoorError, Process, Say
from guest.environment import ENVIRONMENT
from guest.sandbox import OWN_CGROUP, SandboxError
from guest.settings import Identity, Variant, write_sections

# One row per child: the module that is run with `python -I -m`, and arguments after the two of
# `guest.child`. `lab` replaces the keyholder's row.
PROGRAMS: Final[Mapping[Process, tuple[str, ...]]] = {
    Process.KEYHOLDER: ("guest.keyholder",),
    Process.ZYGOTE: ("guest.worker",),
    Process.GATE: ("guest.gate",),
}
LINKS: Final = (
    (Process.GATE, Process.ZYGOTE),
    (Process.GATE, Process.KEYHOLDER),
    (Process.ZYGOTE, Process.KEYHOLDER),
)
BACKOFF_MIN_S: Final = 0.1
BACKOFF_MAX_S: Final = 10.0
STEADY_S: Final = 30.0  # a child that lived this long starts again at once
STOP_MAX_S: Final = 3.0


@dataclass
class Child:
    """One process of the guest, alive or waiting to be started again."""

    process: Process
    backoff_s: float = BACKOFF_MIN_S
    start_at: float = 0.0
    started: float = 0.0
    ready: bool = False
    running: subprocess.Popen[bytes] | None = None
    door: Channel | None = None
    pidfd: int = -1
    restarts: int = field(default=-1)


class LackingError(Exception):
    """A production guest must not start: ``lacking`` names everything that is missing."""

    def __init__(self, lacking: tuple[str, ...]) -> None:
        super().__init__(f"a production guest wants everything, lacking {', '.join(lacking)}")
        self.lacking = lacking


class Init:
    """Starts the guest and keeps it running until `stop` or a signal."""

    def __init__(
        self,
        document: bytes,
        *,
        model: int,
        prompts: bytes,
        lacking: tuple[str, ...],
        listener: socket.socket,
        programs: Mapping[Process, tuple[str, ...]] = PROGRAMS,
        adopts: bool = False,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the configuration document, the model's descriptor and the listening socket.

        ``lacking`` is what this guest lacks (`guest.selftest.lacking`): it is in the statement, and
        the children leave out those steps of their sandboxes and no others. ``adopts`` says that
        orphans come to this process, as to PID 1, and are to be buried.

        Raises:
            ConfigError: the document cannot be used.
            LackingError: it is a production guest's, and something is lacking.
        """
        read = config.parse_config(document)
        if lacking and read.variant is Variant.PRODUCTION:
            journal.record(journal.Event.NOT_STARTED, lacking=len(lacking))
            raise LackingError(lacking)
        identity = Identity(
            variant=read.variant,
            model=read.model.digest,
            prompts=prompts,
            configuration=read.digest,
            lacking=lacking,
        )
        self._bodies = {
            Process.GATE: write_sections(read.gate, identity),
            Process.KEYHOLDER: write_sections(read.keys, read.stapling, identity),
            Process.ZYGOTE: write_sections(read.gate, read.model, read.answer, identity),
        }
        self._lacking = lacking
        self._model = model
        self._listener = listener
        self._programs = programs
        self._adopts = adopts
        self._on_ready = on_ready
        self._announced = False
        self._children = {process: Child(process) for process in programs}
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._groups: cgroups.Groups | None = None

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then end every child.

        Raises:
            SandboxError: the children cannot have control groups, and it is stated that they do.
        """
        self._groups = self._make_groups()
        wake, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        previous = signal.set_wakeup_fd(waker)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        if self._adopts:
            signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes the loop
        self._selector.register(wake, selectors.EVENT_READ, lambda: os.read(wake, 64))
        journal.record(journal.Event.STARTED)
        try:
            while not self._stopping:
                self._start_due()
                for key, _ in self._selector.select(self._patience_s()):
                    key.data()
                if self._adopts:
                    bury({c.running.pid for c in self._children.values() if c.running is not None})
        finally:
            signal.set_wakeup_fd(previous)
            self._end_all()
            if self._groups is not None:
                self._groups.close()
            os.close(wake)
            os.close(waker)
            journal.record(journal.Event.STOPPED)

    def _make_groups(self) -> cgroups.Groups | None:
        """The children's groups; None exactly if the statement says that they have none."""
        if OWN_CGROUP in self._lacking:
            return None
        groups = cgroups.make()
        if groups is None:
            raise SandboxError(OWN_CGROUP, 0)
        return groups

    def stop(self) -> None:
        """Make `run` return; safe in a signal handler."""
        self._stopping = True

    def _patience_s(self) -> float | None:
        waiting = [c.start_at for c in self._children.values() if c.running is None]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.running is None and child.start_at <= now:
                self._start(child)

    def _start(self, child: Child) -> None:
        ours, theirs = pair()
        module, *arguments = self._programs[child.process]
        with theirs:
            child.running = subprocess.Popen(  # noqa: S603 - a literal program table, no shell
                [
                    sys.executable,
                    "-I",
                    "-m",
                    module,
                    str(theirs.fileno()),
                    str(os.getpid()),
                    *arguments,
                ],
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        if self._groups is not None:
            with contextlib.suppress(ProcessLookupError):  # its pidfd will tell
                self._groups.place(child.process, child.running.pid)
        child.started = time.monotonic()
        child.restarts += 1
        child.ready = False
        child.pidfd = os.pidfd_open(child.running.pid)
        child.door = Channel(ours, us=Process.INIT, them=child.process)
        self._selector.register(child.pidfd, selectors.EVENT_READ, lambda: self._fell(child))
        self._selector.register(child.door, selectors.EVENT_READ, lambda: self._heard(child))
        try:
            self._furnish(child, child.door)
        except GoneError:
            child.running.kill()  # its pidfd brings it back into `_fell`

    def _furnish(self, child: Child, door: Channel) -> None:
        fds = (self._model,) if child.process is Process.ZYGOTE else ()
        door.say(Say.CONFIG, body=self._bodies[child.process], fds=fds)
        if child.process is Process.GATE:
            door.say(Say.LINK, body=NETWORK.encode("ascii"), fds=(self._listener.fileno(),))
        for one, other in LINKS:
            if child.process in (one, other):
                peer = self._children[other if child.process is one else one]
                if peer.door is not None:
                    self._link(child, peer)

    def _link(self, child: Child, peer: Child) -> None:
        ends = pair()
        for end, (near, far) in zip(ends, ((child, peer), (peer, child)), strict=True):
            with end:
                if near.door is not None:
                    try:
                        near.door.say(
                            Say.LINK, body=far.process.encode("ascii"), fds=(end.fileno(),)
                        )
                    except GoneError:
                        if near is child:
                            raise

    def _heard(self, child: Child) -> None:
        if child.door is None:
            return
        try:
            parcel = child.door.hear(wait=False)
        except GoneError:  # a child without its door is no use; its pidfd brings it back
            self._selector.unregister(child.door)
            child.door.close()
            child.door = None
            if child.running is not None:
                child.running.kill()
            return
        except DoorError:
            journal.record(journal.Event.DOOR_BROKEN)
            if child.running is not None:
                child.running.kill()
            return
        if parcel is not None:
            child.ready = True
            if not self._announced and all(c.ready for c in self._children.values()):
                self._announced = True
                journal.record(journal.Event.READY)
                self._on_ready()

    def _fell(self, child: Child) -> None:
        """A child ended: close what was its, and plan its return."""
        if child.running is None:
            return
        code = child.running.wait()
        self._forget(child)
        lived = time.monotonic() - child.started
        child.backoff_s = (
            BACKOFF_MIN_S if lived > STEADY_S else min(child.backoff_s * 2, BACKOFF_MAX_S)
        )
        child.start_at = time.monotonic() + child.backoff_s
        which = list(Process).index(child.process)
        journal.record(journal.Event.FELL, process=which, code=code, restarts=child.restarts)

    def _forget(self, child: Child) -> None:
        self._selector.unregister(child.pidfd)
        os.close(child.pidfd)
        if child.door is not None:
            self._selector.unregister(child.door)
            child.door.close()
        child.door, child.running, child.pidfd = None, None, -1

    def _end_all(self) -> None:
        running = [c.running for c in self._children.values() if c.running is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + STOP_MAX_S
        for process in running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for child in self._children.values():
            if child.running is not None:
                self._forget(child)
        self._selector.close()


def bury(spared: Collection[int]) -> None:
    """Collect what ended and belongs to nobody, up to the first of ``spared``.

    One of those that ended as well has its own turn, after which this is called again.
    """
    options = os.WEXITED | os.WNOHANG
    with contextlib.suppress(ChildProcessError):  # there is no child at all
        while (dead := os.waitid(os.P_ALL, 0, options | os.WNOWAIT)) is not None:
            if dead.si_pid in spared:
                return
            os.waitid(os.P_PID, dead.si_pid, options)
