# SPDX-License-Identifier: Apache-2.0
"""The wheel holds the six packages whole and nothing else, and works away from the checkout."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.contract.repository import PACKAGES, ROOT, files

# Run in the fresh environment: import every module named on standard input, say where it was found.
IMPORT_ALL = """
import importlib, sys
for name in sys.stdin.read().split():
    print(importlib.import_module(name).__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel built from the checkout, without network."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def fresh_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a new environment with our wheel and this one's third parties."""
    where = tmp_path_factory.mktemp("fresh")
    venv.create(where, with_pip=False, symlinks=True)
    python = where / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    # A folder named by a .pth file is searched, but its own .pth files (the checkout) are not read.
    (site,) = where.glob("lib/python3*/site-packages")
    (site / "third_parties.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_exactly_the_files_of_the_six_packages(wheel: Path) -> None:
    assert members(wheel) == {str(path) for path in files(*PACKAGES)}


def test_the_wheel_carries_the_licence_the_types_and_the_prompts(wheel: Path) -> None:
    held = members(wheel)
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())
    assert {f"{package}/py.typed" for package in PACKAGES} <= held
    assert any(name.startswith("guest/worker/prompts/") for name in held)


@pytest.mark.slow
def test_every_module_imports_from_the_installed_wheel(wheel: Path, fresh_python: Path) -> None:
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in members(wheel)
        if name.endswith(".py") and not name.endswith("__main__.py")
    )
    run = subprocess.run(
        [fresh_python, "-I", "-W", "error", "-c", IMPORT_ALL],
        input=" ".join(modules),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = run.stdout.splitlines()
    assert len(found) == len(modules)
    assert [path for path in found if not path.startswith(str(fresh_python.parents[1]))] == []


@pytest.mark.slow
def test_the_command_line_starts_from_the_installed_wheel(fresh_python: Path) -> None:
    run = subprocess.run(
        [fresh_python.with_name("sealroom"), "--help"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "summarize" in run.stdout
