# SPDX-License-Identifier: Apache-2.0
"""Init, gate, keyholder and zygote never hold plaintext: what their code names, what reaches them.

The zygote imports the code that opens requests, because it forks into it, and the keyholder imports
`wire`, because it seals the end of answers. So it is not the import that is forbidden, but the use:
only the worker's modules name anything that opens or reads what was sealed. And nothing sealed
reaches them: by the doors' table the gate gives ciphertext to workers only, and an honest worker
tells the keyholder an encapsulation, once, and marks of a byte. A captured worker could put two
kilobytes of its own request into that one question. That the memory of all four holds none of what
honest workers read is searched for in `tests/flow/test_canaries.py`.
"""

from __future__ import annotations

import ast

import pytest

from guest.door import DOORS, Process, Say
from tests.contract.repository import files, text
from wire.suites import ENC_BYTES

# Everything of `wire` and of the worker that opens what was sealed, or reads what was opened.
OPENS = frozenset(
    {
        "RequestOpener",
        "ChunkedRequestOpener",
        "AnswerOpener",
        "ChunkedResponseOpener",
        "ChunkOpener",
        "open_request",
        "parse_request",
        "parse_response",
        "parse_summarize",
        "parse_rewrite",
        "build_prompt",
        "setup_recipient",
    }
)
# A worker's, from its birth on. `rehearsal` opens messages that the zygote made up itself.
OF_THE_WORKER = frozenset(
    f"guest/worker/{name}.py" for name in ("request", "intake", "tasks", "rehearsal")
)


def named(path: str) -> set[str]:
    """Every name that a file uses, imports or looks up."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.name)
    return found


GUEST = sorted(str(path) for path in files("guest/*.py"))


@pytest.mark.parametrize("path", [path for path in GUEST if path not in OF_THE_WORKER])
def test_only_the_worker_names_what_opens(path: str) -> None:
    assert named(path) & OPENS == set()


def test_the_names_are_those_that_the_worker_uses() -> None:
    used = set().union(*(named(path) for path in OF_THE_WORKER))
    assert {"RequestOpener", "ChunkedRequestOpener", "parse_request", "build_prompt"} <= used


def test_only_workers_are_given_ciphertext() -> None:
    given = {
        (one, other) for (one, other), rules in DOORS.items() if rules.keys() & {Say.DATA, Say.END}
    }
    assert given == {(Process.GATE, Process.WORKER)}


def test_a_worker_has_no_words_for_content() -> None:
    rules = DOORS[Process.WORKER, Process.KEYHOLDER]
    assert rules.keys() == {Say.ASK, Say.MARK}
    assert rules[Say.MARK].body_max_bytes == 1
    ask = rules[Say.ASK]
    assert (ask.once, ask.fds) == (True, 0)
    assert ask.body_max_bytes <= 2 * max(ENC_BYTES.values())
    assert DOORS[Process.GATE, Process.KEYHOLDER] == {}
    assert (Process.WORKER, Process.ZYGOTE) not in DOORS


@pytest.mark.parametrize(
    ("one", "other"), [(Process.GATE, Process.ZYGOTE), (Process.ZYGOTE, Process.KEYHOLDER)]
)
def test_between_the_others_there_are_numbers_and_words(one: Process, other: Process) -> None:
    assert all(rule.body_max_bytes <= 64 for rule in DOORS[one, other].values())
