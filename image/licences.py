# SPDX-License-Identifier: Apache-2.0
"""The licences of all that a release is made of, in one text: `licences.txt` of the release.

The rule that holds here: the texts are those that came with the locked packages, and a package
without one fails the build. Debian's texts refer to `/usr/share/common-licenses`; what they name
there stands once, at the end. (Debian Policy 12.5; wheels have theirs in `.dist-info`, PEP 639.)
"""

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from image import deb, model, wheels
from image.errors import ImageError
from image.fetch import fetch
from image.lock import load_lock

ROOT: Final = Path(__file__).resolve().parent.parent
LOCKS: Final = ROOT / "image" / "locks"
OWN: Final = ROOT / "LICENSE"
# The kernel is made of linux-source, whose text linux-image has as well, in a smaller package.
PARTS: Final = (("rootfs", ""), ("research", ""), ("firmware", ""), ("kernel", "linux-image-"))
TOOLS: Final = LOCKS / "tools.json"  # has gcc-14-base and base-files
DOC: Final = "usr/share/doc"
COMMON: Final = "usr/share/common-licenses"
IN_WHEEL: Final = re.compile(r"[^/]+\.dist-info/(?:licenses/)?(?:LICEN[CS]E|COPYING|NOTICE)[^/]*")
IN_SOURCE: Final = ("LICENSE.md", "vendor/llama.cpp/LICENSE")
MODEL: Final = "Apache-2.0, as the model's own file says; the text is Sealroom's, above.\n"

_NAMED: Final = re.compile(rf"/{COMMON}/([A-Za-z]+(?:-[0-9.]*[0-9])?)")


class LicenceError(ImageError):
    """A package does not say under which licence it may be passed on."""


def inputs() -> list[Path]:
    """Return the files that the text depends on."""
    locks = [LOCKS / f"{name}.json" for name, _ in PARTS]
    return [Path(__file__), OWN, TOOLS, model.LOCK, wheels.LOCK, *locks]


def licences() -> bytes:
    """Return the whole text.

    Raises:
        ImageError: a package is not to be had, or has no licence.
    """
    tools = fetch(TOOLS)
    rows = [("Sealroom", OWN.read_text("utf-8"))]
    for name, prefix in PARTS:
        lock = LOCKS / f"{name}.json"
        packages = {**tools, **fetch(lock)}
        for package in load_lock(lock):
            if package.name.startswith(prefix):
                rows.append((f"{package.name} {package.version}", debian(package.name, packages)))
    files = wheels.fetch_wheels()
    for pin in wheels.parse_pins(wheels.LOCK.read_text("ascii")):
        rows.append((f"{pin.name} {pin.version}", python(pin.name, files[pin.name])))
    rows.append((model.parse_model(model.LOCK.read_text("ascii")).name, MODEL))
    return written([*rows, *common("".join(text for _, text in rows), tools["base-files"])])


def debian(name: str, packages: Mapping[str, Path]) -> str:
    """Return a package's copyright file, or that of the package that its folder is a link to.

    Raises:
        LicenceError: it has none.
    """
    for entry in deb.entries(packages[name]):
        if entry.path == f"{DOC}/{name}" and entry.target in packages:
            return debian(entry.target, packages)
        if entry.path == f"{DOC}/{name}/copyright" and entry.kind is deb.Kind.FILE:
            return entry.data.decode("utf-8")
    raise LicenceError(f"{name}: wanted {DOC}/{name}/copyright, got no such file")


def python(name: str, path: Path) -> str:
    """Return the licences of a Python package, those of a source distribution's C++ included.

    Raises:
        ImageError: it has none.
    """
    if name == wheels.BINDING_PROJECT:
        texts = [entry.data for entry in wheels.binding_files(path, IN_SOURCE)]
    else:
        with zipfile.ZipFile(path) as archive:
            names = sorted(filter(IN_WHEEL.fullmatch, archive.namelist()))
            texts = [archive.read(each) for each in names]
    if not texts:
        raise LicenceError(f"{name}: wanted a licence in its .dist-info, got none")
    return "\n\n".join(text.decode("utf-8") for text in texts)


def common(text: str, package: Path) -> Iterator[tuple[str, str]]:
    """Yield each common licence that a text names, under its name."""
    found = {entry.path: entry for entry in deb.entries(package)}
    for name in sorted(set(_NAMED.findall(text))):
        entry = found.get(f"{COMMON}/{name}")
        if entry is None:
            raise LicenceError(f"{package.name}: wanted {COMMON}/{name}, got no such file")
        if entry.kind is deb.Kind.SYMLINK:
            entry = found[f"{COMMON}/{entry.target}"]
        yield f"/{COMMON}/{name}", entry.data.decode("utf-8")


def written(rows: list[tuple[str, str]]) -> bytes:
    """Return the rows one after the other; a text that was there already is referred to."""
    first: dict[str, str] = {}
    parts = []
    for title, text in rows:
        said = text if (other := first.setdefault(text, title)) == title else f"As {other}.\n"
        parts.append(f"{'=' * 79}\n{title}\n{'=' * 79}\n\n{said.strip()}\n\n")
    return "".join(parts).encode("utf-8")
