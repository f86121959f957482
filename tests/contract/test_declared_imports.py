# SPDX-License-Identifier: Apache-2.0
"""Each room imports only third parties that its own requirement file names."""

import ast
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.contract.repository import BESIDE, PACKAGES, files, pins, text

# Which files of requirements/ a room may draw on; what it stands on is in its own file too.
ROOMS = {
    "attest": ("sdk", "guest"),
    "wire": ("sdk", "guest"),
    "guestapi": ("services", "guest"),
    "guest": ("guest",),
    "sealroom": ("sdk",),
    "services": ("services",),
}
# Beside the contract: this regenerates the stubs, on a developer's machine only.
DEVELOPERS_ONLY = {"guestapi/generate.py": {"grpcio-tools"}}


def third_parties(room: str) -> dict[str, set[str]]:
    """Return the distributions imported by each file of the room."""
    ours = {*PACKAGES, *BESIDE}
    known = packages_distributions()
    found: dict[str, set[str]] = {}
    for path in files(f"{room}/*.py"):
        for node in ast.walk(ast.parse(text(path))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            tops = {name.partition(".")[0] for name in names} - ours - sys.stdlib_module_names
            for top in tops:
                found.setdefault(str(path), set()).update(known.get(top, [top]))
    return found


def canonical(name: str) -> str:
    return name.lower().replace("_", "-")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_declares_every_third_party_it_imports(room: str) -> None:
    allowed = [set(pins(f"requirements/{name}.in")) for name in ROOMS[room]]
    undeclared = {
        path: imported
        for path, names in third_parties(room).items()
        if (imported := {canonical(name) for name in names} - DEVELOPERS_ONLY.get(path, set()))
        and not all(imported <= names for names in allowed)
    }
    assert undeclared == {}
