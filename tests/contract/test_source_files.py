# SPDX-License-Identifier: Apache-2.0
"""Every source file is small, says what it owns, and names nothing of one machine."""

import ast
import re
from pathlib import Path

import pytest

from tests.contract.repository import GENERATED, ROOT, files, sources, text

LINES_MAX = 400
SPDX = "# SPDX-License-Identifier: Apache-2.0"
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "validate", "manage"}
# What is searched for is written so that it does not find itself.
OF_THIS_MACHINE = {
    "a path of one machine": re.compile(r"(?<![\w.-])/(?:wor[k]|roo[t])/|/tm[p]/bash_jobs"),
    "a registry address": re.compile(
        r"--?(?:extra-)?inde[x]-url|fin[d]-links|\"resolve[d]\": *\"http"
        r"|https?://[^ \"]*/(?:simpl[e]|poo[l]/main)/|pypi\.or[g]|registry\.npm[j]s"
    ),
}
LEFT_FOR_LATER = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b")
FILE_MAX_BYTES = 1 << 20


def test_no_python_file_is_longer_than_400_lines() -> None:
    assert [path for path in sources() if len(text(path).splitlines()) > LINES_MAX] == []


def test_every_python_file_starts_with_its_licence() -> None:
    assert [path for path in sources() if text(path).splitlines()[:1] != [SPDX]] == []


@pytest.fixture(scope="module")
def shortcomings() -> dict[str, list[str]]:
    """What one reading of all syntax trees finds; they are too many to keep."""
    undescribed, swallowed = [], []
    for path in sources():
        tree = ast.parse(text(path))
        if not ast.get_docstring(tree):
            undescribed.append(str(path))
        swallowed += [
            f"{path}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ExceptHandler)
            and (node.type is None or all(isinstance(part, ast.Pass) for part in node.body))
        ]
    return {"undescribed": undescribed, "swallowed": swallowed}


def test_every_python_file_says_what_it_owns(shortcomings: dict[str, list[str]]) -> None:
    assert shortcomings["undescribed"] == []


def test_no_module_is_a_drawer() -> None:
    assert [path for path in sources() if path.stem in DRAWERS] == []


def test_the_generated_files_that_are_exempt_exist() -> None:
    assert [name for name in GENERATED if Path(name) not in files("guestapi")] == []


@pytest.mark.parametrize("what", OF_THIS_MACHINE)
def test_no_file_names(what: str) -> None:
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in files()
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1)
        if OF_THIS_MACHINE[what].search(line)
    ]
    assert found == []


def test_nothing_is_left_for_later_in_the_source() -> None:
    rooms = (*sources(), *files("*.sh", "Makefile", ".ci/run", "*.proto"))
    assert [path for path in rooms if LEFT_FOR_LATER.search(text(path))] == []


def test_no_error_is_swallowed(shortcomings: dict[str, list[str]]) -> None:
    assert shortcomings["swallowed"] == []


def test_files_are_not_too_large_to_read() -> None:
    assert [path for path in files() if (ROOT / path).stat().st_size > FILE_MAX_BYTES] == []
