# SPDX-License-Identifier: Apache-2.0
"""`sealroom release verify DIR`: is this download the published image, and does it measure so?

Every file is hashed and compared with the manifest, and every launch digest and register that the
manifest publishes is computed again from those files. What that does not show is printed, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from attest.errors import FormatError
from attest.findings import Stage
from sealroom import cli_types
from sealroom.cli_files import read_input
from sealroom.cli_report import Json, printable
from sealroom.errors import EXIT_OK, STAGE_EXIT_CODES, InputError
from sealroom.release.compare import Difference, compare_files, compare_image, is_whole
from sealroom.release.folder import Folder, Progress, read_folder
from sealroom.release.layout import MANIFEST
from sealroom.release.manifest import (
    MANIFEST_MAX_BYTES,
    VCPUS_PUBLISHED,
    Image,
    ImageVariant,
    Manifest,
    parse_manifest,
)

# A difference is what a policy that pins the measurement would refuse.
EXIT_DIFFERENT: Final = STAGE_EXIT_CODES[Stage.RULES]

_CLEAR_LINE: Final = "\r\x1b[K"
_MIB: Final = 1 << 20

NOT_CHECKED: Final = (
    (
        "log",
        "whether this manifest is in the transparency log: there is no proof of that to check yet. "
        "Compare its SHA-256 with one that you have from elsewhere",
    ),
    (
        "source",
        "whether these files are made of the source that is published: `make image` builds them "
        "again, and `make repro` does so twice",
    ),
    ("locks", "the lists of locked inputs, which belong to the source"),
    ("prompts", "their digest, which the guest computes from the initrd's own files"),
    ("minimum", "what it asks of a host, which is the publisher's word"),
    ("rtmr0", "RTMR0, where the manifest leaves it open"),
)


@dataclass(frozen=True, slots=True)
class _Verified:
    """What was compared, and what differs."""

    manifest: Manifest
    sha256: bytes
    folder: Folder
    measured: tuple[ImageVariant, ...]
    differences: tuple[Difference, ...]


def add_options(command: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    action = actions.add_parser(
        "verify",
        allow_abbrev=False,
        help="compare a downloaded image with its manifest, and measure it again, offline",
    )
    action.add_argument("folder", type=Path, metavar="DIR", help="where its files are")
    action.add_argument(
        "--manifest", metavar="FILE", help=f"the manifest (default: {MANIFEST} in DIR)"
    )
    cli_types.add_json(action)
    action.set_defaults(run=verify)


def verify(args: argparse.Namespace) -> int:
    """Prints what was compared and what differs; the exit code says whether anything does."""
    verified = _verify(args.folder, args.manifest, _progress())
    if args.json:
        print(json.dumps(_told(verified), indent=2))
    else:
        for line in _lines(verified):
            print(printable(line))
    return EXIT_DIFFERENT if verified.differences else EXIT_OK


def load_manifest(name: str) -> tuple[Manifest, bytes]:
    """The manifest in a file, and its bytes.

    Raises:
        InputError: it cannot be read, or is none.
    """
    data = read_input(name, MANIFEST_MAX_BYTES)
    try:
        return parse_manifest(data), data
    except FormatError as error:
        raise InputError(name, "a manifest of a release", str(error)) from error


def _verify(where: Path, manifest_name: str | None, progress: Progress) -> _Verified:
    beside = where / MANIFEST
    manifest, data = load_manifest(manifest_name or str(beside))
    differences: list[Difference] = []
    if manifest_name is not None and beside.exists():
        other = read_input(str(beside), MANIFEST_MAX_BYTES)
        if other != data:
            digests = (hashlib.sha256(one).hexdigest() for one in (data, other))
            differences.append(Difference(MANIFEST, *digests))
    folder = read_folder(where, progress)
    differences += compare_files(manifest, folder.files)
    # An image with another file measures as something else, and the file is why.
    whole = tuple(v for v in ImageVariant if is_whole(manifest, folder.files, v))
    for variant in whole:
        differences += compare_image(manifest, variant, folder.parts(variant))
    return _Verified(manifest, hashlib.sha256(data).digest(), folder, whole, tuple(differences))


def _told(verified: _Verified) -> Json:
    return {
        "version": verified.manifest.version,
        "status": verified.manifest.status,
        "manifest_sha256": verified.sha256.hex(),
        "as_published": not verified.differences,
        "files": {
            path: {"size": file.size, "sha256": file.sha256.hex()}
            for path, file in verified.folder.files.items()
        },
        "measured": list(verified.measured),
        "differences": [asdict(item) for item in verified.differences],
        "not_checked": dict(NOT_CHECKED),
    }


def _lines(verified: _Verified) -> Iterator[str]:
    manifest = verified.manifest
    yield f"release {manifest.version} ({manifest.status})"
    yield f"manifest  {verified.sha256.hex()}"
    for path, file in verified.folder.files.items():
        yield f"  {path:20} {file.size:>11}  {file.sha256.hex()}"
    for variant in verified.measured:
        yield f"{variant}: measured again; {_measured_line(manifest.images.of(variant))}"
    for variant in [v for v in ImageVariant if v not in verified.measured]:
        yield f"{variant}: not measured, since its files are not the published ones"
    if verified.differences:
        yield f"{len(verified.differences)} differences:"
    for item in verified.differences:
        yield f"  {item.what}: wanted {item.wanted}, got {item.got}"
    yield "not checked:"
    yield from (f"  {what}: {why}" for what, why in NOT_CHECKED)
    if verified.differences:
        yield "this is NOT the published release"
    else:
        yield "the files are the published ones, and measure as published"


def _measured_line(image: Image) -> str:
    rows = image.snp.rows
    features = ", ".join(f"0x{number:x}" for number in sorted({row.features for row in rows}))
    signatures = len({row.signature for row in rows})
    return (
        f"{len(rows) * VCPUS_PUBLISHED} launch digests (1 to {VCPUS_PUBLISHED} vCPUs, "
        f"{signatures} processors, features {features}); MRTD in both orders, RTMR1 to RTMR3"
    )


def _progress() -> Progress:
    return _show if sys.stderr.isatty() else _show_nothing


def _show(path: str, done: int, size: int) -> None:
    said = "" if done == size else f"hashing {path}: {done // _MIB} of {size // _MIB} MiB"
    print(f"{_CLEAR_LINE}{printable(said)}", end="", file=sys.stderr, flush=True)


def _show_nothing(path: str, done: int, size: int) -> None:
    """Nobody watches."""
