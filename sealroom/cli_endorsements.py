# SPDX-License-Identifier: Apache-2.0
"""`sealroom endorsements fetch`: what evidence is verified with, from AMD or Intel to a directory.

The directory is the cache: what is there, is the right thing and is still good is not asked for
again. The parts lie there one by one, and together as a bundle that a guest can be given. The only
command besides the tasks that uses a network.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from attest import FormatError, amd_roots
from attest.azure import MAGIC, parse_hcl
from attest.endorsements import (
    COLLATERAL_MAX_BYTES,
    ENDORSEMENTS_MAX_BYTES,
    Endorsements,
    SnpEndorsements,
    TdxEndorsements,
    write_endorsements,
)
from attest.limits import CERTIFICATE_MAX_BYTES, CRL_MAX_BYTES
from attest.roots import intel_roots
from attest.snp.product import ProductLine
from attest.snp.report import ReportV2
from attest.tdx.quote import QUOTE_MAX_BYTES
from sealroom import cli_types, kds, pcs
from sealroom.cli_files import read_input, replace
from sealroom.errors import EXIT_OK, EvidenceFormatError, Unreachable, UsageError
from sealroom.pcs import WantedCollateral, assemble, wanted_collateral
from sealroom.raw_forms import read_binary
from sealroom.room import wall_clock
from sealroom.service_client import Reply, fetch

COLLATERAL_FILE = "collateral.json"
BUNDLE_FILE = "endorsements.json"


@dataclass(frozen=True, slots=True)
class Item:
    """One file to have: whose it is, its greatest length, what is wrong with it, how to get it."""

    file: str
    service: str
    most: int
    problem: Callable[[bytes], str]
    fetch: Callable[[], bytes]


def add_options(command: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    action = actions.add_parser(
        "fetch",
        allow_abbrev=False,
        help="fetch the VCEK's certificate and the CRL for a report, or the collateral for a quote",
    )
    action.add_argument(
        "file", metavar="FILE", help="an SEV-SNP report, bare or in Azure's form, or a TDX quote"
    )
    action.add_argument(
        "--line",
        type=ProductLine,
        choices=list(ProductLine),
        help="a report's line of processors, where it does not tell (version 2)",
    )
    action.add_argument(
        "--into",
        type=Path,
        required=True,
        metavar="DIRECTORY",
        help=f"where vek.der and crl.der go, or {COLLATERAL_FILE}; and {BUNDLE_FILE}, which holds "
        "the same for a guest to staple",
    )
    action.add_argument(
        "--service", type=cli_types.relay, metavar="URL", help="ask this one, not AMD's or Intel's"
    )
    cli_types.add_json(action)
    action.set_defaults(run=fetch_endorsements)


def fetch_endorsements(args: argparse.Namespace) -> int:
    """Writes what is not there yet; tells what it did with each file."""
    data = read_binary(args.file, QUOTE_MAX_BYTES)
    try:
        data = parse_hcl(data).report if data[:4] == MAGIC else data
        is_report = len(data) == ReportV2.SIZE
        items = _snp(data, args) if is_report else _tdx(data, args)
    except FormatError as error:
        wanted = f"wanted an SEV-SNP report of {ReportV2.SIZE} bytes or a TDX quote"
        raise EvidenceFormatError(args.file, f"{wanted}; {error}") from error
    if args.line is not None and not is_report:
        raise UsageError(args.file, "a TDX quote goes without --line")
    told: dict[str, str] = {}
    parts: dict[str, bytes] = {}
    for item in items:
        parts[item.file], told[item.file] = _have(args.into / item.file, item)
        _tell(args, item.file, told)
    bundled = write_endorsements(_snp_bundle(parts) if is_report else _tdx_bundle(parts))
    told[BUNDLE_FILE] = _write(args.into / BUNDLE_FILE, bundled)
    _tell(args, BUNDLE_FILE, told)
    if args.json:
        files = [{"file": str(args.into / file), "was": was} for file, was in told.items()]
        print(json.dumps({"endorsements": files}, indent=2))
    return EXIT_OK


def _snp(data: bytes, args: argparse.Namespace) -> tuple[Item, ...]:
    ask = kds.wanted(data, args.line)
    root = next(root for root in amd_roots().amd if root.line is ask.line)
    service = args.service or kds.service_of(root)

    def vek_problem(der: bytes) -> str:
        return "" if ask.is_vek(der) else "something else"

    def crl_problem(der: bytes) -> str:
        return "" if kds.is_fresh_crl(der, wall_clock()) else "something else"

    def get(path: str, most: int) -> Callable[[], bytes]:
        return lambda: _ask(kds.SERVICE, service, path, most).data

    vek_most, crl_most = CERTIFICATE_MAX_BYTES, CRL_MAX_BYTES
    return (
        Item("vek.der", kds.SERVICE, vek_most, vek_problem, get(ask.vek_path, vek_most)),
        Item("crl.der", kds.SERVICE, crl_most, crl_problem, get(ask.crl_path, crl_most)),
    )


def _tdx(data: bytes, args: argparse.Namespace) -> tuple[Item, ...]:
    ask = wanted_collateral(data)
    return (
        Item(
            COLLATERAL_FILE,
            pcs.SERVICE,
            COLLATERAL_MAX_BYTES,
            lambda collateral: ask.problem(collateral, wall_clock()),
            lambda: _collateral(ask, args.service),
        ),
    )


def _collateral(ask: WantedCollateral, service: str | None) -> bytes:
    replies: dict[str, tuple[bytes, Mapping[str, str]]] = {}
    for request in ask.requests(intel_roots(), service):
        reply = _ask(pcs.SERVICE, request.service, request.path, request.most)
        replies[request.what] = reply.data, reply.headers
    try:
        return assemble(replies)
    except FormatError as error:
        raise Unreachable(pcs.SERVICE, "replies in its own form", str(error)) from error


def _ask(name: str, service: str, path: str, most: int) -> Reply:
    if sys.stderr.isatty():
        print(f"asking {service}{path}", file=sys.stderr)
    return asyncio.run(fetch(name, service, path, most))


def _snp_bundle(parts: Mapping[str, bytes]) -> Endorsements:
    return SnpEndorsements(vek=parts["vek.der"], crl=parts["crl.der"])


def _tdx_bundle(parts: Mapping[str, bytes]) -> Endorsements:
    return TdxEndorsements(collateral=parts[COLLATERAL_FILE])


def _have(path: Path, item: Item) -> tuple[bytes, str]:
    """The file's bytes, and whether they were fetched or kept."""
    if path.exists():
        data = read_input(str(path), item.most)
        if not item.problem(data):
            return data, "kept"
    data = item.fetch()
    if problem := item.problem(data):
        raise Unreachable(item.service, f"the {item.file} that was asked for", problem)
    replace(path, data)
    return data, "fetched"


def _write(path: Path, data: bytes) -> str:
    if path.exists() and read_input(str(path), ENDORSEMENTS_MAX_BYTES) == data:
        return "kept"
    replace(path, data)
    return "written"


def _tell(args: argparse.Namespace, file: str, told: Mapping[str, str]) -> None:
    if not args.json:
        print(f"{args.into / file}: {told[file]}", flush=True)
