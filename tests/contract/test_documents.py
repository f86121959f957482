# SPDX-License-Identifier: Apache-2.0
"""What the documents tell people to type exists, links lead somewhere, and every ADR is listed."""

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.repository import ROOT, files, text

DOCUMENTS = files("*.md")
FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED_IN = {"", "sh", "console"}  # the languages of blocks that show commands
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
TARGET = re.compile(r"^([a-z][a-z -]*):[^=\n]*?(## .*)?$", re.MULTILINE)
WANTED_TARGETS = {"help", "demo", "dev", "test", "check", "fmt", "model", "lab", "bench", "image"}
WANTED_TARGETS |= {"measure", "repro", "boot", "clean"}
ADR_SECTIONS = ("## Context", "## Decision", "## Consequences")
ADR_LINES_MAX = 70


def targets() -> dict[str, bool]:
    """Return the Makefile's targets, each with whether it is documented."""
    rules = TARGET.findall(text("Makefile"))
    return {name: bool(doc) for heads, doc in rules for name in heads.split()}


def commands(path: Path) -> list[str]:
    """Return what a document shows as something to type: shell blocks and inline code."""
    shown = [block for language, block in FENCE.findall(text(path)) if language in TYPED_IN]
    lines = "\n".join(shown).replace("\\\n", " ").splitlines()
    typed = [line.strip().removeprefix("$ ") for line in lines]
    return [line for line in (*typed, *INLINE.findall(text(path))) if not line.startswith("#")]


def mentioned(pattern: str) -> dict[str, Path]:
    """Return the first group of each match in any document's commands, with one such document."""
    return {
        match[1]: path
        for path in DOCUMENTS
        for line in commands(path)
        for match in re.finditer(pattern, line)
    }


def test_every_make_target_is_documented_and_none_is_missing() -> None:
    assert [name for name, documented in targets().items() if not documented] == []
    assert targets().keys() >= WANTED_TARGETS


def test_documented_make_targets_exist() -> None:
    named = mentioned(r"(?:^|&& |; )make ([a-z][a-z-]*)")
    assert {name: path for name, path in named.items() if name not in targets()} == {}


def test_documented_modules_exist() -> None:
    named = mentioned(r"python3? -m ([a-z_][a-z_.]*)")
    assert {name: path for name, path in named.items() if not importlib.util.find_spec(name)} == {}


@pytest.mark.slow
def test_documented_subcommands_exist() -> None:
    named = mentioned(r"(?:^|/bin/)sealroom ([a-z]+)")
    call = "import sys; from sealroom.cli import main; sys.exit(main())"
    unknown = [
        name
        for name in named
        if subprocess.run(
            [sys.executable, "-c", call, name, "--help"], cwd=ROOT, capture_output=True, check=False
        ).returncode
    ]
    assert unknown == []


def test_python_in_documents_parses_and_imports_what_exists() -> None:
    blocks = [
        ast.parse(block)
        for path in DOCUMENTS
        for language, block in FENCE.findall(text(path))
        if language == "python"
    ]
    missing = [
        f"{node.module}.{alias.name}"
        for block in blocks
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if not hasattr(importlib.import_module(node.module), alias.name)
    ]
    assert missing == []


def test_relative_links_lead_somewhere() -> None:
    dead = [
        f"{path}: {link}"
        for path in DOCUMENTS
        for link in LINK.findall(text(path))
        if "://" not in link
        and not link.startswith("mailto:")
        and not (ROOT / path.parent / link).exists()
    ]
    assert dead == []


def test_every_adr_is_in_the_index_and_numbered_once() -> None:
    records = [path.name for path in files("docs/adr/[0-9]*.md")]
    index = LINK.findall(text("docs/adr/README.md"))
    assert [link for link in index if re.match(r"\d{4}-", link)] == records
    assert [name[:4] for name in records] == [f"{n:04}" for n in range(1, len(records) + 1)]


@pytest.mark.parametrize("path", files("docs/adr/[0-9]*.md"), ids=str)
def test_an_adr_fits_a_page_and_has_its_sections(path: Path) -> None:
    assert len(text(path).splitlines()) <= ADR_LINES_MAX
    assert [section for section in ADR_SECTIONS if section not in text(path)] == []
