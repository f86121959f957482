# SPDX-License-Identifier: Apache-2.0
"""Each kind of change does what it says, and the command tells what is alive."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from tests.mutation.__main__ import asked, mutants
from tests.mutation.mutants import Kind, mutate, sites

ROOT = Path(__file__).parents[2]
SOURCE = """\
RULES = (Rule("S1", "reason", lambda p, c: c == p),)

def refuse(number):
    if number < 3 and number != 1:
        raise ValueError(number)
    try:
        return 6 // number
    except ZeroDivisionError as error:
        raise ValueError(number) from error
"""


def changed(kind: Kind, place: int = 0) -> dict[str, Any]:
    """What the source defines after its changes of that kind, one of them, was made."""
    found = [n for n, site in enumerate(sites(ast.parse(SOURCE))) if site.kind is kind]
    names: dict[str, Any] = {"Rule": lambda *row: row}
    exec(compile(mutate(SOURCE, found[place]), "source", "exec"), names)
    return names


def test_every_kind_of_change_is_found() -> None:
    found = [(site.kind, site.line) for site in sites(ast.parse(SOURCE))]
    part = (Kind.PART, 4)
    check = [(Kind.BORDER, 4), (Kind.CHECK, 4), part, part]
    assert found == [(Kind.RULE, 1), *check, (Kind.HANDLER, 8)]


def test_a_rule_always_holds() -> None:
    (row,) = changed(Kind.RULE)["RULES"]
    assert row[2]("this", "that") is True


def test_a_check_is_never_entered() -> None:
    assert changed(Kind.CHECK)["refuse"](2) == 3


def test_a_side_of_a_check_is_left_out() -> None:
    with pytest.raises(ValueError, match="1"):
        changed(Kind.PART, 0)["refuse"](1)
    with pytest.raises(ValueError, match="6"):
        changed(Kind.PART, 1)["refuse"](6)


def test_a_border_is_moved() -> None:
    with pytest.raises(ValueError, match="3"):
        changed(Kind.BORDER)["refuse"](3)


def test_what_was_caught_goes_through() -> None:
    names = changed(Kind.HANDLER)
    source = ast.unparse(mutate(SOURCE, len(sites(ast.parse(SOURCE))) - 1))
    assert source.endswith("except ZeroDivisionError as error:\n        pass")
    assert names["refuse"](6) == 1


def test_every_row_of_every_table_is_changed() -> None:
    rows = sum(
        path.read_text(encoding="utf-8").count("    Rule(") for path in ROOT.glob("attest/**/*.py")
    )
    assert len(mutants(["attest"], frozenset({Kind.RULE}))) == rows >= 100


@pytest.mark.parametrize("room", ["attest.snp", "attest.tdx"])
def test_changes_compile(room: str) -> None:
    found = mutants([room], frozenset(Kind))[::9]
    assert {type(mutant.code) for mutant in found} == {CodeType}


def test_a_modules_own_tests_are_asked_first() -> None:
    assert asked("attest.snp.chain")[0] == "tests/attest/snp/test_chain.py"
    assert asked("attest.azure")[0] == "tests/attest/test_azure.py"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("every", [["attest.azure"], ["--every", "15", "attest.snp", "attest.tdx"]])
def test_no_rule_is_alive(every: list[str]) -> None:
    command = [sys.executable, "-m", "tests.mutation", "--kinds", "rule", *every]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert " 0 alive, " in done.stdout
    assert done.returncode == 0
