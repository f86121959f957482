# SPDX-License-Identifier: Apache-2.0
"""Run the unit tests with the image's own Python, from the very files that are in the image.

The rule that holds here: every path of the production image's archive stands in the root in which
the tests run, with its bytes, and nothing stands before it. Beside them comes only what tests need
and the guest does not, where the image has no such path: the rest of the standard library from the
same locked package, of the guest's own wheels what was left out, the modules of `attest` that only
a device runs, and pytest with its wheels (image/locks/test-wheels.txt). Not OpenSSL for hashlib and
ssl: the image has none, and that is part of what is tested. `attest`, `wire`, `guest` and
`guestapi` are imported from the image, never from the checkout; `image/inside.py` looks after it.

    python -m image.interpreter                    # all of ROOMS, and LEFT_OUT is tried
    python -m image.interpreter tests/wire -k chunk
"""

import argparse
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from image import deb
from image.cpio import Entry, read_cpio
from image.errors import ImageError
from image.fetch import fetch
from image.inside import Task
from image.layout import OURS, PACKAGES, PYTHON, STDLIB
from image.toolroot import OUTER_ENVIRONMENT, Mount, command
from image.wheels import Pin, fetch_wheels, package_files, parse_pins, refresh

ARCHIVE = Path("build/image/tree/initrd.cpio")
ROOTFS = Path("image/locks/rootfs.json")
TEST_WHEELS = Path("image/locks/test-wheels.txt")
TEST_SOURCE = Path("requirements/dev.txt")
ROOT = Path("build/image/interpreter")
CHECKOUT = "/build/checkout"

ROOMS = ("tests/attest", "tests/wire", "tests/guest")
QUICK = "not slow and not interop and not sweep and not hardware and not boot"
# By name, because the wheels are laid out without the metadata in which pytest would look.
PLUGINS = ("-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider")
# The checkout comes last on the path (ADDED_FILES), so that what is in the image is found there.
PATHS = ("-o", "pythonpath=")
INSIDE = Path(__file__).with_name("inside.py")
# What the tests read of the checkout. Not the four packages that are in the image. The model is not
# there before `make model`; tests that need it fail then, and say so.
FOLDERS = ("build/model", "docs", "examples", "lab", "sealroom", "tests")
FILES = ("pyproject.toml",)
# Native modules that bring the OpenSSL which the image does not have.
NOT_ADDED = ("_hashlib.", "_ssl.")
MOUNTED = ("build", "dev", "proc", "tmp")

# Tests that need more than Python and packages: why, and what their failure says. A row whose test
# does not fail like that is refused.
LEFT_OUT = {
    "tests/guest/test_seccomp.py::test_the_numbers_are_the_kernels": (
        "reads the kernel's headers",
        "No such file or directory: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h'",
    ),
}
# Files that a test looks for, or needs to be found by a second interpreter: see site(3) for .pth.
ADDED_FILES = {
    "etc/group": b"root:x:0:\n",
    "etc/passwd": b"root:x:0:0:root:/:/init\n",
    f"{PACKAGES}/checkout.pth": CHECKOUT.encode() + b"\n",
}


class InterpreterError(ImageError):
    """The image was not built, or its files cannot be laid out for the tests."""


def say(text: str) -> None:
    """Print a line of progress to standard error."""
    print(f"interpreter: {text}", file=sys.stderr, flush=True)


def write_entry(root: Path, entry: Entry) -> None:
    """Write one entry of the image below `root`, with its mode."""
    path = root / entry.path
    if entry.kind == stat.S_IFDIR:
        path.mkdir(parents=True, exist_ok=True)
    elif entry.kind == stat.S_IFLNK:
        path.symlink_to(entry.data.decode())
    else:
        path.write_bytes(entry.data)
        path.chmod(entry.permissions)


def check_fresh(entries: Iterable[Entry], checkout: Path) -> None:
    """Check that our modules in the image are those of the checkout, whose tests are to be run.

    Raises:
        InterpreterError: one of them is another.
    """
    for entry in entries:
        path = entry.path.removeprefix(f"{PACKAGES}/")
        if path.startswith(tuple(f"{name}/" for name in OURS)) and path.endswith(".py"):
            here = checkout / path
            if not here.is_file() or here.read_bytes() != entry.data:
                raise InterpreterError(f"{path}: wanted it as it is here (python -m image.build)")


