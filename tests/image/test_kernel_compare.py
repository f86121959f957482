# SPDX-License-Identifier: Apache-2.0
"""What a kernel consists of is counted from its files, and a file of another form is refused."""

import lzma
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.errors import ImageError
from image.kernel_compare import (
    ELF_HEADER,
    ELF_SECTION,
    KernelFileError,
    code_bytes,
    measure,
    payload,
    table,
    unpack,
)

CODE = bytes(range(1, 101))


def elf(*sections: tuple[int, int, bytes]) -> bytes:
    """An ELF-64 file of sections, each with its type, flags and content."""
    at = ELF_HEADER.size
    rows, body = b"", b""
    for kind, flags, content in sections:
        rows += ELF_SECTION.pack(0, kind, flags, 0, at + len(body), len(content), 0, 0, 0, 0)
        body += content
    header = (b"\x7fELF\x02\x01\x01".ljust(16, b"\0"), 2, 62, 1, 0, 0, at + len(body))
    return ELF_HEADER.pack(*header, 0, 64, 0, 0, 64, len(sections), 0) + body + rows


def bzimage(packed: bytes, sectors: int = 4) -> bytes:
    """A kernel file with this program in it, right behind the setup code."""
    setup = bytearray((sectors + 1) * 512)
    setup[0x1F1] = sectors
    setup[0x202:0x206] = b"HdrS"
    setup[0x248:0x250] = struct.pack("<II", 16, len(packed) + 4)
    return bytes(setup) + bytes(16) + packed + struct.pack("<I", 0) + b"behind"


def test_the_program_is_found_in_a_kernel() -> None:
    assert payload(bzimage(b"packed")) == b"packed"


def test_a_file_without_the_boot_header_is_refused() -> None:
    with pytest.raises(KernelFileError, match="HdrS"):
        payload(bytes(4096))


def test_a_program_that_lies_outside_is_refused() -> None:
    with pytest.raises(KernelFileError):
        payload(bzimage(b"packed")[:-12])


def test_code_that_is_loaded_counts() -> None:
    assert code_bytes(elf((1, 6, CODE))) == len(CODE)


@pytest.mark.parametrize(("kind", "flags"), [(1, 2), (1, 4), (1, 3), (8, 6)])
def test_what_is_not_code_or_not_loaded_does_not_count(kind: int, flags: int) -> None:
    assert code_bytes(elf((kind, flags, CODE), (1, 6, CODE))) == len(CODE)


@pytest.mark.parametrize("filling", [b"\0", b"\xcc"])
def test_what_fills_a_huge_page_does_not_count(filling: bytes) -> None:
    assert code_bytes(elf((1, 6, CODE + filling * 8192 + CODE))) == 2 * len(CODE)


@given(st.binary(max_size=256))
def test_any_bytes_are_a_program_or_refused(data: bytes) -> None:
    for read in (payload, code_bytes):
        with pytest.raises(KernelFileError):
            read(data)


@given(st.binary(max_size=64))
def test_any_bytes_are_unpacked_or_refused(data: bytes) -> None:
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return
    try:
        unpack(data)
    except ImageError:
        return
    assert data.startswith((b"\x7fELF", b"\xfd7zXZ\0"))


def test_a_kernel_is_counted_with_its_configuration_and_modules(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(bzimage(lzma.compress(elf((1, 6, CODE)))))
    (tmp_path / "config").write_text("CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=1\n")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "b.ko.xz").write_bytes(lzma.compress(elf((1, 6, CODE * 2))))
    (tmp_path / "lib" / "c.ko").write_bytes(elf((1, 6, CODE)))
    surface = measure(tmp_path / "vmlinuz")
    assert surface.file_bytes == (tmp_path / "vmlinuz").stat().st_size
    assert (surface.code_bytes, surface.module_code_bytes) == (100, 300)
    assert (surface.symbols_built_in, surface.symbols_as_modules, surface.modules) == (1, 1, 2)
    assert "| modules | 2 | 2 |" in table(surface, surface)
