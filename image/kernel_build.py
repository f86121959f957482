# SPDX-License-Identifier: Apache-2.0
"""Build the kernels of the image from Debian's source, the same bytes everywhere.

The rule that holds here: a bzImage depends on the lock of the source, the lock of the tools, the
fragments, the patches, our two files of C and ASL, and this file; nothing else reaches the build,
which runs in the tool root at fixed paths. One object tree serves all variants: what differs
between them is compiled again, the rest is not. A kernel whose configuration is not exactly what
was asked for is not built.

    python -m image.kernel_build                       # production
    python -m image.kernel_build --variant research
    python -m image.kernel_build --variant debian      # Debian's own, for comparison
"""

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from image.deb import Kind, entries, merged_usr
from image.errors import ImageError
from image.fetch import fetch
from image.kernel_config import (
    FRAGMENTS,
    VARIANTS,
    ConfigError,
    differences,
    load_requested,
    parse_resolved,
    parse_symbols,
)
from image.lock import Package, load_lock
from image.toolroot import LOCK as TOOLS_LOCK
from image.toolroot import Mount, run

LOCK = Path("image/locks/kernel.json")
PATCHES = Path("image/kernel/patches")
GLUE = Path("image/kernel/sealroom")
DSDT = Path("image/acpi/dsdt.asl")
KERNELS = Path("build/image/kernel")
DEBIAN = "debian"

SOURCE_PACKAGE = "linux-source-6.12"
SOURCE_TARBALL = "usr/src/linux-source-6.12.tar.xz"
# Most of the source is for machines that a guest never is. Kconfig files and Makefiles stay.
LEFT_OUT_FOLDERS = ("Documentation/*/*", "samples/*/*", "sound/*.[ch]", "tools/testing/*")
LEFT_OUT_DRIVERS = (
    *("ata", "clk", "comedi", "crypto", "edac", "gpu", "hid", "hwmon", "i2c", "iio", "infiniband"),
    *("input", "md", "media", "mfd", "mmc", "mtd", "net/ethernet", "net/wireless", "phy"),
    *("pinctrl", "power", "regulator", "scsi", "soc", "spi", "staging", "target", "usb", "video"),
)
LEFT_OUT_PROCESSORS = ("arm", "arm64", "mips", "powerpc", "riscv", "s390", "sparc")

SOURCE_MOUNT = "/build/source"
OBJECTS_MOUNT = "/build/objects"
RECIPE_MOUNT = "/build/recipe"
# Kbuild would put user, host, date and a count of builds into the kernel.
KBUILD_ENVIRONMENT = {
    "KBUILD_BUILD_HOST": "sealroom",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "sealroom",
    "KBUILD_BUILD_VERSION": "1",
}
MAKE = ("make", "--no-print-directory", "-C", SOURCE_MOUNT, f"O={OBJECTS_MOUNT}")
PROGRESS_OBJECTS = 100


class KernelError(ImageError):
    """A kernel cannot be built; the text says what is missing."""


def say(text: str) -> None:
    """Print a line of progress to standard error."""
    print(f"kernel: {text}", file=sys.stderr, flush=True)


def build(variant: str, out: Path = KERNELS) -> Path:
    """Return the bzImage of a variant, or the vmlinuz of Debian's; built if it is not there.

    Raises:
        ImageError: an input is missing or another one than locked, the configuration is not what
            was asked for, or the build failed.
    """
    package = package_of(DEBIAN if variant == DEBIAN else SOURCE_PACKAGE)
    folder = out / variant
    stamp = folder / ".made"
    kernel = folder / ("vmlinuz" if variant == DEBIAN else "bzImage")
    key = input_key(variant, package)
    if stamp.is_file() and kernel.is_file() and stamp.read_text() == key:
        return kernel
    began = time.monotonic()
    stamp.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    if variant == DEBIAN:
        lay_debian(package, folder)
    else:
        make_kernel(variant, out, folder)
    stamp.write_text(key)
    size = kernel.stat().st_size
    say(f"{variant}: {kernel}, {size} bytes, {time.monotonic() - began:.0f} s")
    return kernel


def package_of(prefix: str) -> Package:
    """Return the locked package of the source, or of Debian's kernel."""
    wanted = "linux-image-" if prefix == DEBIAN else prefix
    found = [package for package in load_lock(LOCK) if package.name.startswith(wanted)]
    if len(found) != 1:
        raise KernelError(f"{LOCK}: wanted one {wanted}, got {len(found)}")
    return found[0]


