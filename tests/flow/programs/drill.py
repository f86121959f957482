# SPDX-License-Identifier: Apache-2.0
"""The zygote, scannable, with workers that go wrong on demand and only one public prefix.

What is changed is the engine (`DrillEngine`), which reads the prompt for a `Drill`; the worker
around it is the guest's own. One prefix instead of all makes it start in a second.
"""

import functools
import mmap
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from typing_extensions import override

from guest import sandbox
from guest.child import start
from guest.door import Process
from guest.settings import AnswerSettings, GateSettings, ModelSettings, read_section
from guest.worker import request
from guest.worker.binding import load_llama
from guest.worker.engine import Engine
from guest.worker.modelfile import seal_model
from guest.worker.prompts import load_prefix
from guest.worker.rehearsal import rehearse
from guest.worker.zygote import Zygote
from tests.flow.programs.drills import COUNT_TO, PAUSE_S, Drill, word
from tests.flow.programs.scannable import POLICY

PREFIX = "rewrite-friendly"
STEP_BYTES = 16 << 20
SHELF = mmap.mmap(-1, 1 << 16)  # shared with every child: what a worker leaves there, stays


class DrillEngine(Engine):
    """The engine, and ways to go wrong."""

    @override
    def generate(self, name: str, text: str, **rest: Any) -> Iterator[str]:
        """Follow the drill in `text`, or do the work."""
        if Drill.LEAK in text:
            SHELF.seek(0)
            SHELF.write(text.encode()[: len(SHELF)])
        if Drill.RAISE in text:
            raise LookupError(text)
        if Drill.ABORT in text:
            os.abort()
        if Drill.KILLED in text:
            signal.raise_signal(signal.SIGKILL)  # the one signal call the filter lets through
        if Drill.FREEZE in text:
            signal.raise_signal(signal.SIGSTOP)
        if Drill.MEMORY in text:
            yield from _grow()
        if Drill.SLEEP in text:
            yield from _talk(0, lambda: time.sleep(3600))
        if Drill.BABBLE in text:
            yield from _talk(10_000, lambda: time.sleep(PAUSE_S))
        if Drill.COUNT in text:
            yield from _talk(COUNT_TO, lambda: time.sleep(PAUSE_S))
            return
        yield from super().generate(name, text, **rest)


def _talk(words: int, pause: Callable[[], None]) -> Iterator[str]:
    for number in range(words):
        yield f"{word(number)} "
        pause()
    if not words:
        pause()


def _grow() -> Iterator[str]:
    """Take memory until the kernel gives no more."""
    taken = []
    while True:
        taken.append(bytearray(STEP_BYTES))
        yield ""


def main() -> None:
    """As `guest.worker.__main__.main`."""
    rehearse()
    prefix = load_prefix(PREFIX)
    load_llama()
    wiring, first, policy = start(Process.ZYGOTE, policy=POLICY)
    model = read_section(first.body, ModelSettings)
    sealed = seal_model(first.fds[0], model.digest)
    engine = DrillEngine.load(sealed, context_tokens=model.context_tokens, threads=model.threads)
    engine.learn(PREFIX, prefix)
    deadline_s = read_section(first.body, GateSettings).deadline_s
    room = request.Room(
        engine=engine,
        secret=secrets.token_bytes(32),
        tick_ms=read_section(first.body, AnswerSettings).tick_ms,
        deadline_s=deadline_s,
        policy=policy,
    )
    zygote = Zygote(wiring, functools.partial(request.serve, room), deadline_s)
    sandbox.finish(Process.ZYGOTE, policy=policy)
    zygote.serve()


if __name__ == "__main__":
    main()
