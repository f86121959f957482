# SPDX-License-Identifier: Apache-2.0
"""The list of everything in the image, and how a difference is told."""

import re
from pathlib import Path

import pytest

from image import cpio, files
from image.files import FileListError, check, file_list

TREE = (cpio.folder("usr"), cpio.file("usr/a", b"1", 0o755), cpio.link("lib", "usr"))
LISTED = """\
link 0777 0:0 /lib -> usr
dir  0755 0:0 /usr
file 0755 0:0 /usr/a
"""


def test_a_line_says_kind_mode_owner_path_and_target() -> None:
    assert file_list(TREE) == LISTED


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "files.txt"
    path.write_text(LISTED)
    return path


def test_the_same_tree_passes(listed: Path) -> None:
    check(file_list(reversed(TREE)), listed)


def test_the_list_is_written_when_that_is_asked_for(tmp_path: Path) -> None:
    check(file_list(TREE), tmp_path / "new.txt", write=True)
    assert (tmp_path / "new.txt").read_text() == LISTED


def test_without_a_list_every_line_is_a_difference(tmp_path: Path) -> None:
    with pytest.raises(FileListError, match=r"\+dir  0755 0:0 /usr"):
        check(file_list(TREE), tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ((*TREE, cpio.file("usr/b", b"")), "+file 0644 0:0 /usr/b"),
        (TREE[:1] + TREE[2:], "-file 0755 0:0 /usr/a"),
        ((*TREE[:1], cpio.file("usr/a", b"1"), TREE[2]), "+file 0644 0:0 /usr/a"),
        ((*TREE[:2], cpio.link("lib", "usr/lib")), "+link 0777 0:0 /lib -> usr/lib"),
    ],
)
def test_a_difference_is_told_line_by_line(
    tree: tuple[cpio.Entry, ...], told: str, listed: Path
) -> None:
    with pytest.raises(FileListError) as error:
        check(file_list(tree), listed)
    assert told in str(error.value).splitlines()


def test_a_files_content_is_not_the_lists_business(listed: Path) -> None:
    check(file_list([TREE[0], cpio.file("usr/a", b"2", 0o755), TREE[2]]), listed)


LINES = files.LIST.read_text().splitlines()


def test_the_committed_list_is_sorted_and_plain() -> None:
    form = re.compile(r"(?:dir |file|link) 0[0-7]{3} 0:0 /\S+(?: -> \S+)?")
    assert all(map(form.fullmatch, LINES))
    paths = [line.split(" -> ")[0].rpartition(" ")[2] for line in LINES]
    assert paths == sorted(set(paths))


def test_three_files_can_be_executed_and_one_of_them_is_a_program() -> None:
    executable = {line.rpartition(" ")[2] for line in LINES if line.startswith("file 0755")}
    assert executable == {
        "/init",
        "/usr/bin/python3.13",
        "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    }


def test_nothing_is_writable_by_others_or_takes_another_users_rights() -> None:
    modes = {line.split(" ")[-2 if " -> " not in line else -4] for line in LINES}
    assert {line[5:9] for line in LINES} == {"0644", "0755", "0777"}
    assert {line[:4] for line in LINES if line[5:9] == "0777"} == {"link"}
    assert modes == {"0:0"}


ABSENT = (
    *("sh", "bash", "dash", "busybox", "dpkg", "apt", "pip", "gcc", "ld", "strace", "_testcapi"),
    *("ensurepip", "idlelib", "tkinter", "unittest", "pdb", "numpy", "jinja2", "pycparser"),
    *("_ssl", "_hashlib", "libssl", "libcrypto", "sitecustomize", "tests", "test"),
)


@pytest.mark.parametrize("name", ABSENT)
def test_the_image_has_no(name: str) -> None:
    found = [line for line in LINES if re.search(rf"/{name}(?:[.]|$| )", line)]
    assert found == []


def test_nothing_of_ours_is_in_it_that_only_describes_or_makes() -> None:
    ours = [line for line in LINES if re.search(r"packages/(?:attest|wire|guest|guestapi)/", line)]
    suffixes = {line.rpartition(".")[2] for line in ours if line.startswith("file")}
    assert suffixes == {"py", "pyc", "txt"}
    assert not any("guestapi/generate" in line for line in ours)


def test_every_module_is_there_in_both_forms() -> None:
    sources = {line[9 + 5 :] for line in LINES if line.endswith(".py")}
    compiled = {
        line[9 + 5 :].replace("/__pycache__/", "/").replace(".cpython-313.pyc", ".py")
        for line in LINES
        if line.endswith(".pyc")
    }
    assert sources == compiled
