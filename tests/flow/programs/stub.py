# SPDX-License-Identifier: Apache-2.0
"""The zygote, scannable, with an engine that needs no model: for ten thousand short requests.

What is changed is the engine, which says the same two words to every request after copying it into
C memory as llama.cpp does. The worker around it is the guest's own.
"""

import ctypes
import functools
import secrets
import time
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from guest.child import start
from guest.door import Process
from guest.settings import AnswerSettings, GateSettings, ModelSettings, read_section
from guest.worker import request
from guest.worker.engine import Engine
from guest.worker.modelfile import seal_model
from guest.worker.rehearsal import rehearse
from guest.worker.zygote import Zygote
from tests.flow.programs.scannable import POLICY

ANSWER = ("Will ", "do.")
LINGER = "stub-linger"  # in a text: the worker stays for `LINGER_S` before it answers
LINGER_S = 3.0
ROOM_TOKENS = 2048
TOKEN_CHARS = 4


class StubEngine(Engine):
    """As `Engine` towards a worker, and nothing behind it."""

    def __init__(self) -> None:
        self._reset()

    @override
    def count(self, text: str) -> int:
        """About as many tokens as a tokenizer would find."""
        return len(text) // TOKEN_CHARS + 1

    @override
    def room(self, name: str) -> int:
        """The same behind every prefix."""
        return ROOM_TOKENS

    @override
    def generate(self, name: str, text: str, **rest: Any) -> Iterator[str]:
        """Two words."""
        self._reset()
        copied = ctypes.create_string_buffer(text.encode())
        self.tokens_in = len(copied) // TOKEN_CHARS
        if LINGER in text:
            time.sleep(LINGER_S)
        for word in ANSWER:
            self.tokens_out += 1
            yield word
        self.ended = "stop"


def main() -> None:
    """As `guest.worker.__main__.main`; the file that stands for the model is sealed and checked."""
    rehearse()
    wiring, first, policy = start(Process.ZYGOTE, policy=POLICY)
    seal_model(first.fds[0], read_section(first.body, ModelSettings).digest)
    deadline_s = read_section(first.body, GateSettings).deadline_s
    room = request.Room(
        engine=StubEngine(),
        secret=secrets.token_bytes(32),
        tick_ms=read_section(first.body, AnswerSettings).tick_ms,
        deadline_s=deadline_s,
        policy=policy,
    )
    Zygote(wiring, functools.partial(request.serve, room), deadline_s).serve()


if __name__ == "__main__":
    main()
