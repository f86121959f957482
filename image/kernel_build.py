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
    python -m image.kernel_build --compare             # what each of the two consists of
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from image.deb import Kind, entries, merged_usr
from image.errors import ImageError
from image.fetch import fetch
from image.kernel_compare import measure, table
from image.kernel_config import (
    FRAGMENTS,
    VARIANTS,
    ConfigError,
    differences,
    load_requested,
    parse_resolved,
)
from image.kernel_source import (
    LOCK,
    SOURCE_MOUNT,
    known_symbols,
    package_of,
    prepare_source,
    say,
    source_key,
)
from image.lock import Package
from image.toolroot import Mount, run

KERNELS = Path("build/image/kernel")
DEBIAN = "debian"
DEBIAN_PACKAGE = "linux-image-"

OBJECTS_MOUNT = "/build/objects"
# Kbuild would put user, host, date and a count of builds into the kernel.
KBUILD_ENVIRONMENT = {
    "KBUILD_BUILD_HOST": "sealroom",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "sealroom",
    "KBUILD_BUILD_VERSION": "1",
}
MAKE = ("make", "--no-print-directory", "-C", SOURCE_MOUNT, f"O={OBJECTS_MOUNT}")
PROGRESS_OBJECTS = 100


def build(variant: str, out: Path = KERNELS) -> Path:
    """Return the bzImage of a variant, or the vmlinuz of Debian's; built if it is not there.

    Raises:
        ImageError: an input is missing or another one than locked, the configuration is not what
            was asked for, or the build failed.
    """
    folder = out / variant
    stamp = folder / ".made"
    kernel = folder / ("vmlinuz" if variant == DEBIAN else "bzImage")
    key = input_key(variant)
    folder.mkdir(parents=True, exist_ok=True)
    # One object tree for one build at a time; who waits finds the kernel made.
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and kernel.is_file() and stamp.read_text() == key:
            return kernel
        began = time.monotonic()
        stamp.unlink(missing_ok=True)
        if variant == DEBIAN:
            lay_debian(package_of(DEBIAN_PACKAGE), folder)
        else:
            make_kernel(variant, out, folder)
        stamp.write_text(key)
        size = kernel.stat().st_size
        say(f"{variant}: {kernel}, {size} bytes, {time.monotonic() - began:.0f} s")
        return kernel


def input_key(variant: str) -> str:
    """Return the digest of all that a variant depends on."""
    digest = hashlib.sha256(variant.encode())
    inputs = [Path(__file__)]
    if variant == DEBIAN:
        digest.update(package_of(DEBIAN_PACKAGE).sha256.encode())
    else:
        digest.update(source_key().encode())
        own = [FRAGMENTS / f"{name}.config" for name in VARIANTS[variant]]
        inputs += [*sorted(FRAGMENTS.glob("[0-9]*.config")), *own]
    for path in inputs:
        data = path.read_bytes()
        digest.update(f"\0{path.name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


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
    parser.add_argument("--compare", action="store_true", help="count ours and Debian's")
    options = parser.parse_args(arguments)
    try:
        if options.compare:
            print(table(*(measure(build(name, options.out)) for name in ("production", DEBIAN))))
            return 0
        for variant in options.variant or ["production"]:
            kernel = build(variant, options.out)
            print(f"{hashlib.sha256(kernel.read_bytes()).hexdigest()}  {kernel}")
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
