# SPDX-License-Identifier: Apache-2.0
"""The import contracts of pyproject.toml hold, and each of them bites when it is broken."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.contract.repository import BESIDE, PACKAGES, ROOT, text

CONTRACTS = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
LINT = (
    "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache', '--no-logo'])"
)
# One planted import for each contract, by its name.
BREACHES = {
    "three floors: who stands on whom": ("wire/planted_floor.py", "import sealroom"),
    "what decides does no I/O": ("attest/planted_io.py", "import socket"),
    "a process is a folder: they never import each other": (
        "guest/worker/planted_process.py",
        "import guest.keyholder",
    ),
    "the gate cannot decrypt": ("guest/gate/planted_key.py", "import cryptography"),
    "the keyholder has no network and no model": (
        "guest/keyholder/planted_network.py",
        "import grpclib",
    ),
    "the worker has no network and no TSM": ("guest/worker/planted_network.py", "import asyncio"),
    "the relay knows nothing": ("services/relay/planted_key.py", "import wire"),
    "the ingress moves opaque bytes": ("services/ingress/planted_key.py", "import cryptography"),
    "PID 1 has no service, no key and no model": ("guest/boot/planted_door.py", "import grpclib"),
    "only /init opens PID 1's room": ("guest/gate/planted_boot.py", "import guest.boot"),
}


def lint(where: Path) -> tuple[int, str]:
    """Run import-linter on the tree at `where` and return its exit status and what it printed."""
    run = subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(where), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


@pytest.fixture(scope="module")
def broken_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the packages with one breach planted for each contract."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for name in (*PACKAGES, *BESIDE):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path, line in BREACHES.values():
        (tree / path).write_text(f"{line}\n")
    return tree


def test_every_contract_holds() -> None:
    status, said = lint(ROOT)
    assert status == 0, said


def test_every_contract_has_a_planted_breach() -> None:
    assert BREACHES.keys() == {contract["name"] for contract in CONTRACTS}


def test_every_contract_bites(broken_tree: Path) -> None:
    status, said = lint(broken_tree)
    assert status == 1
    assert [name for name in BREACHES if f"{name} BROKEN" not in said] == []


def test_each_process_of_the_guest_and_each_service_is_in_a_contract() -> None:
    named = {
        module
        for contract in CONTRACTS
        for module in (*contract.get("source_modules", ()), *contract.get("modules", ()))
    }
    rooms = {
        f"{house}.{room.name}"
        for house in ("guest", "services")
        for room in (ROOT / house).iterdir()
        if (room / "__init__.py").is_file()
    }
    assert rooms - named == set()
