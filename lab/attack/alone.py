# SPDX-License-Identifier: Apache-2.0
"""A guest without relay and ingress, started by a host that does as it likes.

What the host chooses: the environment and working directory of init, its arguments, the documents,
the model, and (for an attacker who owns one from the start) the programs.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import IO, Any, Final

from lab.attack.site import STUB, STUB_MODEL, STUB_PLAN, LabSite
from lab.documents import GuestPlan, sha256_of, write_config
from lab.memscan import children
from sealroom.attack.attack import UnclearError

START_S: Final = 60.0
STOP_S: Final = 5.0
POLL_S: Final = 0.05
READY: Final = "ready"
STARTS: Final = "an honest guest starts"


@dataclass
class Alone:
    """One start of a guest, and where it keeps its files."""

    site: LabSite
    plan: GuestPlan = STUB_PLAN
    programs: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None
    arguments: Sequence[str] = ()
    mock: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        self.folder = self.site.new_folder()
        self.model = self.folder / "stub.gguf"
        self.model.write_bytes(STUB_MODEL)
        self.config = write_config(self.plan, sha256_of(self.model))
        self.cwd = self.folder / "cwd"
        self.cwd.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self._written = bytearray()

    @property
    def journal(self) -> str:
        """What the guest has written so far."""
        return bytes(self._written).decode("utf-8", "replace")

    def _keep(self, stream: IO[bytes]) -> None:
        """Collect what is written; a process that may write no file can write to a pipe."""
        with stream:
            while piece := os.read(stream.fileno(), 4096):
                self._written += piece

    def start(self) -> None:
        """Start it, as the image starts PID 1: isolated from Python's environment."""
        document = self.folder / "guest.yaml"
        document.write_bytes(self.config)
        programs = {**STUB, **self.programs, **self.site.programs}
        module = self.site.modules.get("guest", "lab.guest")
        with (self.folder / "guest.out").open("wb") as out:
            self.process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [
                    *(sys.executable, "-I", "-m", module),
                    f"--config={document}",
                    f"--model={self.model}",
                    f"--mock={json.dumps(self.mock or self.plan.mock())}",
                    *(f"--program={name}={program}" for name, program in programs.items()),
                    *self.arguments,
                ],
                env=None if self.environment is None else dict(self.environment),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
            )
        if self.process.stderr is not None:
            threading.Thread(target=self._keep, args=(self.process.stderr,), daemon=True).start()

    def stop(self) -> None:
        """End it and all its processes."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def ended(self) -> int | None:
        """Its exit code, or None while it runs."""
        return None if self.process is None else self.process.poll()

    @property
    def is_ready(self) -> bool:
        """Whether every process has said that it can do its work."""
        return READY in (self.folder / "guest.out").read_text().splitlines()

    def pids(self) -> list[int]:
        """The children of init."""
        return [] if self.process is None else children(self.process.pid)

    async def until(self, word: str, patience_s: float = START_S) -> bool:
        """Whether ``word`` comes into the journal before the guest ends or patience does."""
        return await self._wait(lambda: word in self.journal, patience_s)

    async def until_ready(self, patience_s: float = START_S) -> bool:
        """Whether the guest becomes ready."""
        return await self._wait(lambda: self.is_ready, patience_s)

    async def _wait(self, look: Any, patience_s: float) -> bool:
        end = asyncio.get_running_loop().time() + patience_s
        while not look():
            if self.ended is not None or asyncio.get_running_loop().time() > end:
                return bool(look())
            await asyncio.sleep(POLL_S)
        return True


@asynccontextmanager
async def running(guest: Alone) -> AsyncIterator[Alone]:
    """Start the guest; stop it when the block is left."""
    guest.start()
    try:
        yield guest
    finally:
        await asyncio.to_thread(guest.stop)


async def control(site: LabSite) -> None:
    """A guest that is started as it should be becomes ready.

    Raises:
        UnclearError: it does not, so a refusal to start shows nothing.
    """
    if STARTS in site.kept:
        return
    async with running(Alone(site)) as guest:
        if not await guest.until_ready():
            raise UnclearError(f"an honest guest does not start: {guest.journal[-200:]}")
    site.kept[STARTS] = READY
