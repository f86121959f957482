# SPDX-License-Identifier: Apache-2.0
"""Fetch the packages of a lock, or, deliberately, write a lock anew.

The rule that holds here: what `fetch` returns has the size and SHA-256 of the lock, or nothing is
returned. Packages are kept by digest under ``$XDG_CACHE_HOME/sealroom/debs``; the cache is a
convenience, and what lies in it is hashed again at each use.

    python -m image.fetch image/locks/rootfs.json            # fetch and verify
    python -m image.fetch --refresh image/locks/rootfs.json  # resolve rootfs.in again

A lock is resolved from the list beside it (``NAME.in``): lines of a suite and a package, where
``+package`` means the package and all it depends on. A refresh changes what is measured: it is
reviewed like code.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from image.apt import SUITES, Apt, AptError, open_apt
from image.errors import ImageError
from image.lock import Package, load_lock, lock_text

# apt-get is asked for this many packages at a time, so that it can be said how far it is.
BATCH_ITEMS = 24
INDEX_FIELDS = ("Version", "Architecture", "Size", "SHA256")


class FetchError(ImageError):
    """A package is not to be had, or is not the one of the lock."""


def say(text: str) -> None:
    """Print a line of progress to standard error."""
    print(f"packages: {text}", file=sys.stderr, flush=True)


def cache_folder() -> Path:
    """Return where packages are kept between builds (XDG: a relative path counts as unset)."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path("~/.cache").expanduser()) / "sealroom" / "debs"


def difference(package: Package, path: Path) -> str | None:
    """Return what the file differs in from its lock, or None if in nothing."""
    size = path.stat().st_size
    if size != package.size:
        return f"wanted {package.size} bytes, got {size}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return None if digest == package.sha256 else f"wanted sha256 {package.sha256}, got {digest}"


def offered(apt: Apt, package: Package) -> str:
    """Return the versions that the mirror has of a package, in words."""
    try:
        rows = apt.run("apt-cache", "madison", package.name).splitlines()
    except AptError:
        rows = []
    return ", ".join(sorted({row.split("|")[1].strip() for row in rows})) or "no such package"


def download(apt: Apt, packages: Sequence[Package], folder: Path) -> dict[str, Path]:
    """Download packages by exact name and version into `folder`, unverified.

    Raises:
        FetchError: the mirror does not have one of them; names each with what it has instead.
    """
    names = [f"{package.name}:{package.arch}={package.version}" for package in packages]
    try:
        apt.run("apt-get", "download", *names, where=folder)
    except AptError as error:
        lost = [
            f"{package.name}: wanted {package.version}, the mirror has {have}"
            for package in packages
            if package.version not in (have := offered(apt, package)).split(", ")
        ]
        advice = "a lock is renewed by --refresh; an archive of old versions is named in"
        advice += " SEALROOM_DEBIAN_MIRROR"
        raise FetchError("\n".join([*lost, advice] if lost else [str(error)])) from error
    return {
        package.name: folder
        / f"{package.name}_{package.version.replace(':', '%3a')}_{package.arch}.deb"
        for package in packages
    }


def keep(package: Package, path: Path, cache: Path) -> Path:
    """Verify a downloaded package and move it to its place in the cache.

    Raises:
        FetchError: it is not the package of the lock.
    """
    if not path.is_file():
        raise FetchError(f"{package.name}: wanted {path.name} from apt, got no such file")
    if wrong := difference(package, path):
        raise FetchError(f"{package.name} {package.version}: {wrong}")
    # The cache may be on another file system, and two builds may keep the same package at once.
    place = cache / f"{package.sha256}.deb"
    with (
        path.open("rb") as file,
        tempfile.NamedTemporaryFile(dir=cache, prefix=".new-", delete=False) as new,
    ):
        shutil.copyfileobj(file, new)
    Path(new.name).chmod(0o644)
    Path(new.name).replace(place)
    path.unlink()
    return place


