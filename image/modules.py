# SPDX-License-Identifier: Apache-2.0
"""The modules that the guest needs of Debian's kernel, in the order in which they can be loaded.

The image's own kernel has everything built in and loads no module. Of Debian's, PID 1 loads those
of `WANTED` and what they depend on (`guest.boot.modules`), and then shuts that door. A module names
what it depends on in its section .modinfo (kernel: include/linux/moduleinfo.h).
"""

import lzma
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from image import cpio
from image.cpio import Entry
from image.elf import parse_sections
from image.errors import ImageError

FOLDER: Final = "usr/lib/kmod"
ORDER: Final = f"{FOLDER}/order"
SUFFIX: Final = ".ko.xz"
MODULE_MAX_BYTES: Final = 64 * 1024**2

WANTED: Final = (
    "configfs",
    "tsm",
    "sev_guest",
    "tdx_guest",
    "vmw_vsock_virtio_transport",
    "virtio_blk",
)


class ModuleError(ImageError):
    """A module is not in the kernel's package, or not as modules are."""


def plain(name: str) -> str:
    """Return the name that the kernel gives a module: with "_" for "-"."""
    return name.replace("-", "_")


def depends(module: bytes) -> tuple[str, ...]:
    """Return the modules that this one needs loaded first.

    Raises:
        ModuleError: it says nothing of that.
    """
    info = b"".join(part.data for part in parse_sections(module) if part.name == ".modinfo")
    rows = [row for row in info.split(b"\0") if row.startswith(b"depends=")]
    if len(rows) != 1:
        raise ModuleError(f"modinfo: wanted one row of dependencies, got {len(rows)}")
    names = rows[0].removeprefix(b"depends=").decode("ascii").split(",")
    return tuple(plain(name) for name in names if name)


def unpack(data: bytes) -> bytes:
    """Return a module without its compression.

    Raises:
        ModuleError: it is not compressed with xz, or too large.
    """
    try:
        module = lzma.LZMADecompressor().decompress(data, MODULE_MAX_BYTES)
    except lzma.LZMAError as error:
        raise ModuleError(f"module: wanted xz, got {error}") from error
    if len(module) == MODULE_MAX_BYTES:
        raise ModuleError(f"module: wanted fewer than {MODULE_MAX_BYTES} bytes, got more")
    return module


def in_order(wanted: tuple[str, ...], needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the modules and all they depend on, each after those that it needs.

    Raises:
        ModuleError: two need each other.
    """
    done: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ModuleError(f"{name}: wanted an order, got {' needs '.join(above)}")
        for other in needs[name] if name not in done else ():
            visit(other, (*above, name))
        if name not in done:
            done.append(name)

    for name in wanted:
        visit(name, ())
    return tuple(done)


def entries(kernel: Path) -> Iterator[Entry]:
    """Yield the modules and their order, out of the folder that `image.kernel_build` laid out.

    Raises:
        ModuleError: one of them is not there.
    """
    paths = {plain(path.name.removesuffix(SUFFIX)): path for path in kernel.rglob(f"*{SUFFIX}")}
    data: dict[str, bytes] = {}
    waiting = list(WANTED)
    while waiting:
        name = waiting.pop()
        if name not in paths:
            raise ModuleError(f"{name}: wanted this module in {kernel}, got none")
        if name not in data:
            data[name] = unpack(paths[name].read_bytes())
            waiting += depends(data[name])
    order = in_order(WANTED, {name: depends(module) for name, module in data.items()})
    yield from (cpio.file(f"{FOLDER}/{name}.ko", data[name]) for name in order)
    yield cpio.file(ORDER, "".join(f"{name}.ko\n" for name in order).encode())
