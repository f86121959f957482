# SPDX-License-Identifier: Apache-2.0
"""The zygote, scannable, with an engine that repeats what it is told, without a model.

What is changed is the engine alone. A request says what its answer is to be: ``echo MARK COUNT``
is answered by its own MARK and COUNT short words, one every `PAUSE_S`, so that a word of another
request would show. Forks, sandbox, seals, doors and receipts are the guest's own.
"""

import functools
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from guest.child import start
from guest.door import Process
from guest.settings import AnswerSettings, GateSettings, ModelSettings, read_section
from guest.worker import request
from guest.worker.engine import AbortedError
from guest.worker.modelfile import seal_model
from guest.worker.rehearsal import rehearse
from guest.worker.zygote import Zygote
from tests.flow.programs.scannable import POLICY
from tests.flow.programs.stub import StubEngine

ASKED = re.compile(r"echo ([0-9a-f]{16}) ([0-9]{1,3})")
PAUSE_S = 0.005


def answer_to(mark: str, count: int) -> str:
    """What a request with this mark and count is answered."""
    return " ".join([mark, *(f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(count))])


class EchoEngine(StubEngine):
    """An engine without a model, whose answers are told by their requests."""

    @override
    def count(self, text: str) -> int:
        """A token is a character, so that an answer may be longer than its request."""
        return len(text)

    @override
    def generate(self, name: str, text: str, **rest: Any) -> Iterator[str]:
        """Repeat the mark, and count."""
        self._reset()
        self.tokens_in = len(text)
        found = ASKED.search(text)
        mark, count = found.groups() if found else ("nothing", "0")
        for word in answer_to(mark, int(count)).split():
            if rest["abort"]():
                raise AbortedError
            self.tokens_out += 1
            yield f"{word} "
            time.sleep(PAUSE_S)
        self.ended = "stop"


def main() -> None:
    """As `guest.worker.__main__.main`."""
    rehearse()
    wiring, first, policy = start(Process.ZYGOTE, policy=POLICY)
    seal_model(first.fds[0], read_section(first.body, ModelSettings).digest)
    deadline_s = read_section(first.body, GateSettings).deadline_s
    room = request.Room(
        engine=EchoEngine(),
        secret=secrets.token_bytes(32),
        tick_ms=read_section(first.body, AnswerSettings).tick_ms,
        deadline_s=deadline_s,
        policy=policy,
    )
    Zygote(wiring, functools.partial(request.serve, room), deadline_s).serve()


if __name__ == "__main__":
    main()
