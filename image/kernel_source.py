# SPDX-License-Identifier: Apache-2.0
"""The source tree that our kernels are built from: Debian's, with our patches and files.

The rule that holds here: the tree depends on the locked package, on the locked tools, on the
patches and files of image/kernel and image/acpi, and on this file. It is unpacked, patched and
completed in the tool root, and left alone after that: builds see it read-only. With it go the
objects that were compiled from it, so that no kernel is made of those of two compilers.
"""

import hashlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

from image.deb import entries
from image.errors import ImageError
from image.fetch import fetch
from image.kernel_config import parse_symbols
from image.lock import Package, load_lock
from image.toolroot import LOCK as TOOLS_LOCK
from image.toolroot import Mount, run

LOCK = Path("image/locks/kernel.json")
PATCHES = Path("image/kernel/patches")
GLUE = Path("image/kernel/sealroom")
DSDT = Path("image/acpi/dsdt.asl")

SOURCE_PACKAGE = "linux-source-6.12"
SOURCE_TARBALL = "usr/src/linux-source-6.12.tar.xz"
# Most of the source is for machines that a guest never is. Kconfig files and Makefiles stay.
LEFT_OUT_FOLDERS = ("Documentation/*/*", "samples/*.[chS]", "sound/*.[ch]", "tools/testing/*")
LEFT_OUT_DRIVERS = (
    *("ata", "clk", "comedi", "crypto", "edac", "gpu", "hid", "hwmon", "i2c", "iio", "infiniband"),
    *("input", "md", "media", "mfd", "mmc", "mtd", "net/ethernet", "net/wireless", "phy"),
    *("pinctrl", "power", "regulator", "scsi", "soc", "spi", "staging", "target", "usb", "video"),
)
LEFT_OUT_PROCESSORS = ("arm", "arm64", "mips", "powerpc", "riscv", "s390", "sparc")

SOURCE_MOUNT = "/build/source"
RECIPE_MOUNT = "/build/recipe"


class KernelError(ImageError):
    """A kernel cannot be built; the text says what is missing."""


def say(text: str) -> None:
    """Print a line of progress to standard error."""
    print(f"kernel: {text}", file=sys.stderr, flush=True)


def package_of(prefix: str) -> Package:
    """Return the one locked package whose name begins so.

    Raises:
        KernelError: there is none, or more than one.
    """
    found = [package for package in load_lock(LOCK) if package.name.startswith(prefix)]
    if len(found) != 1:
        raise KernelError(f"{LOCK}: wanted one {prefix}, got {len(found)}")
    return found[0]


def source_inputs() -> list[Path]:
    """Return what of ours goes into the source tree, in the order in which patches apply."""
    return [*sorted(PATCHES.glob("*.patch")), *sorted(GLUE.iterdir()), DSDT]


def source_key() -> str:
    """Return the digest of all that the tree depends on."""
    digest = hashlib.sha256(package_of(SOURCE_PACKAGE).sha256.encode())
    for path in (Path(__file__), TOOLS_LOCK, *source_inputs()):
        data = path.read_bytes()
        digest.update(f"\0{path.name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def prepare_source(out: Path) -> Path:
    """Return the source tree with our patches and files, unpacked if it is not there.

    Raises:
        ImageError: the package is not to be had, or a patch does not apply.
    """
    tree = out / "source"
    stamp = out / "source.made"
    key = source_key()
    if stamp.is_file() and stamp.read_text() == key:
        return tree
    began = time.monotonic()
    stamp.unlink(missing_ok=True)
    for stale in (tree, out / "objects"):
        shutil.rmtree(stale, ignore_errors=True)
    deb = fetch(LOCK)[SOURCE_PACKAGE]
    unpack_source(deb, tree, out / "source.log")
    shutil.copytree(GLUE, tree / "drivers/virt/coco/sealroom")
    (tree / "include/sealroom").mkdir()
    mounts = (Mount(tree, SOURCE_MOUNT, True), Mount(Path("image"), RECIPE_MOUNT))
    log = out / "source.log"
    for patch in sorted(PATCHES.glob("*.patch")):
        at = f"{RECIPE_MOUNT}/{patch.relative_to('image')}"
        words = [
            "patch",
            "--batch",
            "--fuzz=0",
            "-p1",
            f"--directory={SOURCE_MOUNT}",
            f"--input={at}",
        ]
        run(words, mounts=mounts, log=log)
    prefix = f"{SOURCE_MOUNT}/include/sealroom/dsdt"
    run(["iasl", "-p", prefix, "-tc", f"{RECIPE_MOUNT}/acpi/dsdt.asl"], mounts=mounts, log=log)
    stamp.write_text(key)
    say(f"source: {tree}, {time.monotonic() - began:.0f} s")
    return tree


def unpack_source(deb: Path, tree: Path, log: Path) -> None:
    """Unpack what of Debian's source an x86 guest is made from, in the tool root.

    Raises:
        ImageError: the package is not what it should be, or tar failed.
    """
    tree.mkdir(parents=True)
    left_out = [
        *LEFT_OUT_FOLDERS,
        *(f"drivers/{name}/*.[chS]" for name in LEFT_OUT_DRIVERS),
        *(f"arch/{name}/*.{kind}" for name in LEFT_OUT_PROCESSORS for kind in ("[chS]", "dts*")),
    ]
    with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
        tarball = Path(scratch) / "source.tar.xz"
        tarball.write_bytes(
            next(entry.data for entry in entries(deb) if entry.path == SOURCE_TARBALL)
        )
        words = ["tar", f"--directory={SOURCE_MOUNT}", "--strip-components=1", "--no-same-owner"]
        words += [f"--exclude=linux-source-*/{pattern}" for pattern in left_out]
        words += ["--extract", f"--file={RECIPE_MOUNT}/{tarball.name}"]
        mounts = (Mount(tree, SOURCE_MOUNT, True), Mount(Path(scratch), RECIPE_MOUNT))
        run(words, mounts=mounts, log=log)


def known_symbols(tree: Path) -> set[str]:
    """Return every symbol that the source can be asked for."""
    files = tree.rglob("Kconfig*")
    return set().union(*(parse_symbols(file.read_text("utf-8")) for file in files))
