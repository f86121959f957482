# SPDX-License-Identifier: Apache-2.0
"""`sealroom release verify DIR`: is this download the published image, and does it measure so?

Every file is hashed and compared with the manifest, and every launch digest and register that the
manifest publishes is computed again from those files. Somebody must vouch for the manifest: a copy
of the reader's own, or a transparency log. What all that does not show is printed, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attest.errors import FormatError
from attest.findings import Stage
from attest.log.policy import POLICY_MAX_BYTES, LogPolicy, parse_log_policy
from attest.log.proof import PROOF_MAX_BYTES
from sealroom import cli_types
from sealroom.cli_files import read_input
from sealroom.cli_report import Json, printable
from sealroom.errors import EXIT_OK, STAGE_EXIT_CODES, InputError, UsageError
from sealroom.release.compare import Difference, compare_files, compare_image, is_whole
from sealroom.release.folder import Folder, Progress, read_folder
from sealroom.release.layout import MANIFEST, PROOF
from sealroom.release.manifest import (
    MANIFEST_MAX_BYTES,
    VCPUS_PUBLISHED,
    Image,
    ImageVariant,
    Manifest,
    parse_manifest,
)
from sealroom.release.vouch import Vouchers, ask_log, log_entry

# A difference is what a policy that pins the measurement would refuse.
EXIT_DIFFERENT: Final = STAGE_EXIT_CODES[Stage.RULES]
EXIT_NOT_VOUCHED: Final = STAGE_EXIT_CODES[Stage.LOG]

_CLEAR_LINE: Final = "\r\x1b[K"
_MIB: Final = 1 << 20

NOT_CHECKED: Final = (
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
    vouchers: Vouchers


def add_options(command: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    action = actions.add_parser(
        "verify",
        allow_abbrev=False,
        help="compare a downloaded image with its manifest, and measure it again, offline",
        description="Hash every file of a downloaded image, compare it with the manifest, and "
        "compute again what hardware must report of it. Somebody must vouch for the manifest: "
        "with --manifest a copy of your own, such as the source repository's, with --log-policy "
        "a transparency log. Exit codes: 0 as published, 30 something differs, 40 nobody vouches "
        "for the manifest.",
    )
    action.add_argument("folder", type=Path, metavar="DIR", help="where its files are")
    action.add_argument(
        "--manifest",
        metavar="FILE",
        help=f"a manifest that you trust (without it, {MANIFEST} in DIR, which anybody may write)",
    )
    action.add_argument(
        "--log-policy",
        metavar="FILE",
        help="logs and witnesses that you trust (C2SP tlog-policy): the manifest must be in a log",
    )
    action.add_argument(
        "--proof", metavar="FILE", help=f"that it is (C2SP tlog-proof; default: {PROOF} in DIR)"
    )
    action.add_argument(
        "--at",
        type=cli_types.time,
        metavar="TIME",
        help="judge the log's witnesses as of this RFC 3339 time, and not of now",
    )
    cli_types.add_json(action)
    action.set_defaults(run=verify)
    entry = actions.add_parser(
        "log-entry",
        allow_abbrev=False,
        help="print what a log has to take for a manifest",
        description="Print the exact bytes, without a newline, that are logged of a release: "
        "version and SHA-256 of its manifest. `release verify` wants the proof for this entry.",
    )
    entry.add_argument("manifest", metavar="FILE", help="the manifest")
    entry.set_defaults(run=print_entry)


def verify(args: argparse.Namespace) -> int:
    """Prints what was compared and what differs; the exit code says whether anything does."""
    verified = _verify(args, _progress())
    if args.json:
        print(json.dumps(_told(verified), indent=2))
    else:
        for line in _lines(verified):
            print(printable(line))
    if verified.differences:
        return EXIT_DIFFERENT
    return EXIT_OK if verified.vouchers.enough else EXIT_NOT_VOUCHED


def print_entry(args: argparse.Namespace) -> int:
    """Prints what a log has to take."""
    manifest, data = load_manifest(args.manifest)
    print(log_entry(manifest.version, data).decode(), end="")
    return EXIT_OK


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


def _verify(args: argparse.Namespace, progress: Progress) -> _Verified:
    where: Path = args.folder
    beside = where / MANIFEST
    manifest, data = load_manifest(args.manifest or str(beside))
    vouchers = _vouchers(args, log_entry(manifest.version, data))
    differences: list[Difference] = []
    if args.manifest is not None and beside.exists():
        other = read_input(str(beside), MANIFEST_MAX_BYTES)
        if other != data:
            digests = (f"SHA-256 {hashlib.sha256(one).hexdigest()}" for one in (data, other))
            differences.append(Difference(MANIFEST, *digests))
    folder = read_folder(where, progress)
    differences += compare_files(manifest, folder.files)
    # An image with another file measures as something else, and the file is why.
    whole = tuple(v for v in ImageVariant if is_whole(manifest, folder.files, v))
    for variant in whole:
        differences += compare_image(manifest, variant, folder.parts(variant))
    sha256 = hashlib.sha256(data).digest()
    return _Verified(manifest, sha256, folder, whole, tuple(differences), vouchers)


def _vouchers(args: argparse.Namespace, entry: bytes) -> Vouchers:
    own = args.manifest is not None
    if args.log_policy is None:
        if args.proof is not None:
            raise UsageError("--proof", "wanted --log-policy FILE with it, got none")
        return Vouchers(own)
    beside = args.folder / PROOF
    name = args.proof or (str(beside) if beside.exists() else None)
    proof = None if name is None else read_input(name, PROOF_MAX_BYTES)
    now = args.at or datetime.now(UTC)
    return ask_log(entry, proof, _load_log_policy(args.log_policy), own=own, now=now)


def _load_log_policy(name: str) -> LogPolicy:
    data = read_input(name, POLICY_MAX_BYTES)
    try:
        return parse_log_policy(data)
    except FormatError as error:
        raise InputError(name, "a policy about logs (C2SP tlog-policy)", str(error)) from error


def _told(verified: _Verified) -> Json:
    return {
        "version": verified.manifest.version,
        "status": verified.manifest.status,
        "manifest_sha256": verified.sha256.hex(),
        "as_published": not verified.differences and verified.vouchers.enough,
        "vouched": _told_vouchers(verified.vouchers),
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
    differences = verified.differences
    if differences:
        yield "1 difference:" if len(differences) == 1 else f"{len(differences)} differences:"
    for item in differences:
        yield f"  {item.what}: wanted {item.wanted}, got {item.got}"
    yield from _vouching_lines(verified.vouchers)
    yield "not checked:"
    yield from (f"  {what}: {why}" for what, why in NOT_CHECKED)
    if differences:
        yield "this is NOT the published release"
    elif not verified.vouchers.enough:
        yield "the files are those of this manifest, and NOBODY vouches for it"
    else:
        yield "the files are the published ones, and measure as published"


def _told_vouchers(vouchers: Vouchers) -> Json:
    logged = vouchers.logged
    return {
        "own_manifest": vouchers.own,
        "log": None
        if logged is None
        else {
            "origin": logged.origin,
            "index": logged.index,
            "size": logged.size,
            "cosigned": {
                name: None if at is None else at.isoformat() for name, at in logged.cosigned
            },
        },
        "findings": [finding._asdict() for finding in vouchers.findings],
    }


def _vouching_lines(vouchers: Vouchers) -> Iterator[str]:
    yield "the manifest is vouched for by:"
    if vouchers.own:
        yield "  you: --manifest named a copy of yours"
    if logged := vouchers.logged:
        yield f"  {logged.origin}: entry {logged.index} of {logged.size}, cosigned by"
        for name, at in logged.cosigned:
            yield f"    {name}, {'at no stated time' if at is None else at.isoformat()}"
    for finding in vouchers.findings:
        yield f"  NOT the log: {finding.reason}: wanted {finding.wanted}, got {finding.got}"
    if not vouchers.own and vouchers.logged is None and not vouchers.findings:
        yield "  nobody: give --manifest with a copy of your own, or --log-policy"


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
