# SPDX-License-Identifier: Apache-2.0
"""What our production kernel and Debian's cloud kernel consist of, counted alike.

The rule that holds here: every figure is read from the files that are booted (the kernel's
configuration, its modules, the program inside the bzImage), not from the recipe. What only a boot
shows, such as the number of system calls, is asked by tests/boot/test_kernel.py.

    python -m image.kernel_build --compare
"""

import lzma
import re
import struct
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

from image.errors import ImageError
from image.kernel_config import parse_resolved
from image.toolroot import Mount, run

# Linux Documentation/arch/x86/boot.rst: offsets in a bzImage.
SETUP_SECTORS = 0x1F1
MAGIC = (0x202, b"HdrS")
PAYLOAD = 0x248  # offset and length, 32 bits each
SECTOR_BYTES = 512
SIZE_BYTES = 4  # the length of the unpacked program, behind it
ELF, XZ, ZSTD = b"\x7fELF", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"

# System V ABI, ELF-64: the header and a section's.
ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
ELF_SECTION = struct.Struct("<IIQQQQIIQQ")
SHT_PROGBITS = 1
SHF_ALLOC = 2
SHF_EXECINSTR = 4
FILLING = re.compile(rb"\0{4096,}|\xcc{4096,}")


@dataclass(frozen=True, slots=True)
class Surface:
    """What a kernel has that can be wrong; of modules, every one that can be loaded counts."""

    file_bytes: int
    code_bytes: int
    module_code_bytes: int
    symbols_built_in: int
    symbols_as_modules: int
    modules: int


class KernelFileError(ImageError):
    """A file is not a kernel of the form that x86 boots."""


def payload(kernel: bytes) -> bytes:
    """Return the packed program in a bzImage.

    Raises:
        KernelFileError: the header is not there or points outside.
    """
    at, magic = MAGIC
    if kernel[at : at + len(magic)] != magic:
        raise KernelFileError(f"bzImage: wanted {magic!r} at {at:#x}")
    offset, length = struct.unpack_from("<II", kernel, PAYLOAD)
    start = ((kernel[SETUP_SECTORS] or 4) + 1) * SECTOR_BYTES + offset
    if length <= SIZE_BYTES or start + length > len(kernel):
        raise KernelFileError(f"bzImage: wanted {length} bytes at {start}, got {len(kernel)}")
    return kernel[start : start + length - SIZE_BYTES]


def code_bytes(elf: bytes) -> int:
    """Return how much machine code an ELF-64 file has in the sections that are loaded.

    What fills sections up, to huge pages of the kernel's text, does not count.

    Raises:
        KernelFileError: it is no such file, or its sections lie outside.
    """
    try:
        header = ELF_HEADER.unpack_from(elf)
        if header[0][:5] != ELF + b"\x02":
            raise KernelFileError("kernel: wanted ELF-64, got another file")
        offset, size, count = header[6], header[11], header[12]
        sections = [ELF_SECTION.unpack_from(elf, offset + at * size) for at in range(count)]
    except struct.error as error:
        raise KernelFileError(f"kernel: wanted ELF-64, got {error}") from error
    wanted = SHF_ALLOC | SHF_EXECINSTR
    return sum(
        len(FILLING.sub(b"", elf[section[4] : section[4] + section[5]]))
        for section in sections
        if section[1] == SHT_PROGBITS and section[2] & wanted == wanted
    )


def unpack(packed: bytes) -> bytes:
    """Return the bytes of a kernel's payload or of a module as they are loaded.

    Raises:
        ImageError: they are packed in no way that we know, or not whole.
    """
    if packed.startswith(ELF):
        return packed
    if packed.startswith(XZ):
        try:
            return lzma.decompress(packed)
        except lzma.LZMAError as error:
            raise KernelFileError(f"kernel: wanted xz, got {error}") from error
    if not packed.startswith(ZSTD):
        raise KernelFileError(f"kernel: wanted ELF, xz or zstd, got {packed[:4]!r}")
    with tempfile.TemporaryDirectory(prefix="sealroom-kernel-") as scratch:
        folder = Path(scratch)
        (folder / "packed").write_bytes(packed)
        words = ["zstd", "-dq", "/build/in/packed", "-o", "/build/in/plain"]
        run(words, mounts=[Mount(folder, "/build/in", True)], log=folder / "log")
        return (folder / "plain").read_bytes()


def measure(kernel: Path) -> Surface:
    """Count a kernel as `image.kernel_build` lays it out: config and modules lie beside it.

    Raises:
        ImageError: a file is missing or of another form.
    """
    folder = kernel.parent
    data = kernel.read_bytes()
    symbols = parse_resolved((folder / "config").read_text("utf-8")).values()
    modules = sorted(folder.rglob("*.ko*"))
    inside = sum(code_bytes(unpack(module.read_bytes())) for module in modules)
    return Surface(
        file_bytes=len(data),
        code_bytes=code_bytes(unpack(payload(data))),
        module_code_bytes=inside,
        symbols_built_in=sum(value == "y" for value in symbols),
        symbols_as_modules=sum(value == "m" for value in symbols),
        modules=len(modules),
    )


def table(ours: Surface, theirs: Surface) -> str:
    """Return both in a Markdown table."""
    rows = ["| | Sealroom | Debian cloud |", "|---|---|---|"]
    rows += [
        f"| {field.name.replace('_', ' ')} | {getattr(ours, field.name):,} "
        f"| {getattr(theirs, field.name):,} |"
        for field in fields(Surface)
    ]
    return "\n".join(rows) + "\n"
