# SPDX-License-Identifier: Apache-2.0
"""The engine with its scores laid open, and a small zygote of it: ``python -m … REQUEST …``.

Each request named on the command line is answered in a fork, one after the other, as workers are.
Printed is JSON: for each request its text and the digest of every score of every token; before and
after them the digests of the saved prefixes; and what it shares with its children to write.
"""

import ctypes
import hashlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from guest.worker.binding import Address, LlamaApi
from guest.worker.engine import Engine
from lab.model import default_model

CONTEXT_TOKENS = 512
PREFIXES = {
    "summary": "Conversation\nAna: Are you coming?\nBen: No, I work.\nSummary: Ben works.\n\n",
    "rewrite": "Message\nwhere r u\nRewritten: Where are you?\n\n",
}
REQUESTS = {
    "secret": (
        "summary",
        "Conversation\nEve: the code of the safe is 7319 7319\n" * 6 + "Summary:",
    ),
    "other": ("rewrite", "Message\nsry im late\nRewritten:"),
    "asked": ("summary", "Conversation\nCleo: the car broke down\nDev: I come at six\nSummary:"),
}
ANSWER_TOKENS = 8


class Overheard:
    """llama.cpp's functions; each time a token is chosen, all scores go into a digest first."""

    def __init__(self, llama: Any, vocab: Address) -> None:
        self._llama = llama
        self._score_bytes = 4 * llama.llama_vocab_n_tokens(vocab)
        self.digest = hashlib.sha256()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._llama, name)

    def llama_sampler_sample(self, sampler: Address, context: Address, row: int) -> int:
        """As llama.cpp's, which chooses among the scores of `row`."""
        scores = self._llama.llama_get_logits_ith(context, row)
        self.digest.update(ctypes.string_at(scores, self._score_bytes))
        token: int = self._llama.llama_sampler_sample(sampler, context, row)
        return token


class OverheardEngine(Engine):
    """The engine, and the digest of what it computed."""

    @override
    def __init__(self, llama: LlamaApi, model: Address, context: Address) -> None:
        super().__init__(llama, model, context)
        self.overheard = Overheard(llama, self._vocab)
        self._llama: Any = self.overheard

    def scores(self) -> str:
        """SHA-256 of all scores since the process began, in hexadecimal."""
        return self.overheard.digest.hexdigest()

    def states(self) -> dict[str, str]:
        """SHA-256 of each saved prefix."""
        saved = self._prefixes.items()
        return {name: hashlib.sha256(prefix.state).hexdigest() for name, prefix in saved}


def shared_and_writable(pid: int | str) -> list[str]:
    """The mappings of a process through which it and its children can write to each other."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [line for line in lines if line.split()[1].startswith("rw") and "s" in line.split()[1]]


def main() -> None:
    """Load, learn, answer each request in a child, print."""
    with default_model().open("rb") as file:
        engine = OverheardEngine.load(file.fileno(), context_tokens=CONTEXT_TOKENS)
    assert isinstance(engine, OverheardEngine)
    for name, prefix in PREFIXES.items():
        engine.learn(name, prefix)
    before = engine.states()
    answers = [_in_child(partial(_answer, engine, *REQUESTS[name])) for name in sys.argv[1:]]
    printed = {
        "answers": answers,
        "before": before,
        "after": engine.states(),
        "shared": shared_and_writable("self"),
    }
    json.dump(printed, sys.stdout)


def _answer(engine: OverheardEngine, prefix: str, text: str) -> dict[str, str]:
    said = engine.generate(prefix, text, max_tokens=ANSWER_TOKENS, abort=lambda: False)
    return {"text": "".join(said), "scores": engine.scores(), "state": engine.states()[prefix]}


def _in_child(work: Callable[[], dict[str, str]]) -> Any:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.write(writing, json.dumps(work()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return json.loads(text)


if __name__ == "__main__":
    main()
