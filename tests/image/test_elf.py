# SPDX-License-Identifier: Apache-2.0
"""ELF files are read within their own bounds."""

import contextlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.elf import ElfError, needed_libraries, parse_sections


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A shared library that needs libm, as this machine's compiler makes it."""
    folder = tmp_path_factory.mktemp("elf")
    (folder / "a.c").write_text("#include <math.h>\ndouble f(double x) { return cos(x); }\n")
    (folder / "none.c").write_text("int g(void) { return 1; }\n")
    for name in ("a", "none"):
        made = ["cc", "-shared", "-fPIC", "-o", f"{folder}/{name}.so", f"{folder}/{name}.c", "-lm"]
        subprocess.run(made, check=True)
    return (folder / "a.so").read_bytes()


def test_sections_have_names_and_bytes(library: bytes) -> None:
    sections = {section.name: section.data for section in parse_sections(library)}
    assert b"libm.so.6\0" in sections[".dynstr"]
    assert sections[".bss"] == b""
    assert sections[""] == b""


def test_the_needed_libraries_are_named(library: bytes) -> None:
    assert "libm.so.6" in needed_libraries(library)


@pytest.mark.parametrize("magic", [b"\x7fELF\x01\x01\x01", b"\x7fELF\x02\x02\x01", b"MZ"])
def test_what_is_not_64_bit_little_endian_elf_is_refused(library: bytes, magic: bytes) -> None:
    with pytest.raises(ElfError, match="elf: wanted 7f454c46020101"):
        parse_sections(magic + library[len(magic) :])


def test_each_shorter_file_is_sections_or_refused(library: bytes) -> None:
    # The section table comes last, so no shorter file has all of it.
    for size in range(0, len(library), 97):
        with pytest.raises(ElfError):
            parse_sections(library[:size])


@given(st.data())
def test_a_changed_header_is_sections_or_refused(library: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, 63))
    other = library[:at] + bytes([data.draw(st.integers(0, 255))]) + library[at + 1 :]
    with contextlib.suppress(ElfError):
        needed_libraries(other)


@given(st.binary(max_size=300))
def test_any_bytes_are_sections_or_refused(data: bytes) -> None:
    for header in (b"", b"\x7fELF\x02\x01\x01"):
        with contextlib.suppress(ElfError):
            needed_libraries(header + data)
