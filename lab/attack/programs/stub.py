# SPDX-License-Identifier: Apache-2.0
"""The zygote with an engine that needs no model, so that a deployment is there in a second.

What is changed is the engine (`StubEngine`); the worker around it is the guest's own, and the file
that stands for the model is sealed and checked as a model is.
"""

from __future__ import annotations

import functools
import secrets
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from typing_extensions import override

from guest import journal, sandbox
from guest.child import start
from guest.door import Process
from guest.settings import AnswerSettings, GateSettings, ModelSettings, read_section
from guest.worker import request
from guest.worker.engine import Engine
from guest.worker.modelfile import ModelDigestError, seal_model
from guest.worker.rehearsal import rehearse
from guest.worker.zygote import Zygote

ANSWER: Final = ("Please ", "call ", "me ", "when ", "you ", "can.")
PAUSE_S: Final = 0.03  # between two words, so that an answer is a stream of some chunks
ROOM_TOKENS: Final = 2048
TOKEN_CHARACTERS: Final = 4


class StubEngine(Engine):
    """As `Engine` towards a worker, and nothing behind it."""

    def __init__(self) -> None:
        self._reset()

    @override
    def count(self, text: str) -> int:
        """About as many tokens as a tokenizer would find."""
        return len(text) // TOKEN_CHARACTERS + 1

    @override
    def room(self, name: str) -> int:
        """The same behind every prefix."""
        return ROOM_TOKENS

    @override
    def generate(self, name: str, text: str, **rest: Any) -> Iterator[str]:
        """The same words to everybody."""
        self._reset()
        self.tokens_in = self.count(text)
        for word in ANSWER:
            self.tokens_out += 1
            yield word
            time.sleep(PAUSE_S)
        self.ended = "stop"


def main(engine: type[Engine] = StubEngine, policy: sandbox.Policy | None = None) -> None:
    """As `guest.worker.__main__.main`, with ``engine()`` for the engine."""
    rehearse()
    wiring, first, policy = start(Process.ZYGOTE, policy=policy or sandbox.POLICY)
    try:
        seal_model(first.fds[0], read_section(first.body, ModelSettings).digest)
    except ModelDigestError:
        journal.record(journal.Event.MODEL_REFUSED)
        sys.exit(1)
    deadline_s = read_section(first.body, GateSettings).deadline_s
    room = request.Room(
        engine=engine(),  # type: ignore[call-arg]  # a stub takes nothing
        secret=secrets.token_bytes(32),
        tick_ms=read_section(first.body, AnswerSettings).tick_ms,
        deadline_s=deadline_s,
        policy=policy,
    )
    Zygote(wiring, functools.partial(request.serve, room), deadline_s).serve()


if __name__ == "__main__":
    main()
