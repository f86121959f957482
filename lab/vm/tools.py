# SPDX-License-Identifier: Apache-2.0
"""The programs that boot the image: those of `image/locks/vm.json`, laid out and run in place.

Nothing is installed and no root is changed: the locked loader is started with the locked libraries,
so a machine of another distribution runs the same qemu. Laying out takes some seconds, once per
lock.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image.deb import Entry, Kind, entries, merged_usr
from image.errors import ImageError
from image.fetch import fetch
from lab.vm.errors import VmError

CHECKOUT: Final = Path(__file__).parent.parent.parent
LOCK: Final = CHECKOUT / "image" / "locks" / "vm.json"
PLACE: Final = CHECKOUT / "build" / "image" / "vm-tools"
STAMP: Final = ".lock-sha256"
LEFT_OUT: Final = ("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/lintian/")
FIRMWARE: Final = {
    "amdsev": "usr/share/ovmf/OVMF.amdsev.fd",
    "tdx": "usr/share/ovmf/OVMF.inteltdx.ms.fd",
    "ovmf": "usr/share/ovmf/OVMF.fd",
}
"""EDK II as packaged; what a release ships beside the image stands in the release's folder."""


@dataclass(frozen=True, slots=True)
class Tools:
    """A folder with the programs in it."""

    root: Path

    def command(self, program: str) -> list[str]:
        """The words that start a program.

        Raises:
            VmError: it is not among the locked ones.
        """
        libraries = self.root / "usr" / "lib" / "x86_64-linux-gnu"
        path = self.root / "usr" / "bin" / program
        if not path.is_file():
            raise VmError("tools", f"{program} in {LOCK.name}", "no such program")
        loader = self.root / "usr" / "lib64" / "ld-linux-x86-64.so.2"
        return [
            str(loader),
            *("--library-path", f"{libraries}:{libraries / 'swtpm'}"),
            str(path),
        ]

    def roms(self) -> list[str]:
        """The words that tell qemu where its firmware and option ROMs are."""
        share = self.root / "usr" / "share"
        return ["-L", str(share / "qemu"), "-L", str(share / "seabios")]

    def firmware(self, name: str) -> Path:
        """The file of a firmware of `FIRMWARE`."""
        return self.root / FIRMWARE[name]


def load_tools(place: Path = PLACE) -> Tools:
    """The locked programs, fetched and laid out at ``place`` unless they stand there.

    Raises:
        VmError: they are not to be had.
    """
    stamp = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    known = place / STAMP
    if not known.is_file() or known.read_text("ascii") != stamp:
        try:
            _lay_out(place, stamp)
        except ImageError as error:
            raise VmError("tools", f"the packages of {LOCK.name}", str(error)) from error
    return Tools(place)


def _lay_out(place: Path, stamp: str) -> None:
    """Put a new folder into place at once, so that none is ever there by half."""
    place.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=place.parent, prefix=".vm-tools-"))
    try:
        for package in fetch(LOCK).values():
            for entry in entries(package):
                _put(new, entry)
        (new / STAMP).write_text(stamp, "ascii")
        new.chmod(0o755)
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put(root: Path, entry: Entry) -> None:
    name = merged_usr(entry.path)
    if name.startswith(LEFT_OUT):
        return
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.kind is Kind.DIRECTORY:
        path.mkdir(exist_ok=True)
    elif entry.kind is Kind.SYMLINK:
        path.symlink_to(entry.target)
    elif entry.kind is Kind.HARDLINK:
        os.link(root / merged_usr(entry.target), path)
    else:
        path.write_bytes(entry.data)
        path.chmod(entry.mode & 0o755)