def input_key(variant: str, package: Package) -> str:
    """Return the digest of all that a variant depends on."""
    digest = hashlib.sha256(f"{variant} {package.sha256}".encode())
    inputs = [Path(__file__)]
    if variant != DEBIAN:
        names = [f"{name}.config" for name in VARIANTS[variant]]
        inputs += [TOOLS_LOCK, *source_inputs()]
        inputs += [*sorted(FRAGMENTS.glob("[0-9]*.config")), *(FRAGMENTS / name for name in names)]
    for path in inputs:
        digest.update(f"\0{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def source_inputs() -> list[Path]:
    """Return what of ours goes into the source tree, in the order in which patches apply."""
    return [*sorted(PATCHES.glob("*.patch")), *sorted(GLUE.iterdir()), DSDT]


def prepare_source(out: Path) -> Path:
    """Return the source tree with our patches and files, unpacked if it is not there.

    Raises:
        ImageError: the package is not to be had, or a patch does not apply.
    """
    tree = out / "source"
    stamp = out / "source.made"
    digest = hashlib.sha256(package_of(SOURCE_PACKAGE).sha256.encode())
    for path in (Path(__file__), *source_inputs()):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    key = digest.hexdigest()
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
        *(f"arch/{name}/*" for name in LEFT_OUT_PROCESSORS),
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


def make_kernel(variant: str, out: Path, folder: Path) -> None:
    """Configure and compile a variant into `folder`.

    Raises:
        ImageError: the configuration is not what was asked for, or the build failed.
    """
    tree = prepare_source(out)
    objects = out / "objects"
    objects.mkdir(exist_ok=True)
    mounts = (Mount(tree, SOURCE_MOUNT), Mount(objects, OBJECTS_MOUNT, True))
    log = folder / "build.log"

    def make(target: str, *words: str) -> None:
        done = 0

        def count(line: str) -> None:
            nonlocal done
            done += line.startswith("  CC ")
            if done % PROGRESS_OBJECTS == 0 and line.startswith("  CC "):
                say(f"{variant}: {done} objects")

        run([*MAKE, *words, target], mounts=mounts, log=log, env=KBUILD_ENVIRONMENT, on_line=count)

    requested = load_requested(variant)
    make("tinyconfig")
    with (objects / ".config").open("a") as config:
        config.writelines(f"{name}={value}\n" for name, value in requested.items())
    make("olddefconfig")
    resolved = parse_resolved((objects / ".config").read_text())
    if wrong := differences(requested, resolved, known_symbols(tree)):
        raise ConfigError("\n".join(["configuration: not what was asked for", *wrong]))
    say(f"{variant}: {len(resolved)} symbols set, {len(requested)} of them asked for")
    make("bzImage", f"-j{len(os.sched_getaffinity(0))}")
    for source, name in (("arch/x86/boot/bzImage", "bzImage"), ("System.map", "System.map")):
        shutil.copyfile(objects / source, folder / name)
    shutil.copyfile(objects / ".config", folder / "config")


def known_symbols(tree: Path) -> set[str]:
    """Return every symbol that the source can be asked for."""
    files = tree.rglob("Kconfig*")
    return set().union(*(parse_symbols(file.read_text("utf-8")) for file in files))


def lay_debian(package: Package, folder: Path) -> None:
    """Lay Debian's kernel out: vmlinuz, config, and lib/modules as the package has it.

    Raises:
        ImageError: the package is not to be had.
    """
    for entry in entries(fetch(LOCK)[package.name]):
        name = merged_usr(entry.path).removeprefix("usr/")
        if entry.kind is Kind.FILE and name.startswith("boot/"):
            (folder / Path(name).name.partition("-")[0]).write_bytes(entry.data)
        elif entry.kind is Kind.FILE and name.startswith("lib/modules/"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(entry.data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the variants that are named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--variant", choices=[*VARIANTS, DEBIAN], action="append")
    parser.add_argument("--out", type=Path, default=KERNELS)
    options = parser.parse_args(arguments)
    try:
        for variant in options.variant or ["production"]:
            kernel = build(variant, options.out)
            print(f"{hashlib.sha256(kernel.read_bytes()).hexdigest()}  {kernel}")
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
