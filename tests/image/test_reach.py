# SPDX-License-Identifier: Apache-2.0
"""Every import statement counts, wherever it stands, but those that cannot run."""

import ast
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from image import reach
from image.reach import Reach, imported, main


def names(source: str, package: str = "here") -> set[str]:
    return {name for name, _ in imported(ast.parse(source), package)}


def modules(source: str, package: str = "here") -> set[str]:
    return {name for name, sure in imported(ast.parse(source), package) if sure}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package whose modules import each other in several ways."""
    files = {
        "guest/__init__.py": "",
        "guest/gate.py": "from guest import door\nimport wire",
        "guest/door.py": "def late():\n    import rare",
        "wire.py": "try:\n    import absent\nexcept ImportError:\n    absent = None",
        "rare.py": "",
        "idle.py": "",
        "native.abi3.so": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("import a", {"a"}),
        ("import a.b as c", {"a.b"}),
        ("from a import b, c", {"a", "a.b", "a.c"}),
        ("from . import b", {"here", "here.b"}),
        ("from .b import c", {"here.b", "here.b.c"}),
        ("def f():\n    import a", {"a"}),
        ("try:\n    import a\nexcept ImportError:\n    import b", {"a", "b"}),
        ("if x:\n    import a\nelse:\n    import b", {"a", "b"}),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b"}),
        ("if sys.platform == 'win32':\n    import a\nelse:\n    import b", {"b"}),
        ("if __name__ == '__main__':\n    import a", set()),
        ("class C:\n    from a import b", {"a", "a.b"}),
    ],
)
def test_what_a_statement_imports(source: str, wanted: set[str]) -> None:
    assert names(source) == wanted


def test_a_relative_import_of_the_package_above() -> None:
    assert names("from ..c import d", "a.b") == {"a.c", "a.c.d"}


def test_only_what_must_be_a_module_is_missed() -> None:
    assert modules("from a import b") == {"a"}


def test_what_is_imported_is_reached_and_nothing_else(tree: Path) -> None:
    found = Reach([str(tree)], {"absent"})
    found.add(["guest.gate", "native"])
    assert set(found.files) == {"guest", "guest.gate", "guest.door", "wire", "rare", "native"}
    assert found.files["native"].endswith("native.abi3.so")


def test_an_import_that_leads_nowhere_is_told_with_who_wants_it(tree: Path) -> None:
    found = Reach([str(tree)], set())
    found.add(["guest.gate"])
    assert found.absent == {"absent": {"wire"}}


def test_what_is_left_out_is_not_followed_and_is_told(tree: Path) -> None:
    found = Reach([str(tree)], {"absent", "rare", "never"})
    found.add(["guest.gate"])
    assert "rare" not in found.files
    assert found.used == {"absent", "rare"}


def test_what_is_below_something_left_out_is_left_out(tree: Path) -> None:
    found = Reach([str(tree)], {"guest"})
    found.add(["guest.gate"])
    assert found.files == {}


def test_the_interpreters_own_modules_have_no_file() -> None:
    found = Reach([], set())
    found.add(["sys", "os.path"])
    assert set(found.absent) == {"os"}


def test_a_folder_without_an_init_is_a_package(tree: Path) -> None:
    (tree / "google").mkdir()
    (tree / "google" / "part.py").write_text("")
    found = Reach([str(tree)], set())
    found.add(["google.part"])
    assert found.files["google"] == ""


def test_compiled_files_are_the_same_wherever_they_are_made(tmp_path: Path) -> None:
    for place in ("a", "somewhere/longer"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / "m.py").write_text("X = {'a', 'b', 'c'}\n")
        main({"compile": [[f"{folder}/m.py", f"{folder}/made/m.pyc", "/usr/lib/m.py"]]})
    first, second = sorted(tmp_path.rglob("m.pyc"))
    assert first.read_bytes() == second.read_bytes()
    # PEP 552: flags 1 say that the hash is there and that nobody checks it.
    assert first.read_bytes()[4:8] == b"\x01\0\0\0"


def test_it_answers_a_request_with_the_standard_library_alone(tree: Path) -> None:
    request = {"folders": [str(tree)], "left_out": ["absent"], "roots": ["guest.gate"]}
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(reach.__file__)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.load(io.StringIO(run.stdout))
    assert answer["absent"] == {}
    assert answer["used"] == ["absent"]
    assert set(answer["files"]) == {"guest", "guest.gate", "guest.door", "wire", "rare"}