def device_modules(checkout: Path, there: set[str]) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of our modules that the image does without."""
    for name in OURS:
        for file in sorted((checkout / name).rglob("*.py")):
            path = f"{PACKAGES}/{file.relative_to(checkout)}"
            if path not in there:
                yield path, file.read_bytes()


def metadata(pins: Iterable[Pin]) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of what tells a package its own version (importlib.metadata)."""
    for pin in pins:
        path = f"{PACKAGES}/{pin.name.replace('-', '_')}-{pin.version}.dist-info/METADATA"
        yield path, f"Metadata-Version: 2.1\nName: {pin.name}\nVersion: {pin.version}\n".encode()


def missing(
    debian: Iterable[deb.Entry], wheels: Iterable[Entry], there: set[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of what the tests need beside the paths that are `there`."""
    for entry in debian:
        path = deb.merged_usr(entry.path)
        wanted = path.startswith(f"{STDLIB}/") and entry.kind is deb.Kind.FILE
        if wanted and path not in there and not Path(path).name.startswith(NOT_ADDED):
            yield path, entry.data
    for added in wheels:
        path = f"{PACKAGES}/{added.path}"
        if path not in there:
            yield path, added.data


def lay_root(archive: Path, root: Path) -> tuple[int, int]:
    """Lay the image and what the tests add out; return how many files are of each.

    Raises:
        ImageError: the image was not built, or a package is not to be had.
    """
    if not archive.is_file():
        raise InterpreterError(f"{archive}: wanted the image's archive (python -m image.build)")
    entries = read_cpio(archive.read_bytes())
    check_fresh(entries, Path())
    for entry in entries:
        write_entry(root, entry)
    there = {entry.path for entry in entries}
    packages = sorted(fetch(ROOTFS).items())
    debian = (entry for _, path in packages for entry in deb.entries(path))
    wheels = package_files({**fetch_wheels(), **fetch_wheels(TEST_WHEELS)})
    added = 0
    versions = metadata(parse_pins(TEST_WHEELS.read_text()))
    beside = [*missing(debian, wheels, there), *device_modules(Path(), there), *versions]
    for path, data in (*beside, *ADDED_FILES.items()):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
        added += 1
    for name in MOUNTED:
        (root / name).mkdir(exist_ok=True)
    return sum(entry.kind == stat.S_IFREG for entry in entries), added


def inner_command(root: Path, checkout: Path, task: Task) -> list[str]:
    """Return the command that runs `image/inside.py` in the root, in the folder `checkout`."""
    mounts = [Mount(checkout, CHECKOUT, writable=True)]
    there = [name for name in FOLDERS if Path(name).is_dir()]
    mounts += [Mount(Path(name), f"{CHECKOUT}/{name}") for name in there]
    argv = [f"/{PYTHON}", "-B", "-c", INSIDE.read_text(), json.dumps(task)]
    return command(argv, root=root, mounts=mounts, real_users=os.getuid() == 0)


def make_task(rooms: Sequence[str], more: Sequence[str]) -> Task:
    """Return what is to be done inside: all rooms with a check of LEFT_OUT, or some tests."""
    plugins = [*PLUGINS, *PATHS, "-m", QUICK]
    less = [f"--{'deselect' if '::' in name else 'ignore'}={name}" for name in LEFT_OUT]
    return {
        "checkout": CHECKOUT,
        "packages": f"/{PACKAGES}",
        "ours": OURS,
        "plugins": plugins,
        "left_out": {} if rooms or more else {name: says for name, (_, says) in LEFT_OUT.items()},
        "tests": [*(rooms or ROOMS), *less, *more],
    }


def run_tests(rooms: Sequence[str], more: Sequence[str]) -> int:
    """Run pytest with the image's interpreter; return its exit status.

    Raises:
        ImageError: the image was not built, or a package is not to be had.
    """
    ROOT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT.parent, prefix=f".{ROOT.name}-") as scratch:
        root, checkout = Path(scratch) / "root", Path(scratch) / "checkout"
        root.mkdir()
        checkout.mkdir()
        for name in FILES:
            shutil.copyfile(name, checkout / name)
        ours, added = lay_root(ARCHIVE, root)
        say(f"{ours} files of the image, {added} beside them for the tests")
        for name, (reason, _) in LEFT_OUT.items():
            say(f"left out: {name}: {reason}")
        words = inner_command(root, checkout, make_task(rooms, more))
        return subprocess.run(words, env=OUTER_ENVIRONMENT, check=False).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests of the named rooms, or of ROOMS, with pytest's own options behind them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--refresh", action="store_true", help="lock the tests' wheels again")
    options, rest = parser.parse_known_args(arguments)
    rooms = [word for word in rest if word.startswith("tests/")]
    try:
        if options.refresh:
            refresh(TEST_WHEELS, TEST_SOURCE)
            return 0
        return run_tests(rooms, [word for word in rest if word not in rooms])
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
