# SPDX-License-Identifier: Apache-2.0
"""A machine that runs: qemu, its vsock device, and the host's ends of what the guest calls.

A ``with`` block is a machine's life. Whatever way the block is left, every process is over and the
folder of sockets is gone; so it is when our process is killed (`lab.vm.leash`, `lab.vm.folder`).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from lab.mocktsm import MockTsm
from lab.vm.callers import Callers, Serve
from lab.vm.console import Console
from lab.vm.errors import VmError
from lab.vm.folder import folder
from lab.vm.journal import Journal
from lab.vm.memory import held, memory_of
from lab.vm.plan import MachinePlan, Places, qemu_arguments, vsock_arguments
from lab.vm.qmp import Qmp
from lab.vm.tools import Tools
from lab.vm.tsmhost import TsmHost
from lab.vm.vsock import GATE_PORT, JOURNAL_PORT, TSM_PORT, connect

QEMU: Final = "qemu-system-x86_64"
VSOCK: Final = "vhost-device-vsock"
SOCKETS_MAX_S: Final = 30.0  # until a program of ours has made the socket it listens on
READY_MAX_S: Final = 420.0  # from power on to every process ready, under TCG on a busy host
OFF_MAX_S: Final = 120.0
QUIT_MAX_S: Final = 10.0
SERIAL_TAIL_BYTES: Final = 2000
_POLL_S: Final = 0.05


class Machine:
    """One booted machine, in a ``with`` block.

    Attributes:
        plan: what it is made of.
        journal: what the guest wrote, as it comes.
        tsm: the host's side of the mock provider, or None.
        places: its files, from its start on.
        started: when it was switched on, in monotonic seconds.
        ready_s: seconds from then until every process was ready; None before.
    """

    def __init__(
        self,
        plan: MachinePlan,
        tools: Tools,
        *,
        mock: MockTsm | None = None,
        answer: Mapping[int, Serve] | None = None,
    ) -> None:
        """Prepare a machine.

        Args:
            plan: what it is made of.
            tools: qemu and the vsock device.
            mock: answers a test kernel's reports; without it nobody does.
            answer: further ports of the host, each with what serves a connection there.
        """
        self.plan = plan
        self.journal = Journal()
        self.tsm = TsmHost(mock) if mock is not None else None
        self._tools = tools
        self._serve: dict[int, Serve] = {JOURNAL_PORT: self.journal.read, **(answer or {})}
        if self.tsm is not None:
            self._serve[TSM_PORT] = self.tsm.serve
        self.places: Places
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._callers: dict[int, Callers] = {}
        self._stack = ExitStack()
        self.started = 0.0
        self.ready_s: float | None = None

    def __enter__(self) -> Self:
        """Switch the machine on.

        Raises:
            VmError: qemu or the vsock device did not start.
        """
        self.places = Places(self._stack.enter_context(folder()))
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *ending: object) -> None:
        """Switch it off and leave nothing behind."""
        self._stack.close()

    def _start(self) -> None:
        for port, serve in self._serve.items():
            self._callers[port] = self._stack.enter_context(Callers(self.places.port(port), serve))
        if self.plan.vsock:
            self._run(VSOCK, vsock_arguments(self.places))
            self._await_socket(VSOCK, self.places.vhost)
        self.started = time.monotonic()
        self._run(QEMU, [*self._tools.roms(), *qemu_arguments(self.plan, self.places)])
        self._await_socket(QEMU, self.places.qmp)

    def _run(self, program: str, arguments: Sequence[str]) -> None:
        words = [*self._tools.command(program), *arguments]
        log = self._stack.enter_context((self.places.folder / f"{program}.log").open("wb"))
        process = subprocess.Popen(  # noqa: S603 - programs of the locked tools, no shell
            [sys.executable, "-m", "lab.vm.leash", str(os.getpid()), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        self._processes[program] = process
        self._stack.callback(_end, process)

    def _await_socket(self, program: str, path: Path) -> None:
        until = time.monotonic() + SOCKETS_MAX_S
        while not path.exists():
            if self._processes[program].poll() is not None or time.monotonic() > until:
                raise VmError(program, f"the socket {path.name}", self.said(program))
            time.sleep(_POLL_S)

    def said(self, program: str) -> str:
        """The end of what a program of the host wrote."""
        text = (self.places.folder / f"{program}.log").read_bytes()[-SERIAL_TAIL_BYTES:]
        return text.decode("utf-8", "replace").strip() or "nothing"

    @property
    def is_on(self) -> bool:
        """Whether qemu runs."""
        return self._processes[QEMU].poll() is None

    @property
    def serial(self) -> bytes:
        """All that came out of the serial port."""
        return self.places.serial.read_bytes()

    @property
    def failures(self) -> list[VmError]:
        """What the guest said on any port that it must not."""
        return [failure for callers in self._callers.values() for failure in callers.failures]

    def wait_ready(
        self, *, within_s: float = READY_MAX_S, look: Callable[[], None] = lambda: None
    ) -> float:
        """Wait until the guest says that all its processes are ready; the seconds since power on.

        ``look`` is called a few times a second meanwhile.

        Raises:
            VmError: it did not.
        """
        self.wait_event("ready", within_s=within_s, look=look)
        self.ready_s = round(time.monotonic() - self.started, 1)
        return self.ready_s

    def wait_event(
        self,
        event: str,
        *,
        within_s: float = READY_MAX_S,
        look: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """The first journal line with this event; ``look`` as in `wait_ready`.

        Raises:
            VmError: it did not come while the machine was on; the text has the end of the console.
        """

        def is_on() -> bool:
            look()
            return self.is_on

        try:
            return self.journal.wait(event, within_s=within_s, alive=is_on)
        except VmError as error:
            raise VmError(
                error.what, error.wanted, f"{error.got}; {self._end_of_serial()}"
            ) from error

    def wait_off(self, *, within_s: float = OFF_MAX_S) -> None:
        """Wait until the machine has switched itself off.

        Raises:
            VmError: it did not.
        """
        try:
            self._processes[QEMU].wait(within_s)
        except subprocess.TimeoutExpired as error:
            got = f"it still on after {within_s} s; {self.journal.told()}; {self._end_of_serial()}"
            raise VmError("machine", "it off", got) from error

    def console(self) -> Console:
        """The console of a machine that has one."""
        return Console(self.places.console)

    def _end_of_serial(self) -> str:
        if not self.places.serial.exists():
            return "no console"
        text = self.serial[-SERIAL_TAIL_BYTES:].decode("utf-8", "replace").strip()
        return f"console: {text}" if text else "console silent"

    def connect(self, port: int = GATE_PORT) -> socket.socket:
        """A connection to a port of the guest.

        Raises:
            VmError: nobody listens there.
        """
        return connect(self.places.vsock, port)

    def qmp(self) -> Qmp:
        """A new connection to qemu; it takes one at a time.

        Raises:
            VmError: qemu does not answer.
        """
        return Qmp(self.places.qmp)

    @contextmanager
    def held(self) -> Iterator[Path]:
        """Hold the machine still; the file is all of its memory, to be read meanwhile.

        Raises:
            VmError: it is off.
        """
        with held(list(self._processes.values())):
            yield memory_of(self._processes[QEMU].pid, self.plan.memory_mib << 20)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(QUIT_MAX_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
