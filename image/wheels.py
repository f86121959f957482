# SPDX-License-Identifier: Apache-2.0
"""The Python packages of the image: fetched by pip, believed by their digest, unpacked by us.

The rule that holds here: `image/locks/wheels.txt` has one digest for each package, of the one file
that goes into the image, and `requirements/guest.txt` has it too. pip only fetches; nothing is
installed, so no script, no compiled module and no record of the installation comes to be.

    python -m image.wheels             # fetch and verify
    python -m image.wheels --refresh   # take the versions of requirements/guest.txt again

llama-cpp-python has no wheel. Of its source distribution the image takes the modules of `BINDING`,
and `image.llama` builds its C++. Formats: PEP 427 (wheels), PEP 625 (source distributions).
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from image import cpio
from image.errors import ImageError
from image.fetch import cache_folder

HERE = Path(__file__).resolve().parent
LOCK = HERE / "locks" / "wheels.txt"
GUEST = HERE.parent / "requirements" / "guest.txt"
BINDING_PROJECT = "llama-cpp-python"
BINDING = ("llama_cpp/_ctypes_extensions.py", "llama_cpp/llama_cpp.py")
# The image's interpreter (image/locks/rootfs.in), and the oldest glibc whose wheels we take.
TARGET = ("--python-version", "3.13", "--implementation", "cp")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64")
FILE_MAX_BYTES = 200 * 1024**2
MEMBER_MAX_BYTES = 64 * 1024**2
MEMBERS_MAX_ITEMS = 20_000
FETCH_MAX_S = 900

_PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[0-9][0-9a-z.]*)")
_LINE = re.compile(_PIN.pattern + r" --hash=sha256:(?P<sha256>[0-9a-f]{64})")


class WheelError(ImageError):
    """A Python package is not to be had, is another one, or holds what we refuse."""


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """One file of a package: its project's name and version, and the file's digest."""

    name: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The pin as a line of a requirements file."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def parse_pins(text: str) -> tuple[Pin, ...]:
    """Return the pins of a lock, which is sorted, one line each.

    Raises:
        WheelError: it is not in that form.
    """
    pins = []
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            raise WheelError(f"lock: wanted {_LINE.pattern}, got {line!r}")
        pins.append(Pin(**found.groupdict()))
    names = [pin.name for pin in pins]
    if not names or names != sorted(set(names)) or text != pins_text(pins):
        raise WheelError(f"lock: wanted each name once, sorted, got {names}")
    return tuple(pins)


def pins_text(pins: list[Pin]) -> str:
    """Return the one spelling of a lock with these pins."""
    return "".join(f"{pin.requirement}\n" for pin in sorted(pins))


def fetch_wheels(lock: Path = LOCK, cache: Path | None = None) -> dict[str, Path]:
    """Return each package's file by its project's name, verified; download what the cache lacks.

    Raises:
        WheelError: the lock is not well-formed, or pip does not find a file of that digest.
    """
    cache = cache or cache_folder().parent / "python"
    cache.mkdir(parents=True, exist_ok=True)
    pins = parse_pins(lock.read_text(encoding="ascii"))
    places = {pin: cache / _file_name(pin) for pin in pins}
    absent = [
        pin for pin, place in places.items() if not place.is_file() or _digest(place) != pin.sha256
    ]
    if absent:
        print(f"wheels: {len(absent)} to fetch", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=cache) as scratch:
            for pin, path in _download(absent, Path(scratch)).items():
                path.replace(places[pin])
    return {pin.name: place for pin, place in places.items()}


def wheel_files(path: Path) -> Iterator[cpio.Entry]:
    """Yield the files that a wheel puts into site-packages, but for its own metadata.

    Raises:
        WheelError: it is no wheel, beyond a limit, or wants files in other places.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS_MAX_ITEMS:
                raise WheelError(
                    f"{path.name}: wanted {MEMBERS_MAX_ITEMS} members at most, got more"
                )
            for member in members:
                top = member.filename.split("/")[0]
                if member.is_dir() or top.endswith(".dist-info"):
                    continue
                if top.endswith(".data"):
                    raise WheelError(f"{path.name}: wanted files in site-packages, got {top}")
                if member.file_size > MEMBER_MAX_BYTES:
                    raise WheelError(f"{member.filename}: wanted {MEMBER_MAX_BYTES} bytes at most")
                yield cpio.file(member.filename, archive.read(member))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise WheelError(f"{path.name}: wanted a wheel, got {error}") from error


