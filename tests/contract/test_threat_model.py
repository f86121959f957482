# SPDX-License-Identifier: Apache-2.0
"""Each defence that the threat model claims names a test or an attack, and these exist."""

import ast
import functools
import re

import pytest

from lab.attack.table import ATTACKS as FROM_INSIDE
from sealroom.attack.table import ATTACKS as FROM_OUTSIDE
from tests.contract.repository import ROOT, text

PAGE = text("docs/threat-model.md")
NOTHING = "\N{EN DASH}"
SHOWN = re.compile(r"^\| attack \| what stops it \| shown by \| what is left \|$")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))
NAMED = sorted(set(re.findall(r"attack `([\w-]+)`", PAGE)))
ATTACKS = {one.name for one in FROM_OUTSIDE} | {one.name for one in FROM_INSIDE}


def rows() -> list[tuple[str, ...]]:
    """The rows of every table of attacks."""
    found: list[tuple[str, ...]] = []
    inside = False
    for line in PAGE.splitlines():
        inside = bool(SHOWN.match(line)) or (inside and line.startswith("|"))
        if inside and not SHOWN.match(line) and not line.startswith("|---"):
            found.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
    return found


@functools.cache
def functions(path: str) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse(text(path))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    )


@pytest.mark.parametrize("name", TESTS)
def test_a_test_that_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert (ROOT / path).is_file()
    assert not function or function in functions(path)


@pytest.mark.parametrize("name", NAMED)
def test_an_attack_that_is_named_exists(name: str) -> None:
    assert name in ATTACKS


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_a_defence_is_shown_by_something_or_is_not_claimed(row: tuple[str, ...]) -> None:
    _, defence, shown, left = row
    named = re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`|attack `([\w-]+)`", shown)
    assert bool(named) == (defence != NOTHING)
    assert named or "not built" in left


def test_the_tables_are_found() -> None:
    assert len(rows()) > 40
