# SPDX-License-Identifier: Apache-2.0
"""The zygote, scannable, with an engine that needs no model: for ten thousand short requests.

What is changed is the engine, which says the same two words to every request after copying it into
C memory as llama.cpp does. The worker around it is the guest's own.
"""

import ctypes
import time
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from lab.attack.programs import stub
from tests.flow.programs.scannable import POLICY

ANSWER = ("Will ", "do.")
LINGER = "stub-linger"  # in a text: the worker stays for `LINGER_S` before it answers
LINGER_S = 3.0


class CopyingEngine(stub.StubEngine):
    """Answers in two words what it has copied."""

    @override
    def generate(self, name: str, text: str, **rest: Any) -> Iterator[str]:
        """Two words."""
        self._reset()
        copied = ctypes.create_string_buffer(text.encode())
        self.tokens_in = self.count(text)
        if LINGER in text:
            time.sleep(LINGER_S)
        for word in ANSWER:
            self.tokens_out += 1
            yield word
        del copied
        self.ended = "stop"


if __name__ == "__main__":
    stub.main(CopyingEngine, POLICY)
