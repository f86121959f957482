# SPDX-License-Identifier: Apache-2.0
"""The firmware of a release: `python -m image.firmware [--release FOLDER]`.

Both files come out of the packages of `image/locks/firmware.json`. The one for SEV-SNP is shipped
as it is. From the one for TDX the Secure Boot keys are taken out, and MRTD is computed before and
after: it must be the same, because the variables are no part of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attest.errors import FormatError
from attest.tdx.launch.registers import read_firmware
from attest.tdx.launch.tdvf import Section, SectionType, parse_tdvf
from image.deb import Kind, entries
from image.errors import ImageError
from image.fetch import fetch
from image.varstore import read_variables, without_variables
from sealroom.release.layout import SNP_FIRMWARE, TDX_FIRMWARE

CHECKOUT: Final = Path(__file__).parent.parent
LOCK: Final = CHECKOUT / "image" / "locks" / "firmware.json"
RELEASE: Final = CHECKOUT / "build" / "image" / "release"

SNP_SOURCE: Final = ("ovmf-amdsev", "usr/share/ovmf/OVMF.amdsev.fd")
TDX_SOURCE: Final = ("ovmf-inteltdx", "usr/share/ovmf/OVMF.inteltdx.ms.fd")

# Microsoft's keys, as Debian enrols them. Anything else in the volume is something new to look at.
EXPECTED: Final = frozenset({"PK", "KEK", "db", "dbx"})


class FirmwareError(ImageError):
    """A firmware is not what this recipe was written for."""


def without_keys(image: bytes) -> bytes:
    """The firmware for TDX without its Secure Boot keys, and with the same MRTD.

    Raises:
        FirmwareError: it has other variables, or its MRTD would change.
        ImageError: its variables are not as edk2 writes them.
    """
    volumes = [s for s in _sections(image) if s.kind is SectionType.CFV]
    if len(volumes) != 1 or not image.startswith(volumes[0].data):
        raise FirmwareError("TDX firmware: wanted one configuration volume, at its start")
    volume = volumes[0].data
    names = {variable.name for variable in read_variables(volume)}
    if names != EXPECTED:
        raise FirmwareError(f"TDX firmware: wanted {sorted(EXPECTED)}, got {sorted(names)}")
    changed = without_variables(volume) + image[len(volume) :]
    before, after = read_firmware(image), read_firmware(changed)
    if (before.single_pass, before.two_pass) != (after.single_pass, after.two_pass):
        raise FirmwareError("TDX firmware: wanted the same MRTD without its variables")
    return changed


def build(packages: Mapping[str, Path]) -> dict[str, bytes]:
    """The files of the release, by their names in it, from the packages of the lock.

    Raises:
        ImageError: a package lacks its file, or see `without_keys`.
    """
    snp, tdx = (_file(packages[name], path) for name, path in (SNP_SOURCE, TDX_SOURCE))
    return {SNP_FIRMWARE: snp, TDX_FIRMWARE: without_keys(tdx)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both files into the release's folder."""
    parser = argparse.ArgumentParser(
        prog="python -m image.firmware",
        description="Write the firmware for SEV-SNP and for TDX into a release's folder.",
        allow_abbrev=False,
    )
    where = "the release's folder (default: build/image/release)"
    parser.add_argument("--release", type=Path, default=RELEASE, metavar="FOLDER", help=where)
    folder = parser.parse_args(arguments).release
    try:
        files = build(fetch(LOCK))
    except ImageError as error:
        print(f"image.firmware: {error}", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)
        print(f"{path.name}: {len(data)} bytes", file=sys.stderr)
    return 0


def _sections(image: bytes) -> tuple[Section, ...]:
    try:
        return parse_tdvf(image)
    except FormatError as error:
        raise FirmwareError(f"TDX firmware: {error}") from error


def _file(package: Path, path: str) -> bytes:
    for entry in entries(package):
        if entry.path == path and entry.kind is Kind.FILE:
            return entry.data
    raise FirmwareError(f"{package.name}: wanted {path}, got no such file")


if __name__ == "__main__":
    sys.exit(main())
