# SPDX-License-Identifier: Apache-2.0
"""A small release, minted: attest can measure its files, QEMU can read them, and nothing runs."""

import struct
from pathlib import Path

from tests.attest import ovmf
from tests.attest.tdx.launch import pe

CMDLINE = "quiet sealroom.model=sha256:00:512 odd=\"a <b> & 'c'\""
FIRMWARE_BYTES = 64 * 1024  # QEMU wants a multiple of it


def mint_kernel() -> bytes:
    """A PE image that has a header of Linux's boot protocol 2.15 too."""
    kernel = bytearray(pe.mint(((pe.HEADERS, 0x1000),)))
    kernel[0x1F1] = 1  # sectors of setup
    struct.pack_into("<H", kernel, 0x1FE, 0xAA55)
    kernel[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", kernel, 0x206, 0x020F)
    kernel[0x211] = 1  # loaded high
    struct.pack_into("<I", kernel, 0x22C, 0x7FFFFFFF)  # where an initrd may end
    return bytes(kernel)


def mint_release(folder: Path, *, cmdline: str = CMDLINE) -> Path:
    """Write a release with one variant, and a configuration beside it."""
    variant = folder / "production"
    variant.mkdir(parents=True)
    (variant / "vmlinuz").write_bytes(mint_kernel())
    (variant / "initrd").write_bytes(b"an initrd")
    (variant / "cmdline").write_text(cmdline, encoding="ascii")
    # A firmware is read from its end.
    (folder / "ovmf-amdsev.fd").write_bytes(ovmf.snp().rjust(FIRMWARE_BYTES, b"\0"))
    (folder / "ovmf-tdx.fd").write_bytes(ovmf.tdx().rjust(FIRMWARE_BYTES, b"\0"))
    (folder / "model.gguf").write_bytes(b"GGUF".ljust(512, b"\0"))
    (folder / "config.img").write_bytes(b"limits: none\n".ljust(512, b"\0"))
    return folder
