# SPDX-License-Identifier: Apache-2.0
"""Plays every transcript; README.md says how they are written."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from attest.receipt import Ended
from sealroom.cli import main
from sealroom.release.layout import PROOF
from sealroom.release.manifest import write_manifest
from sealroom.release.vouch import log_entry
from tests.attest.log.small_log import POLICY, SmallLog
from tests.sealroom import released
from tests.sealroom.guest import Guest

HERE = Path(__file__).parent
TRANSCRIPTS = sorted(HERE.glob("*.txt"))


@dataclass
class Step:
    """One command and what it must do."""

    command: str
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    code: int = 0


def parse(text: str) -> tuple[list[Step], dict[str, str]]:
    """The steps and the files of a transcript."""
    script, *parts = re.split(r"^-- (\S+) --\n", text, flags=re.MULTILINE)
    steps: list[Step] = []
    for line in script.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:]))
        elif found := re.fullmatch(r"\[exit (\d+)\]", line):
            steps[-1].code = int(found[1])
        elif line.startswith("! "):
            steps[-1].stderr.append(line[2:])
        elif line and not line.startswith("#"):
            steps[-1].stdout.append(line)
    return steps, dict(zip(parts[::2], parts[1::2], strict=True))


def matches(expected: list[str], text: str) -> bool:
    """Whether `text` is the expected lines, `…` standing for anything."""
    pattern = "".join(
        "(?:.*\n)*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + "\n"
        for line in expected
    )
    return re.fullmatch(pattern, text) is not None


def play(step: Step, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, int]:
    """What the command of `step` prints, and its exit code."""
    words = shlex.split(step.command)
    stdin = b""
    if words[-2:-1] == ["<"]:
        stdin = Path(words[-1]).read_bytes()
        words = words[:-2]
    with monkeypatch.context() as patch, contextlib.ExitStack() as streams:
        while "=" in words[0]:
            patch.setenv(*words.pop(0).split("=", 1))
        assert words.pop(0) == "sealroom"
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        stdout = streams.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stderr = streams.enter_context(contextlib.redirect_stderr(io.StringIO()))
        code = main(words)
    return stdout.getvalue(), stderr.getvalue(), code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every transcript finds beside its own files."""
    folder = tmp_path_factory.mktemp("transcripts")
    guest = Guest.fixed()
    trust = guest.trust_file("https://relay.example")
    (folder / "trust.yaml").write_bytes(trust)
    strict = trust.replace(b"6d" * 32, b"6e" * 32).replace(b"70" * 32, b"71" * 32)
    (folder / "strict.yaml").write_bytes(strict)
    (folder / "other.yaml").write_bytes(guest.trust_file("https://relay.example", roots="pinned"))
    (folder / "relay.yaml").write_bytes(guest.trust_file("http://127.0.0.1:1"))
    (folder / "evidence.json").write_bytes(guest.evidence)
    (folder / "receipt.json").write_bytes(guest.kept())
    (folder / "killed.json").write_bytes(guest.kept(ended=Ended.KILLED, code=9))
    (folder / "release").mkdir()
    published = write_manifest(released.mint(folder / "release"))
    (folder / "published.json").write_bytes(published)
    log = SmallLog([log_entry("1.2.3", published)])
    (folder / "release" / PROOF).write_bytes(log.proof(0))
    (folder / "log-policy").write_bytes(POLICY)
    (folder / "examples").symlink_to(HERE.parents[1] / "examples")
    (folder / "snp").symlink_to(HERE.parent / "vectors" / "snp-evidence")
    (folder / "tdx").symlink_to(HERE.parent / "vectors" / "tdx-evidence")
    (folder / "hcl").symlink_to(HERE.parent / "vectors" / "azure-hcl")
    return folder


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_command_line_does_what_the_transcript_says(
    path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", "/home/ana")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    steps, files = parse(path.read_text(encoding="utf-8"))
    assert steps
    for name, content in files.items():
        Path(name).write_text(content, encoding="utf-8")
    for step in steps:
        stdout, stderr, code = play(step, monkeypatch)
        said = f"$ {step.command}\n{stdout}{stderr}[exit {code}]"
        assert code == step.code, said
        assert matches(step.stdout, stdout), said
        assert matches(step.stderr, stderr), said


def test_there_are_transcripts() -> None:
    assert TRANSCRIPTS


def test_an_expected_line_stands_for_itself_and_an_ellipsis_for_more() -> None:
    assert matches(["a.b", "…", "c…e"], "a.b\nx\ny\ncde\n")
    assert not matches(["a.b"], "axb\n")
    assert not matches(["c…e"], "c\ne\n")
    assert not matches([], "x\n")
