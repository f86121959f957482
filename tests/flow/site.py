# SPDX-License-Identifier: Apache-2.0
"""A deployment under test: its addresses, its processes, and proof that it still serves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attest.receipt import Ended
from guest.door import Process
from lab.deployment import Deployment
from lab.documents import GuestPlan
from sealroom import Answer, Room, SealroomError, Tone, Trust, connect
from tests.flow import processes
from tests.flow.client import GOOD_TEXT

SCANNABLE = {name: f"tests.flow.programs.{name}" for name in ("gate", "keyholder", "zygote")}
DRILL = {**SCANNABLE, "zygote": "tests.flow.programs.drill"}


@dataclass(frozen=True)
class Site:
    """One running deployment."""

    lab: Deployment
    trust: Trust

    @property
    def init(self) -> int:
        """The process id of the guest's init."""
        return self.lab.pid("guest")

    @property
    def plan(self) -> GuestPlan:
        """What was chosen for the guest."""
        return self.lab.plan

    @property
    def folder(self) -> Path:
        """Where the deployment keeps its files."""
        return self.lab.folder

    def pids(self) -> dict[Process, int]:
        """gate, keyholder and zygote."""
        return processes.guest_processes(self.init)

    @contextmanager
    def room(self) -> Iterator[Room]:
        """A verified room."""
        with connect(trust=self.trust) as room:
            yield room

    def serves(self) -> Answer:
        """Have the next good request answered, now and at the first try."""
        with self.room() as room:
            answer = room.rewrite(GOOD_TEXT, Tone.FRIENDLY)
        assert answer.text
        assert (answer.receipt.ended, answer.receipt.code) == (Ended.EXITED, 0)
        return answer

    def serves_again(self) -> Answer:
        """Have a good request answered as soon as what was killed is back."""

        def attempt() -> Answer | None:
            try:
                return self.serves()
            except SealroomError:
                return None

        return processes.until("a good answer", attempt)

    def is_idle(self) -> None:
        """Wait until no worker lives."""
        processes.until("the last worker's end", lambda: not processes.workers(self.init))


@contextmanager
def standing(
    folder: Path, model: Path, plan: GuestPlan, programs: dict[str, str] | None = None
) -> Iterator[Site]:
    """A deployment with these programs; a user other than root gets those it can look into."""
    chosen = programs if programs is not None else {} if os.geteuid() == 0 else SCANNABLE
    with Deployment(folder, model, plan, programs=chosen) as lab:
        yield Site(lab, Trust.load(lab.trust))


@contextmanager
def together(count: int) -> Iterator[ThreadPoolExecutor]:
    """As many threads; leaving waits for them."""
    with ThreadPoolExecutor(count) as pool:
        yield pool


def error_of(future: Future[Any]) -> SealroomError:
    """The error by which a request ended."""
    error = future.exception()
    assert isinstance(error, SealroomError), error
    return error
