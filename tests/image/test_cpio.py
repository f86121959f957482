# SPDX-License-Identifier: Apache-2.0
"""The archive that the kernel unpacks: one spelling, every byte accounted for."""

import random
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image import cpio
from image.cpio import CpioError, Entry, read_cpio, write_cpio

TREE = (
    cpio.file("init", b"#!/usr/bin/python3.13 -I\n", 0o755),
    cpio.folder("usr"),
    cpio.folder("usr/lib"),
    cpio.link("lib", "usr/lib"),
    cpio.file("usr/lib/a", b"four"),
    cpio.file("usr/lib/b", b""),
    cpio.folder("usr/lib-x"),
)

names = st.text(st.characters(codec="ascii", exclude_characters="/\0"), min_size=1).filter(
    lambda name: name not in {".", "..", cpio.TRAILER}
)


def header(**changed: int) -> bytes:
    """One folder "a" as a member, with other values in some fields."""
    fields = dict.fromkeys(cpio.FIELDS, 0)
    fields |= {"inode": 1, "mode": stat.S_IFDIR | 0o755, "links": 2, "name_size": 2} | changed
    return b"070701" + b"".join(b"%08X" % value for value in fields.values()) + b"a\0"


END = write_cpio(())[:124]


def test_the_same_entries_give_the_same_bytes_in_whatever_order_they_come() -> None:
    shuffled = list(TREE)
    random.Random(5).shuffle(shuffled)
    assert write_cpio(shuffled) == write_cpio(TREE)


def test_a_folder_comes_right_before_what_is_in_it() -> None:
    paths = [entry.path for entry in read_cpio(write_cpio(TREE))]
    assert paths == ["init", "lib", "usr", "usr/lib", "usr/lib/a", "usr/lib/b", "usr/lib-x"]


def test_what_was_written_is_read_again() -> None:
    assert set(read_cpio(write_cpio(TREE))) == set(TREE)


def test_the_empty_archive_is_a_trailer_in_one_block() -> None:
    archive = write_cpio(())
    assert len(archive) == cpio.BLOCK
    assert archive[110:121] == b"TRAILER!!!\0"


@pytest.mark.skipif(not shutil.which("cpio"), reason="no cpio program to compare with")
def test_the_cpio_program_unpacks_the_same_tree(tmp_path: Path) -> None:
    subprocess.run(["cpio", "-idm", "--quiet"], input=write_cpio(TREE), cwd=tmp_path, check=True)
    assert (tmp_path / "usr/lib/a").read_bytes() == b"four"
    assert stat.S_IMODE((tmp_path / "init").stat().st_mode) == 0o755
    assert (tmp_path / "lib").readlink() == Path("usr/lib")
    assert (tmp_path / "usr/lib-x").stat().st_mtime == 0


@given(st.dictionaries(names, st.binary(max_size=40), max_size=8))
def test_any_files_survive_the_round_trip(files: dict[str, bytes]) -> None:
    entries = {cpio.file(name, data) for name, data in files.items()}
    assert set(read_cpio(write_cpio(entries))) == entries


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=60).map(lambda tail: header() + tail)))
def test_any_bytes_are_an_archive_or_are_refused(archive: bytes) -> None:
    try:
        entries = read_cpio(archive)
    except CpioError:
        return
    assert write_cpio(entries) == archive


@given(st.data())
def test_one_changed_byte_is_another_tree_or_none(data: st.DataObject) -> None:
    archive = bytearray(write_cpio(TREE))
    at = data.draw(st.integers(0, len(archive) - 1))
    archive[at] ^= data.draw(st.integers(1, 255))
    try:
        entries = read_cpio(bytes(archive))
    except CpioError:
        return
    assert set(entries) != set(TREE)


@pytest.mark.parametrize("path", ["", "/init", "usr/", "usr//lib", "./init", "usr/../etc", "a\0b"])
def test_a_path_that_is_not_plain_is_no_entry(path: str) -> None:
    with pytest.raises(CpioError, match="plain relative path"):
        cpio.file(path, b"")