def fetch(lock: Path, cache: Path | None = None) -> dict[str, Path]:
    """Return the packages of a lock by name, each verified; download what the cache lacks.

    Raises:
        ImageError: the lock is not well-formed, or a package is missing or another one.
    """
    cache = cache or cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    found: dict[str, Path] = {}
    absent: dict[str, list[Package]] = {}
    for package in load_lock(lock):
        path = cache / f"{package.sha256}.deb"
        if path.is_file() and difference(package, path) is None:
            found[package.name] = path
        else:
            absent.setdefault(package.suite, []).append(package)
    for suite, packages in absent.items():
        began = time.monotonic()
        total = sum(package.size for package in packages)
        say(f"{lock.stem}: {len(packages)} of {suite} to fetch, {total / 1e6:.0f} MB")
        with tempfile.TemporaryDirectory(prefix="sealroom-apt-") as scratch:
            apt = open_apt(Path(scratch) / "apt", suite)
            for start in range(0, len(packages), BATCH_ITEMS):
                batch = packages[start : start + BATCH_ITEMS]
                paths = download(apt, batch, Path(scratch))
                for package in batch:
                    found[package.name] = keep(package, paths[package.name], cache)
                done = start + len(batch)
                say(f"{lock.stem}: {done}/{len(packages)} {time.monotonic() - began:.0f} s")
    return found


def parse_wanted(text: str) -> dict[str, list[str]]:
    """Return what a list beside a lock asks for: by suite, names, "+" before those with closure.

    Raises:
        FetchError: a line is not a suite and a name.
    """
    wanted: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        if (
            len(words) != 2
            or words[0] not in SUITES
            or not re.fullmatch(r"\+?[a-z0-9][a-z0-9.+-]+", words[1])
        ):
            raise FetchError(f"list: wanted 'SUITE [+]PACKAGE', got {line!r}")
        wanted.setdefault(words[0], []).append(words[1])
    return wanted


def resolve(apt: Apt, wanted: Iterable[str]) -> list[Package]:
    """Return what the suite's signed index says now of the wanted packages.

    Raises:
        ImageError: a package is not in the suite or its entry lacks a field.
    """
    names = {name for name in wanted if not name.startswith("+")}
    closures = [name[1:] for name in wanted if name.startswith("+")]
    if closures:
        plan = apt.run("apt-get", "install", "--simulate", *closures)
        names |= set(re.findall(r"^Inst (\S+)", plan, re.MULTILINE))
    shown = apt.run("apt-cache", "show", "--no-all-versions", *sorted(names))
    index: dict[str, dict[str, str]] = {}
    for stanza in shown.split("\n\n"):
        entry = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", stanza, re.MULTILINE))
        index[entry.get("Package", "")] = entry
    packages = []
    for name in sorted(names):
        entry = index.get(name, {})
        if absent := [field for field in INDEX_FIELDS if field not in entry]:
            raise FetchError(f"{name} ({apt.suite}): wanted {absent} in the index, got none")
        version, arch, size, sha256 = (entry[field] for field in INDEX_FIELDS)
        # "Source: name (version)" where the versions differ; absent where the names agree.
        source = entry.get("Source", name).split()[0]
        packages.append(Package(name, version, arch, apt.suite, int(size), sha256, source))
    return packages


def refresh(lock: Path) -> None:
    """Write `lock` anew from the list beside it and print what changed.

    Raises:
        ImageError: the list is not well-formed or a package is not to be had.
    """
    wanted = parse_wanted(lock.with_suffix(".in").read_text())
    before = {package.name: package for package in load_lock(lock)} if lock.exists() else {}
    after: dict[str, Package] = {}
    for suite, names in wanted.items():
        with tempfile.TemporaryDirectory(prefix="sealroom-apt-") as scratch:
            for package in resolve(open_apt(Path(scratch) / "apt", suite), names):
                if package.name in after:
                    raise FetchError(f"{package.name}: wanted from one suite, got from two")
                after[package.name] = package
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new:
            say(f"{name}: {old.version if old else '-'} -> {new.version if new else '-'}")
    lock.write_text(lock_text(list(after.values())))
    say(f"{lock}: {len(after)} packages, {sum(p.size for p in after.values()) / 1e6:.1f} MB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch or refresh the locks that are named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("lock", type=Path, nargs="+", help="such as image/locks/rootfs.json")
    parser.add_argument("--refresh", action="store_true", help="resolve the list again")
    options = parser.parse_args(arguments)
    try:
        for lock in options.lock:
            if options.refresh:
                refresh(lock)
            else:
                say(f"{lock.stem}: {len(fetch(lock))} verified")
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
