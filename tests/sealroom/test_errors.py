# SPDX-License-Identifier: Apache-2.0
"""Every error has one exit code, and the help text lists every exit code."""

import tomllib
from pathlib import Path

import pytest

import sealroom
from attest import Finding, FormatError, Reason, Refused, Stage
from sealroom.cli import EXIT_CODES_HELP
from sealroom.errors import (
    EXIT_ATTACK_SUCCEEDED,
    EXIT_ATTACK_UNCLEAR,
    EXIT_CODES,
    STAGE_EXIT_CODES,
    NotTrusted,
    SealroomError,
    exit_code,
)


def leaves(error: type[SealroomError]) -> set[type[SealroomError]]:
    return {error}.union(*(leaves(child) for child in error.__subclasses__()))


def test_every_error_has_an_exit_code() -> None:
    assert leaves(SealroomError) - {SealroomError} == set(EXIT_CODES) | {NotTrusted}


def test_every_error_is_exported() -> None:
    assert {error.__name__ for error in leaves(SealroomError)} <= set(sealroom.__all__)


@pytest.mark.parametrize("stage", Stage)
def test_a_guest_that_is_not_trusted_exits_with_the_code_of_its_stage(stage: Stage) -> None:
    finding = Finding(next(iter(Reason)), "this", "that")
    error = NotTrusted(Refused(stage, (finding,)))
    assert exit_code(error) == STAGE_EXIT_CODES[stage]
    assert error.findings == (finding,)


def test_malformed_evidence_has_the_code_of_the_first_stage() -> None:
    error = NotTrusted(FormatError("evidence", 3, "no JSON"))
    assert exit_code(error) == STAGE_EXIT_CODES[Stage.FORMAT] == 10


def test_the_codes_are_those_that_are_documented() -> None:
    codes = {*EXIT_CODES.values(), *STAGE_EXIT_CODES.values(), 0, 130, 141}
    codes |= {EXIT_ATTACK_SUCCEEDED, EXIT_ATTACK_UNCLEAR}
    assert codes == {int(line.split()[0]) for line in EXIT_CODES_HELP.splitlines()[1:]}


def test_the_version_is_the_distributions() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert sealroom.__version__ == project["project"]["version"]
