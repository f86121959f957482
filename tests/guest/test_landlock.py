# SPDX-License-Identifier: Apache-2.0
"""Landlock's rules for paths, in real processes, where the kernel has it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from guest import landlock, sandbox
from guest.door import Process
from guest.landlock import May, PathRule
from tests.guest.rig import in_child

pytestmark = pytest.mark.skipif(
    sandbox.NO_PATHS.name in sandbox.missing(), reason="this kernel has no Landlock; health says so"
)


def under(rules: list[PathRule], *attempts: Callable[[], object]) -> object:
    """What each attempt gives once only these rules are left."""

    def work() -> object:
        sandbox.NO_NEW_PRIVILEGES.apply(sandbox.Place(Process.GATE))
        landlock.restrict_paths(rules)
        return [name_of(attempt) for attempt in attempts]

    return in_child(work)


def name_of(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def test_a_folder_may_be_read_and_nothing_else_of_it_or_beside_it(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in" / "file", tmp_path / "out"
    inside.parent.mkdir()
    for path in (inside, outside):
        path.write_bytes(b"x")
    rules = [PathRule(str(inside.parent), May.READ_FILE)]
    got = under(
        rules,
        lambda: os.open(inside, os.O_RDONLY),
        lambda: os.open(inside, os.O_WRONLY),
        lambda: list(inside.parent.iterdir()),
        inside.unlink,
        lambda: os.open(inside.parent / "new", os.O_CREAT | os.O_WRONLY),
        lambda: os.open(outside, os.O_RDONLY),
    )
    assert got == ["done", *["EACCES"] * 5]


def test_a_file_that_takes_anothers_place_in_a_readable_folder_may_be_read(tmp_path: Path) -> None:
    """An operator puts a new endorsement bundle where the old one was."""
    bundle = tmp_path / "bundle"
    bundle.write_bytes(b"old")
    read, write = os.pipe()

    def replaced() -> None:
        os.read(read, 1)
        assert bundle.read_bytes() == b"new"

    (tmp_path / "next").write_bytes(b"new")
    (tmp_path / "next").replace(bundle)
    os.write(write, b".")
    assert under([PathRule(str(tmp_path), May.READ_FILE)], replaced) == ["done"]
    os.close(read)
    os.close(write)


def test_the_entry_for_reports_may_be_read_and_written_and_that_is_all(tmp_path: Path) -> None:
    """The rights that the keyholder has over configfs."""
    (rule,) = (
        PathRule(str(tmp_path), rule.may)
        for rule in sandbox.PATHS[Process.KEYHOLDER]
        if rule.path.startswith("/sys")
    )
    inblob, folder = tmp_path / "inblob", tmp_path / "folder"
    inblob.touch()
    folder.mkdir()
    got = under(
        [rule],
        lambda: os.open(inblob, os.O_WRONLY),
        lambda: os.open(inblob, os.O_RDONLY),
        lambda: os.open(tmp_path / "new", os.O_CREAT | os.O_WRONLY),
        (tmp_path / "another").mkdir,
        folder.rmdir,
        lambda: list(tmp_path.iterdir()),
    )
    assert got == ["done", "done", *["EACCES"] * 4]


def test_a_path_that_is_not_there_needs_no_rule(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    rules = [PathRule(str(nothing), May.READ_FILE)]
    assert under(rules, lambda: os.open(tmp_path, os.O_RDONLY)) == ["EACCES"]


def test_only_the_keyholder_has_paths() -> None:
    having = {process for process, rules in sandbox.PATHS.items() if rules}
    assert having == {Process.KEYHOLDER}
