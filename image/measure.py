# SPDX-License-Identifier: Apache-2.0
"""The manifest of the release that was built: `python -m image.measure [--check | --write]`.

Everything in it is computed from the files of the build and from the source, nothing is typed in;
so whoever builds the same release gets the same manifest, byte for byte. `--check` compares it with
the committed one and names each field that differs; `--write` puts it there, but never over one
that was released. After either the manifest lies beside the files, as in a release.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from attest.closed import read_record
from attest.errors import FormatError
from attest.snp.policy import AbiFloor, Permission, ProductPolicy
from attest.snp.product import ProductLine
from attest.tdx.gaps import RECOVERY, RECOVERY_DATE
from attest.tdx.policy import TdAttribute
from attest.tdx.status import TcbStatus
from guest.worker.tasks import prompts_digest
from image import overlay
from image.errors import ImageError
from image.history import check_history, is_released
from sealroom.errors import InputError
from sealroom.policy_drafts import strict_product
from sealroom.release.folder import Folder, read_folder
from sealroom.release.layout import (
    LICENCES,
    MANIFEST,
    MODEL,
    SNP_FIRMWARE,
    TDX_FIRMWARE,
    image_paths,
)
from sealroom.release.manifest import (
    Artefacts,
    File,
    Firmware,
    Image,
    Images,
    ImageVariant,
    Lock,
    Manifest,
    Minimum,
    SnpMinimum,
    Status,
    TdxMinimum,
    write_manifest,
)
from sealroom.release.measured import publish_snp, publish_tdx

CHECKOUT: Final = Path(__file__).parent.parent
LOCKS: Final = CHECKOUT / "image" / "locks"
MEASUREMENTS: Final = CHECKOUT / "measurements"
RELEASE: Final = CHECKOUT / "build" / "image" / "release"

# What the bytes of a release are made of; the other locks are of programs that test it.
INPUTS: Final = (
    *("firmware.json", "kernel.json", "research.json", "rootfs.json", "tools.json"),
    "wheels.txt",
)
LINES: Final = (ProductLine.MILAN, ProductLine.GENOA, ProductLine.TURIN)
DIFFERENCES_SHOWN: Final = 20


class MeasureError(ImageError):
    """The build cannot be measured, or its measurements are not the committed ones."""


def make_manifest(folder: Folder, version: str, status: Status) -> Manifest:
    """The manifest of the files that were built.

    Raises:
        InputError: a file is missing.
        FormatError: one cannot be measured.
        ValueError: they do not belong together.
    """
    images = {variant.value: _image(folder, version, variant) for variant in ImageVariant}
    locks = ((name, (LOCKS / name).read_bytes()) for name in sorted(INPUTS))
    return Manifest(
        version=version,
        status=status,
        locks=tuple(Lock(name=name, sha256=hashlib.sha256(data).digest()) for name, data in locks),
        licences=_file(folder, LICENCES),
        model=_file(folder, MODEL),
        prompts=prompts_digest(),
        firmware=Firmware(snp=_file(folder, SNP_FIRMWARE), tdx=_file(folder, TDX_FIRMWARE)),
        images=Images(**images),
        minimum=make_minimum(),
    )


def make_minimum() -> Minimum:
    """What is asked of a host: the floors that close what is known, and nothing rarer."""
    products = (read_record(ProductPolicy, strict_product(line), line.value) for line in LINES)
    return Minimum(
        snp=SnpMinimum(
            abi=AbiFloor(major=0, minor=0),
            guest_allows=frozenset({Permission.SMT}),
            guest_requires=frozenset(),
            products=tuple(products),
        ),
        tdx=TdxMinimum(
            statuses=frozenset({TcbStatus.UP_TO_DATE}),
            evaluation=RECOVERY,
            tcb_date=RECOVERY_DATE,
            td_allows=frozenset(),
            td_requires=frozenset({TdAttribute.SEPT_VE_DISABLE}),
        ),
    )


def differences(wanted: Any, got: Any, where: str) -> Iterator[str]:
    """Where two JSON values differ, a line for each field."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for name in sorted(wanted.keys() | got.keys()):
            yield from differences(wanted.get(name), got.get(name), f"{where}.{name}")
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for index, pair in enumerate(zip(wanted, got, strict=True)):
            yield from differences(*pair, f"{where}[{index}]")
    elif wanted != got:
        yield f"{where}: committed {json.dumps(wanted)}, measured {json.dumps(got)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then compare or write."""
    parser = argparse.ArgumentParser(
        prog="python -m image.measure",
        description="Compute a release's manifest from its files, and compare or write it.",
        allow_abbrev=False,
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--check", action="store_true", help="compare with the committed one (default)"
    )
    action.add_argument("--write", action="store_true", help="put it into measurements/")
    where = "what was built (default: build/image/release)"
    parser.add_argument("--release", type=Path, default=RELEASE, metavar="FOLDER", help=where)
    args = parser.parse_args(arguments)
    try:
        _run(args.release, write=args.write)
    except (ImageError, InputError, FormatError, ValueError, OSError) as error:
        print(f"image.measure: {error}", file=sys.stderr)
        return 1
    return 0


def _run(release: Path, *, write: bool) -> None:
    version = overlay.version()
    place = MEASUREMENTS / version / MANIFEST
    committed = place.read_bytes() if place.is_file() else None
    # A draft may be of an older schema, and is written anew all the same.
    released = committed is not None and is_released(committed)
    status = Status.RELEASED if released else Status.DRAFT
    print(f"image.measure: reading {release.name}", file=sys.stderr)
    measured = write_manifest(make_manifest(read_folder(release, _no_progress), version, status))
    if write and committed != measured:
        if status is Status.RELEASED:
            raise MeasureError(f"{version} is released: wanted a new version for what changed")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(measured)
    elif committed != measured:
        raise MeasureError("\n  ".join(_told(version, committed, measured)))
    check_history(CHECKOUT, MEASUREMENTS.name)
    # What was built is now what is published, and a release has its manifest with it.
    (release / MANIFEST).write_bytes(measured)
    print(f"manifest {version} ({status})  {hashlib.sha256(measured).hexdigest()}")


def _told(version: str, committed: bytes | None, measured: bytes) -> Iterator[str]:
    if committed is None:
        yield f"wanted measurements/{version}/{MANIFEST}, got none: --write makes it"
        return
    yield f"measurements/{version}/{MANIFEST} is another one:"
    found = list(differences(json.loads(committed), json.loads(measured), "manifest"))
    yield from found[:DIFFERENCES_SHOWN]
    if len(found) > DIFFERENCES_SHOWN:
        yield f"and {len(found) - DIFFERENCES_SHOWN} more"


def _image(folder: Folder, version: str, variant: ImageVariant) -> Image:
    places, parts = image_paths(variant), folder.parts(variant)
    return Image(
        product=overlay.PRODUCTS[overlay.Variant(variant)].format(version),
        cmdline=parts.cmdline,
        files=Artefacts(
            vmlinuz=_file(folder, places["kernel"]),
            initrd=_file(folder, places["initrd"]),
            cmdline=_file(folder, places["cmdline"]),
        ),
        snp=publish_snp(parts),
        tdx=publish_tdx(parts),
    )


def _file(folder: Folder, path: str) -> File:
    if path not in folder.files:
        raise InputError(path, "a file of the release", "none")
    return folder.files[path]


def _no_progress(path: str, done: int, size: int) -> None:
    """Nobody has to wait long for files of the page cache."""


if __name__ == "__main__":
    sys.exit(main())
