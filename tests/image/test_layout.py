# SPDX-License-Identifier: Apache-2.0
"""The tree is added to, file by file, and every file has a reason to be in it."""

import os
import stat
from pathlib import Path

import pytest

from image import cpio, layout
from image.cpio import Entry
from image.layout import (
    LIBRARIES,
    LINKER,
    LLAMA,
    PACKAGES,
    PYTHON,
    STDLIB,
    LayoutError,
    Tree,
    base_entries,
    debian_entries,
    guest_modules,
    in_image,
    left_out,
    llama_entries,
    own_entries,
    with_libraries,
)
from tests.image.parts import deb, elf


def lib(name: str, *needed: str) -> Entry:
    return cpio.file(f"{LIBRARIES}/{name}", elf(needed, soname=name))


POOL = Tree(
    [
        cpio.file(LINKER, elf(soname="ld-linux-x86-64.so.2"), 0o755),
        lib("libc.so.6", "ld-linux-x86-64.so.2"),
        lib("libm.so.6", "libc.so.6"),
        cpio.link(f"{LIBRARIES}/libx.so.1", "libx.so.1.2"),
        cpio.file(f"{LIBRARIES}/libx.so.1.2", elf(("libm.so.6",), soname="libx.so.1")),
        lib("libidle.so.1", "libc.so.6"),
        cpio.file(f"{LLAMA}/libggml.so", elf(("libc.so.6",), soname="libggml.so")),
    ]
)


def paths(tree: Tree) -> set[str]:
    return {entry.path for entry in tree}


def test_a_path_is_taken_once() -> None:
    tree = Tree([cpio.file("a", b"1"), cpio.file("a", b"1")])
    with pytest.raises(LayoutError, match="a: wanted one entry, got two that differ"):
        tree.add(cpio.file("a", b"2"))


def test_what_no_package_has_is_missed_by_name() -> None:
    with pytest.raises(LayoutError, match=r"b: wanted it in the packages"):
        POOL["b"]


def test_the_folders_above_a_file_come_by_themselves() -> None:
    whole = Tree([cpio.file("usr/lib/a", b"")]).whole()
    assert [entry.path for entry in whole] == ["usr", "usr/lib", "usr/lib/a"]
    assert {entry.mode for entry in whole[:2]} == {stat.S_IFDIR | 0o755}


def test_a_tree_is_written_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        Tree([in_image("init", b"x"), cpio.link("lib", "usr/lib")]).write(tmp_path / "tree")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "tree" / "init").stat().st_mode) == 0o755
    assert (tmp_path / "tree" / "lib").readlink() == Path("usr/lib")


@pytest.mark.parametrize(
    ("path", "mode"), [("init", 0o755), (PYTHON, 0o755), (LINKER, 0o755), ("usr/lib/a", 0o644)]
)
def test_only_what_is_executed_by_name_may_be_executed(path: str, mode: int) -> None:
    assert in_image(path, b"").permissions == mode


