# SPDX-License-Identifier: Apache-2.0
"""What the dynamic linker asks for, read as it reads it."""

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.elf import ElfError
from image.linking import Linking, is_elf, parse_linking
from tests.image.parts import BASE, HEADERS, elf

LIBRARY = elf(("libc.so.6", "libm.so.6"), soname="libx.so.1", runpath="$ORIGIN:/opt")


def test_a_librarys_names_are_read() -> None:
    wanted = Linking("", "libx.so.1", ("libc.so.6", "libm.so.6"), ("$ORIGIN", "/opt"))
    assert parse_linking(LIBRARY) == wanted


def test_a_program_names_its_linker() -> None:
    program = elf(("libc.so.6",), interpreter="/lib64/ld-linux-x86-64.so.2")
    assert parse_linking(program).interpreter == "/lib64/ld-linux-x86-64.so.2"


def test_this_interpreter_needs_the_c_library() -> None:
    data = Path(sys.executable).resolve().read_bytes()
    assert is_elf(data)
    assert "libc.so.6" in parse_linking(data).needed


def test_a_file_for_another_machine_is_refused() -> None:
    with pytest.raises(ElfError, match="for x86-64"):
        parse_linking(elf(machine=183))


def test_a_file_of_32_bits_is_refused() -> None:
    with pytest.raises(ElfError, match="64-bit"):
        parse_linking(LIBRARY.replace(b"\x7fELF\x02", b"\x7fELF\x01"))


def test_a_table_of_names_outside_of_all_segments_is_refused() -> None:
    wrong = LIBRARY.replace(struct.pack("<qQ", 5, BASE + HEADERS), struct.pack("<qQ", 5, 1))
    with pytest.raises(ElfError, match="in a segment of the file"):
        parse_linking(wrong)


def test_two_tables_of_names_are_refused() -> None:
    table = struct.pack("<qQ", 5, BASE + HEADERS)
    with pytest.raises(ElfError, match="one table of names, got 2"):
        parse_linking(LIBRARY.replace(struct.pack("<qQ", 29, 31), table))


def test_a_dynamic_section_without_an_end_is_refused() -> None:
    with pytest.raises(ElfError, match="dynamic section's end"):
        parse_linking(LIBRARY[:-16] + struct.pack("<qQ", 99, 0))


def test_more_segments_than_the_limit_are_refused() -> None:
    many = bytearray(LIBRARY)
    many[56:58] = struct.pack("<H", 65)
    with pytest.raises(ElfError, match="at most 64 segments"):
        parse_linking(bytes(many))


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=400).map(lambda b: LIBRARY[:64] + b)))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_linking(data)
    except ElfError:
        return
    assert is_elf(data)


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_any_changed_byte_is_read_or_refused(change: int) -> None:
    for at in range(len(LIBRARY)):
        data = bytearray(LIBRARY)
        data[at] ^= change
        try:
            found = parse_linking(bytes(data))
        except ElfError:
            continue
        assert len(found.needed) <= 512
