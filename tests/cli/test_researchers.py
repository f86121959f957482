# SPDX-License-Identifier: Apache-2.0
"""docs/researchers.md: every command on the page is run, and its output is the page's."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from sealroom import cli_endorsements
from tests.cli.test_transcripts import Step, matches, play
from tests.sealroom.replay import Service, replaying
from tests.sealroom.test_endorsements_tdx import BUNDLE, recorded

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "researchers.md").read_text(encoding="utf-8")
VECTORS = ROOT / "tests" / "vectors"


def steps(page: str) -> list[Step]:
    """The commands of the page, each with all that a terminal shows of it."""
    found: list[Step] = []
    for block in re.findall(r"^```\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:]))
            elif code := re.fullmatch(r"\[exit (\d+)\]", line):
                found[-1].code = int(code[1])
            else:
                found[-1].stdout.append(line)
    return found


def run(step: Step, service: Service, monkeypatch: pytest.MonkeyPatch) -> tuple[str, int]:
    """What a terminal shows of the command, and its exit code."""
    if not step.command.startswith("sealroom "):
        done = subprocess.run(shlex.split(step.command), capture_output=True, text=True, check=True)
        return done.stdout + done.stderr, 0
    command = step.command
    if " endorsements fetch " in command:
        command += f" --service {service.url}"
    stdout, stderr, code = play(Step(command), monkeypatch)
    return stdout + stderr, code


def test_every_command_of_the_page_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli_endorsements, "wall_clock", lambda: BUNDLE.now)
    for folder in VECTORS.iterdir():
        Path(folder.name).symlink_to(folder)
    found = steps(PAGE)
    assert found
    with replaying(recorded()) as service:
        for step in found:
            shown, code = run(step, service, monkeypatch)
            said = f"$ {step.command}\n{shown}[exit {code}]"
            assert code == step.code, said
            assert matches(step.stdout, shown), said
    assert len(service.asked) == 4


def test_only_sed_and_sealroom_are_on_the_page() -> None:
    assert {step.command.split()[0] for step in steps(PAGE)} == {"sealroom", "sed"}


def test_every_raw_form_is_on_the_page() -> None:
    for option in ("--report", "--quote", "--hcl"):
        assert any(f" verify {option} " in step.command for step in steps(PAGE))
