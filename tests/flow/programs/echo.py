# SPDX-License-Identifier: Apache-2.0
"""The zygote, scannable, with an engine that repeats what it is told, without a model.

What is changed is the engine alone. A request says what its answer is to be: ``echo MARK COUNT``
is answered by its own MARK and COUNT short words, one every `PAUSE_S`, so that a word of another
request would show. Forks, sandbox, seals, doors and receipts are the guest's own.
"""

import re
import time
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from guest.worker.engine import AbortedError
from lab.attack.programs import stub
from tests.flow.programs.scannable import POLICY

ASKED = re.compile(r"echo ([0-9a-f]{16}) ([0-9]{1,3})")
PAUSE_S = 0.005


def answer_to(mark: str, count: int) -> str:
    """What a request with this mark and count is answered."""
    return " ".join([mark, *(f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(count))])


class EchoEngine(stub.StubEngine):
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
    """As the stub's, with this engine."""
    stub.main(EchoEngine, POLICY)


if __name__ == "__main__":
    main()
