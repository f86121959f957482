# SPDX-License-Identifier: Apache-2.0
"""What is left of a request's secrets in a keyholder's memory, searched from outside.

The search is worth something because it finds them where they must be: the response key in its slot
while the answer is under way, and what cryptography left behind before the broom came.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from guest.door import Question
from lab.memscan.forms import Needle
from lab.memscan.search import Search
from tests.guest.keyholder.residue import RESPONSE_KEY, header_of, needles
from wire.kem import encap
from wire.keyconfig import KeyConfig, parse_key_config

ROUNDS = 6


@dataclass
class Answering:
    """The process, and every secret that it was ever asked for."""

    process: subprocess.Popen[str]
    configs: list[KeyConfig] = field(default_factory=list)
    needles: list[Needle] = field(default_factory=list)

    def say(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def ask(self, config: KeyConfig, name: str) -> None:
        """Ask as a worker does."""
        made = encap(config.kem, config.public_key)
        question = Question(chunked=True, header=header_of(config).write(), enc=made.enc)
        nonce = bytes.fromhex(self.say(f"ask {question.write().hex()}"))
        self.needles += needles(name, config, made, nonce)

    def found(self) -> Counter[str]:
        """How many of the secrets are in its memory, by their kind."""
        hits = Search(self.needles).process(self.process.pid)
        return Counter(hit.form for hit in hits)


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A process with some answers under way."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.guest.programs.answering"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        it = Answering(process)
        it.configs = [parse_key_config(bytes.fromhex(c)) for c in process.stdout.readline().split()]
        for number in range(ROUNDS):
            for config in it.configs:
                it.ask(config, f"{config.kem.name} {number}")
        yield it
        process.kill()


def test_while_an_answer_is_under_way_only_its_response_key_is_there(answering: Answering) -> None:
    asked = ROUNDS * len(answering.configs)
    assert answering.found()[RESPONSE_KEY] >= asked
    answering.say("scrub")
    assert set(answering.found()) == {RESPONSE_KEY}
    # Once in its slot, and once where OpenSSL's cipher context begins its key schedule with it.
    assert answering.found()[RESPONSE_KEY] == 2 * asked


def test_after_the_end_nothing_is_there(answering: Answering) -> None:
    answering.say("end")
    before = answering.found()
    answering.say("wipe")
    answering.say("scrub")
    assert before.total() > 0
    assert answering.found().total() == 0


def test_without_the_broom_something_is_there(answering: Answering) -> None:
    answering.say("end")
    answering.say("wipe")
    assert answering.found().total() > 0
