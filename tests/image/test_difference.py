# SPDX-License-Identifier: Apache-2.0
"""A difference is explained down to the path, section or line that has it."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image import cpio
from image.difference import LINES_MAX_ITEMS, explanation


def no_zstd(data: bytes) -> bytes:
    raise AssertionError(f"nothing here is compressed, but {data[:4].hex()} was to be unpacked")


def initrd(**files: bytes) -> bytes:
    rows = [cpio.file(name.replace("_", "/"), data) for name, data in files.items()]
    return cpio.write_cpio([cpio.folder("etc"), *rows])


def test_the_path_and_the_line_in_an_initramfs_are_named() -> None:
    first = initrd(etc_time=b"made\n1970\n", etc_same=b"\0")
    second = initrd(etc_time=b"made\n2031\n", etc_same=b"\0")
    assert explanation(first, second, no_zstd) == [
        "/etc/time: @@ -2 +2 @@",
        "/etc/time: -1970",
        "/etc/time: +2031",
    ]


def test_a_path_in_one_initramfs_only_is_named() -> None:
    first, second = initrd(etc_a=b""), initrd(etc_b=b"")
    assert explanation(first, second, no_zstd) == [
        "/etc/a: only in the first",
        "/etc/b: only in the second",
    ]


def test_another_mode_is_named() -> None:
    first = cpio.write_cpio([cpio.file("init", b"")])
    second = cpio.write_cpio([cpio.file("init", b"", 0o600)])
    assert explanation(first, second, no_zstd) == ["/init: mode 100644 / 100600"]


def test_the_section_of_an_elf_file_is_named(tmp_path: Path) -> None:
    made = []
    for text in ("built in one", "built in two"):
        (tmp_path / "a.c").write_text(f'const char *f(void) {{ return "{text}"; }}\n')
        command = ["cc", "-shared", "-fPIC", "-Wl,--build-id=none", "-o", "a.so", "a.c"]
        subprocess.run(command, check=True, cwd=tmp_path)
        made.append((tmp_path / "a.so").read_bytes())
    lines = explanation(made[0], made[1], no_zstd)
    assert len(lines) == 2
    assert lines[0].startswith("section .rodata: 3 of the bytes of both differ; at 9:")
    assert lines[1].startswith("section .rodata:   6f 6e 65 00")


def test_another_section_table_is_named(tmp_path: Path) -> None:
    made = []
    for flag in ("-g0", "-g"):
        (tmp_path / "a.c").write_text("int f(void) { return 1; }\n")
        command = ["cc", "-shared", "-fPIC", flag, "-o", "a.so", "a.c"]
        subprocess.run(command, check=True, cwd=tmp_path)
        made.append((tmp_path / "a.so").read_bytes())
    (line,) = explanation(made[0], made[1], no_zstd)
    assert ".debug_info" in line.partition(" / ")[2]


def test_what_is_compressed_is_explained_unpacked() -> None:
    magic = bytes.fromhex("28b52ffd")
    first, second = magic + initrd(etc_a=b"1\n"), magic + initrd(etc_a=b"2\n")
    assert explanation(first, second, lambda data: data[4:]) == [
        "/etc/a: @@ -1 +1 @@",
        "/etc/a: -1",
        "/etc/a: +2",
    ]


def test_the_same_content_compressed_otherwise_is_said_to_be_so() -> None:
    magic = bytes.fromhex("28b52ffd")
    lines = explanation(magic + b"1", magic + b"2", lambda _: b"same")
    assert lines[0] == "the same content, compressed otherwise"


def test_an_archive_of_another_hand_is_compared_by_its_bytes() -> None:
    lines = explanation(b"070701\0" + b"1", b"070701\0" + b"2", no_zstd)
    assert lines[0].startswith("not readable: member at 0")
    assert lines[1] == "1 of the bytes of both differ; at 7:"


def test_a_shorter_file_is_told_with_both_sizes() -> None:
    assert explanation(b"\0\1", b"\0", no_zstd) == [
        "2 bytes / 1 bytes",
        "0 of the bytes of both differ; at 1:",
        "  01 / the end",
    ]


def test_a_long_explanation_ends() -> None:
    first = cpio.write_cpio([cpio.file(f"{number:04}", b"") for number in range(200)])
    lines = explanation(first, cpio.write_cpio([cpio.file("x", b"")]), no_zstd)
    assert len(lines) == LINES_MAX_ITEMS + 1
    assert lines[-1] == "and more"


@pytest.mark.parametrize("start", [b"", b"070701", b"\x7fELF\x02\x01\x01"])
@given(first=st.binary(max_size=64), second=st.binary(max_size=64))
def test_there_are_lines_for_other_bytes_only(start: bytes, first: bytes, second: bytes) -> None:
    assert bool(explanation(start + first, start + second, bytes)) == (first != second)
