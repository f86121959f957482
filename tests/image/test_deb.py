# SPDX-License-Identifier: Apache-2.0
"""A package's data is read with limits, and odd paths and types are refused."""

import contextlib
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image import deb as deb_module
from image.deb import DebError, Entry, Kind, merged_usr, parse_deb
from tests.image.debs import ar, deb, member, tar

GOOD = tar(
    member("./", tarfile.DIRTYPE, mode=0o755),
    member("./usr/", tarfile.DIRTYPE, mode=0o755),
    ("./usr/tool", b"#!"),
    member("./usr/other", tarfile.LNKTYPE, "./usr/tool"),
    member("./usr/alias", tarfile.SYMTYPE, "../usr/tool", 0o777),
)
READ = [
    Entry("usr", Kind.DIRECTORY, 0o755),
    Entry("usr/tool", Kind.FILE, 0o644, b"#!"),
    Entry("usr/other", Kind.HARDLINK, 0o644, target="usr/tool"),
    Entry("usr/alias", Kind.SYMLINK, 0o777, target="../usr/tool"),
]


@pytest.mark.parametrize("name", ["data.tar.xz", "data.tar.gz"])
def test_directories_files_and_links_are_read(name: str) -> None:
    assert list(parse_deb(deb(GOOD, name))) == READ


@pytest.mark.parametrize(
    "path", ["../x", "./a/../b", "/etc/passwd", "./a//b", "a/./b", "./" + "a" * 1025, "./..", ""]
)
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    with pytest.raises(DebError, match="path: wanted a plain relative one"):
        list(parse_deb(deb(tar((path, b"")))))


def test_a_hard_link_out_of_the_package_is_refused() -> None:
    with pytest.raises(DebError, match="path: wanted a plain relative one"):
        list(parse_deb(deb(tar(member("./a", tarfile.LNKTYPE, "../b")))))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_or_a_pipe_is_refused(kind: bytes) -> None:
    with pytest.raises(DebError, match="wanted a directory, file or link"):
        list(parse_deb(deb(tar(member("./a", kind)))))


@pytest.mark.parametrize(
    "members",
    [
        [("data.tar.xz", b"")],
        [("debian-binary", b"2.0\n")],
        [("debian-binary", b"2.0\n"), ("data.tar.zst", b"")],
        [("debian-binary", b"2.0\n"), ("data.tar.xz", b""), ("data.tar.gz", b"")],
    ],
)
def test_a_deb_has_its_version_first_and_one_data_member(members: list[tuple[str, bytes]]) -> None:
    with pytest.raises(DebError, match="deb: wanted debian-binary and one of"):
        list(parse_deb(ar(*members)))


def test_a_ninth_member_is_refused() -> None:
    with pytest.raises(DebError, match="8 members at most"):
        list(parse_deb(ar(*[("debian-binary", b"")] * 9)))


def test_data_that_unpacks_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb_module, "DATA_MAX_BYTES", 1 << 20)
    with pytest.raises(DebError, match="data: wanted 1048576 bytes at most"):
        list(parse_deb(deb(tar(("./zeros", bytes(2 << 20))))))


def test_a_file_beyond_its_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb_module, "FILE_MAX_BYTES", 10)
    with pytest.raises(DebError, match="zeros: wanted 10 bytes at most, got 11"):
        list(parse_deb(deb(tar(("./zeros", bytes(11))))))


def test_more_entries_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb_module, "ENTRIES_MAX_ITEMS", 2)
    with pytest.raises(DebError, match="data: wanted 2 entries at most"):
        list(parse_deb(deb(GOOD)))


def test_each_shorter_deb_is_refused() -> None:
    whole = deb(GOOD)
    for size in range(len(whole)):
        with pytest.raises(DebError):
            list(parse_deb(whole[:size]))


def test_the_old_folders_of_the_root_lie_in_usr() -> None:
    paths = ["bin/sh", "lib64/ld.so", "usr/bin/env", "binary", "etc/lib"]
    assert [merged_usr(path) for path in paths] == [
        "usr/bin/sh",
        "usr/lib64/ld.so",
        "usr/bin/env",
        "binary",
        "etc/lib",
    ]


def entries_or_refusal(data: bytes) -> None:
    with contextlib.suppress(DebError):
        for entry in parse_deb(data):
            assert ".." not in entry.path.split("/")


@given(st.binary(max_size=400))
def test_any_bytes_are_entries_or_refused(data: bytes) -> None:
    entries_or_refusal(data)
    entries_or_refusal(b"!<arch>\n" + data)


@given(st.binary(max_size=2048))
def test_any_tar_is_entries_or_refused(data: bytes) -> None:
    entries_or_refusal(deb(data, "data.tar.gz"))


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_tar_with_one_other_byte_is_entries_or_refused(at: int, value: int) -> None:
    entries_or_refusal(deb(GOOD[:at] + bytes([value]) + GOOD[at + 1 :], "data.tar.gz"))
