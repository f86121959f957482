# SPDX-License-Identifier: Apache-2.0
"""The image that was built here, looked into: `make image` comes first.

What the guest imports is imported by the very interpreter and files of the image, without a
machine to boot; so whatever was left out and is missed shows here.
"""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from image import files, layout
from image.cpio import Entry, read_cpio
from image.layout import LIBRARIES, LINKER, PACKAGES, PUBLISHED, PYTHON, Tree
from image.linking import is_elf, parse_linking
from image.overlay import Variant

pytestmark = pytest.mark.boot

BUILT = layout.ROOT / "build" / "image"
IMPORT_ALL = """
import importlib, json, sys, pathlib
packages = sys.argv[1]
sys.path.append(packages)
for path in sorted(pathlib.Path(packages).glob("guest/**/*.py")):
    name = ".".join(path.relative_to(packages).with_suffix("").parts)
    if not name.endswith("__main__"):
        importlib.import_module(name.removesuffix(".__init__"))
from guest.worker.binding import load_llama
load_llama().llama_backend_init()
verify = importlib.import_module("attest.verify")
verify.load(*verify.Platform)
found = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps(found))
"""
CHECK_COMPILED = """
import _imp, importlib.util, json, pathlib, sys
wrong = []
for path in pathlib.Path(sys.argv[1]).rglob("*.pyc"):
    source = path.parent.parent / (path.name.removesuffix(".cpython-313.pyc") + ".py")
    head = path.read_bytes()[:16]
    wanted = importlib.util.MAGIC_NUMBER + b"\\1\\0\\0\\0"
    if head != wanted + importlib.util.source_hash(source.read_bytes()):
        wrong.append(str(path))
print(json.dumps(wrong))
"""


@pytest.fixture(scope="module")
def entries() -> tuple[Entry, ...]:
    return read_cpio((BUILT / "tree" / "initrd.cpio").read_bytes())


@pytest.fixture(scope="module")
def tree(entries: tuple[Entry, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image") / "tree"
    Tree(entries).write(folder)
    return folder


def python(tree: Path, code: str, argument: Path) -> str:
    """What the image's interpreter prints, run with the image's libraries."""
    command = [tree / LINKER, "--library-path", tree / LIBRARIES, tree / PYTHON]
    words = [*map(str, command), "-I", "-B", "-c", code, str(argument)]
    return subprocess.run(words, capture_output=True, text=True, check=True, env={}).stdout


def test_the_tree_is_the_listed_one(entries: tuple[Entry, ...]) -> None:
    files.check(files.file_list(entries), files.LIST)


def test_the_images_interpreter_imports_the_whole_guest_from_the_image(tree: Path) -> None:
    found = json.loads(python(tree, IMPORT_ALL, tree / PACKAGES))
    assert {"guest.boot.pid1", "guest.gate.server", "llama_cpp.llama_cpp"} <= set(found)
    outside = {path for path in found.values() if path and not path.startswith(str(tree))}
    # The interpreter's own frozen modules tell where their sources were.
    assert outside == set()
    assert not {"ssl", "_ssl", "_hashlib", "numpy"} & set(found)


def test_what_is_compiled_is_compiled_from_what_lies_beside_it(tree: Path) -> None:
    assert json.loads(python(tree, CHECK_COMPILED, tree / "usr" / "lib")) == []


def test_every_library_that_a_file_needs_is_there(entries: tuple[Entry, ...]) -> None:
    names = {entry.path.rpartition("/")[2] for entry in entries}
    programs = [entry for entry in entries if is_elf(entry.data)]
    assert {need for entry in programs for need in parse_linking(entry.data).needed} <= names


def test_every_library_is_needed_by_a_file_or_imported(entries: tuple[Entry, ...]) -> None:
    elves = {entry.path: parse_linking(entry.data) for entry in entries if is_elf(entry.data)}
    needed = {name for linking in elves.values() for name in linking.needed}
    idle = {
        path
        for path, linking in elves.items()
        if path.startswith(f"{LIBRARIES}/") and linking.soname not in needed and path != LINKER
    }
    assert idle == set()


def test_nothing_can_change_whose_rights_it_runs_with(entries: tuple[Entry, ...]) -> None:
    assert not any(entry.permissions & (stat.S_ISUID | stat.S_ISGID) for entry in entries)


@pytest.mark.parametrize("variant", [Variant.RESEARCH, Variant.TEST])
def test_the_others_are_the_production_images_bytes_and_an_overlay(variant: Variant) -> None:
    release = BUILT / "release"
    base = (release / "production" / "initrd").read_bytes()
    other = (release / variant / "initrd").read_bytes()
    assert other.startswith(base)
    over = {entry.path: entry for entry in read_cpio(other[len(base) + -len(base) % 4 :])}
    published = json.loads(over[PUBLISHED].data)
    assert published["variant"] == variant
    assert published["cmdline"] == (release / variant / "cmdline").read_text()
    if variant == Variant.TEST:
        assert [path for path, entry in over.items() if entry.data] == [PUBLISHED]


def test_the_production_image_says_its_own_command_line(entries: tuple[Entry, ...]) -> None:
    published = json.loads(Tree(entries)[PUBLISHED].data)
    assert published["variant"] == "production"
    line = (BUILT / "release" / "production" / "cmdline").read_bytes()
    assert published["cmdline"].encode() == line