def test_the_trailers_name_is_no_path() -> None:
    with pytest.raises(CpioError, match="plain relative path"):
        cpio.file(cpio.TRAILER, b"")


def test_a_path_longer_than_the_kernel_takes_is_no_entry() -> None:
    with pytest.raises(CpioError, match="fewer than 4096 bytes"):
        cpio.file("a" * 4096, b"")


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, 0])
def test_a_device_is_no_entry(kind: int) -> None:
    with pytest.raises(CpioError, match="a folder, a file or a symbolic link"):
        Entry("dev", kind | 0o600)


def test_a_folder_has_no_data() -> None:
    with pytest.raises(CpioError, match="without data"):
        Entry("usr", stat.S_IFDIR | 0o755, b"x")


def test_a_link_has_a_target() -> None:
    with pytest.raises(CpioError, match="with a target"):
        cpio.link("lib", "")


def test_a_path_comes_once() -> None:
    with pytest.raises(CpioError, match="wanted one entry, got two"):
        write_cpio([cpio.file("a", b"1"), cpio.file("a", b"2")])


def test_a_files_folder_comes_too() -> None:
    with pytest.raises(CpioError, match="an entry for the folder usr"):
        write_cpio([cpio.file("usr/a", b"")])


def test_a_file_is_not_a_folder() -> None:
    with pytest.raises(CpioError, match="an entry for the folder usr"):
        write_cpio([cpio.file("usr", b""), cpio.file("usr/a", b"")])


def archive(member: bytes) -> bytes:
    """The member, and after it the trailer, padded as the writer pads."""
    whole = member + END
    return whole + bytes(-len(whole) % cpio.BLOCK)


def test_the_member_of_these_tests_is_the_writers() -> None:
    assert archive(header()) == write_cpio([cpio.folder("a")])


@pytest.mark.parametrize("field", sorted({*cpio.FIELDS} - {"mode", "size", "name_size"}))
def test_no_field_takes_another_value(field: str) -> None:
    with pytest.raises(CpioError, match="the form that write_cpio gives it"):
        read_cpio(archive(header(**{field: 7})))


def test_lower_case_digits_are_another_spelling() -> None:
    with pytest.raises(CpioError, match="the form that write_cpio gives it"):
        read_cpio(archive(header()).replace(b"000041ED", b"000041ed"))


def test_a_sign_is_no_digit() -> None:
    with pytest.raises(CpioError, match="hexadecimal fields"):
        read_cpio(archive(header()).replace(b"000041ED", b"+00041ED"))


def test_letters_beyond_f_are_no_digits() -> None:
    with pytest.raises(CpioError, match="hexadecimal fields"):
        read_cpio(archive(header()).replace(b"000041ED", b"000041EZ"))


def test_what_follows_the_archive_is_refused() -> None:
    with pytest.raises(CpioError, match="the form that write_cpio gives it"):
        read_cpio(write_cpio(TREE) + bytes(cpio.BLOCK))


def test_a_cut_archive_is_refused() -> None:
    with pytest.raises(CpioError, match="a newc header"):
        read_cpio(header() + b"070701")


def test_a_member_that_promises_more_than_there_is_is_refused() -> None:
    with pytest.raises(CpioError, match="a whole member"):
        read_cpio(header(mode=stat.S_IFREG | 0o644, links=1, size=5) + b"four")


def test_a_name_without_its_end_is_refused() -> None:
    with pytest.raises(CpioError, match="a whole member"):
        read_cpio(archive(header(name_size=1)))


def test_a_name_longer_than_the_limit_is_refused() -> None:
    with pytest.raises(CpioError, match="within the limits"):
        read_cpio(header(name_size=5000) + bytes(5000))


def test_a_name_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(CpioError, match="a name in UTF-8"):
        read_cpio(archive(header()[:-2] + b"\xff\0"))


def test_more_entries_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpio, "ENTRIES_MAX", 6)
    with pytest.raises(CpioError, match="at most 6 entries"):
        read_cpio(write_cpio(TREE))