def binding_files(sdist: Path, wanted: tuple[str, ...] = BINDING) -> Iterator[cpio.Entry]:
    """Yield the modules of `wanted` out of llama-cpp-python's source distribution.

    Raises:
        WheelError: it is no source distribution, or lacks one of them.
    """
    left = set(wanted)
    try:
        with tarfile.open(sdist, mode="r:gz") as archive:
            for member in archive:
                inside = member.name.partition("/")[2]
                if inside in left and member.isfile() and member.size <= MEMBER_MAX_BYTES:
                    file = archive.extractfile(member)
                    yield cpio.file(inside, file.read() if file else b"")
                    left.remove(inside)
                if not left:
                    return
    except (tarfile.TarError, OSError, EOFError) as error:
        raise WheelError(f"{sdist.name}: wanted a source distribution, got {error}") from error
    raise WheelError(f"{sdist.name}: wanted {sorted(left)}, got no such file")


def package_files(paths: Mapping[str, Path]) -> Iterator[cpio.Entry]:
    """Yield all files of all packages, as paths below site-packages."""
    for name, path in sorted(paths.items()):
        yield from binding_files(path) if name == BINDING_PROJECT else wheel_files(path)


def locked_versions(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return version and digests of each package in a lock of requirements/."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for block in re.split(r"\n(?=[a-z])", text):
        pin = _PIN.match(block)
        if pin is not None:
            hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", block)
            found[pin["name"]] = (pin["version"], frozenset(hashes))
    return found


def refresh(lock: Path = LOCK, source: Path = GUEST) -> None:
    """Write the lock anew: the files that pip takes for the image out of a lock of requirements/.

    Raises:
        WheelError: a package is not locked there, or pip does not find one of its digests.
    """
    lines = (
        line.partition("#")[0].strip() for line in lock.with_suffix(".in").read_text().splitlines()
    )
    locked = locked_versions(source.read_text())
    pins = []
    for name in filter(None, lines):
        if name not in locked:
            raise WheelError(f"{source.name}: wanted {name}, got no such package")
        version, digests = locked[name]
        with tempfile.TemporaryDirectory(prefix="sealroom-wheels-") as scratch:
            hashes = " ".join(f"--hash=sha256:{digest}" for digest in sorted(digests))
            path = _pip(name, f"{name}=={version} {hashes}\n", Path(scratch))
            pins.append(Pin(name, version, _digest(path)))
            print(f"wheels: {path.name}", file=sys.stderr, flush=True)
    lock.write_text(pins_text(pins), encoding="ascii")


def _file_name(pin: Pin) -> str:
    return pin.sha256 + (".tar.gz" if pin.name == BINDING_PROJECT else ".whl")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(pins: list[Pin], scratch: Path) -> dict[Pin, Path]:
    found = {}
    for pin in pins:
        folder = scratch / pin.name
        folder.mkdir()
        path = _pip(pin.name, f"{pin.requirement}\n", folder)
        if path.stat().st_size > FILE_MAX_BYTES or _digest(path) != pin.sha256:
            raise WheelError(f"{pin.name}: wanted sha256 {pin.sha256}, got {_digest(path)}")
        found[pin] = path
    return found


def _pip(name: str, requirement: str, folder: Path) -> Path:
    """Download the one file of a hashed requirement into the empty `folder` and return its path."""
    pinned = folder / "requirement.txt"
    pinned.write_text(requirement)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += [
        "--no-deps",
        "--require-hashes",
        "--dest",
        str(folder),
        "--requirement",
        str(pinned),
    ]
    if name == BINDING_PROJECT:
        # pip asks the build backend for metadata; `make dev` installs it, and nothing is built.
        command += ["--no-binary", name, "--no-build-isolation"]
    else:
        command += ["--only-binary", ":all:", *TARGET]
        for abi in ("cp313", "abi3", "none"):
            command += ["--abi", abi]
        for platform in PLATFORMS:
            command += ["--platform", platform]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FETCH_MAX_S)
    pinned.unlink()
    files = sorted(folder.iterdir())
    if run.returncode or len(files) != 1:
        raise WheelError(
            f"{name}: wanted one file from pip, got {len(files)}\n{run.stderr[-2000:]}"
        )
    return files[0]


def main(arguments: list[str] | None = None) -> int:
    """Fetch the packages of the lock, or write it anew."""
    parser = argparse.ArgumentParser(prog="python -m image.wheels", description="Fetch the wheels.")
    parser.add_argument("--refresh", action="store_true", help="write the lock anew")
    options = parser.parse_args(arguments)
    try:
        if options.refresh:
            refresh()
        for name, path in sorted(fetch_wheels().items()):
            print(f"{name:20} {path}")
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