def test_a_program_brings_its_linker_and_libraries_and_theirs() -> None:
    program = cpio.file(PYTHON, elf(("libx.so.1",), interpreter="/lib64/ld-linux-x86-64.so.2"))
    found = paths(with_libraries(Tree([program]), POOL))
    names = ("libx.so.1", "libx.so.1.2", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2")
    assert found == {PYTHON, *(f"{LIBRARIES}/{name}" for name in names)}


def test_a_library_beside_the_file_is_taken_if_the_file_says_so() -> None:
    near = cpio.file(f"{LLAMA}/libllama.so", elf(("libggml.so",), runpath="$ORIGIN"))
    assert f"{LLAMA}/libggml.so" in paths(with_libraries(Tree([near]), POOL))
    with pytest.raises(LayoutError, match=r"libggml.so: wanted this library"):
        with_libraries(Tree([cpio.file(near.path, elf(("libggml.so",)))]), POOL)


def test_a_library_that_no_package_has_is_missed() -> None:
    program = cpio.file(PYTHON, elf(("libssl.so.3",)))
    with pytest.raises(LayoutError, match=r"libssl.so.3: wanted this library"):
        with_libraries(Tree([program]), POOL)


def test_of_a_package_only_what_could_be_used_is_looked_at(tmp_path: Path) -> None:
    files = {
        "usr/bin/python3.13": b"p",
        "usr/bin/dash": b"d",
        "lib/x86_64-linux-gnu/libc.so.6": b"c",
        "usr/lib/x86_64-linux-gnu/gconv/UTF-7.so": b"g",
        "usr/lib/python3.13/os.py": b"o",
        "usr/share/doc/python3.13/copyright": b"t",
        "etc/passwd": b"e",
    }
    links = {"usr/lib/x86_64-linux-gnu/libx.so.1": "libx.so.1.2"}
    found = Tree(debian_entries({"p": deb(tmp_path / "p.deb", files, links)}))
    wanted = {PYTHON, f"{LIBRARIES}/libc.so.6", f"{LIBRARIES}/libx.so.1", f"{STDLIB}/os.py"}
    assert paths(found) == wanted
    assert found[f"{STDLIB}/os.py"].permissions == 0o644


def test_our_sources_come_without_what_python_left_beside_them(tmp_path: Path) -> None:
    for name in ("guest/a.py", "guest/p/p.txt", "guest/py.typed", "guest/x.pyi", "wire/b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    for name in ("guest/__pycache__/a.py", "lab/c.py", "attest/.a.py.swp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = {entry.path for entry in own_entries(tmp_path)}
    assert found == {f"{PACKAGES}/{name}" for name in ("guest/a.py", "guest/p/p.txt", "wire/b.py")}


def test_every_module_of_the_guest_is_a_root() -> None:
    below = f"{PACKAGES}/guest"
    names = ("__init__.py", "init.py", "boot/__init__.py", "boot/pid1.py", "worker/p.txt")
    pool = Tree(cpio.file(f"{below}/{name}", b"") for name in names)
    assert guest_modules(pool) == ["guest", "guest.boot", "guest.boot.pid1", "guest.init"]


def test_llama_is_found_under_the_name_that_the_binding_loads(tmp_path: Path) -> None:
    (tmp_path / "libllama.so.0.5").write_bytes(elf(soname="libllama.so.0"))
    (tmp_path / "libllama.so").symlink_to("libllama.so.0.5")
    found = list(llama_entries(tmp_path))
    assert found[1] == cpio.link(f"{LLAMA}/libllama.so", "libllama.so.0")
    assert found[0].path == f"{LLAMA}/libllama.so.0"


def test_without_llama_there_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"wanted libllama.so, got none"):
        list(llama_entries(tmp_path))


@pytest.mark.parametrize("line", ["ssl", "ssl   ", "ssl no\nssl again"])
def test_what_is_left_out_has_one_reason(line: str) -> None:
    with pytest.raises(LayoutError, match="wanted one reason for ssl"):
        left_out(line)


def test_the_committed_reasons_are_read() -> None:
    rows = left_out(layout.LEFT_OUT.read_text())
    assert {"ssl", "_hashlib", "numpy"} <= set(rows)
    assert not set(rows) & set(layout.UNSEEN)


def test_what_is_made_here_is_the_first_program_one_document_and_places_to_mount_on() -> None:
    found = Tree(base_entries(b"{}"))
    assert found["init"].data.startswith(b"#!/usr/bin/python3.13 -IS\n")
    assert found["init"].permissions == 0o755
    assert {e.path for e in found if e.kind == stat.S_IFDIR} == {"dev", "proc", "sys"}


def test_the_first_program_is_python_and_starts_pid_1() -> None:
    code = compile(layout.INIT, "/init", "exec")
    assert "main" in code.co_names
    assert b'"/' + PACKAGES.encode() + b'"' in layout.INIT


def test_our_rooms_are_those_that_the_design_puts_into_the_image() -> None:
    assert set(layout.OURS) == {"attest", "guest", "guestapi", "wire"}
