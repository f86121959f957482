# SPDX-License-Identifier: Apache-2.0
"""`sealroom endorsements fetch`: what a report is verified with, from AMD into a directory.

The directory is the cache: a certificate that is there and is the right one, or a list that is
still good, is not asked for again. The only command besides the tasks that uses a network.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from attest import FormatError, amd_roots
from attest.evidence import REPORT_MAX_BYTES
from attest.snp.product import ProductLine
from attest.x509 import CERTIFICATE_MAX_BYTES, CRL_MAX_BYTES
from sealroom import cli_types
from sealroom.cli_files import read_input, replace
from sealroom.errors import EXIT_OK, EvidenceFormatError, Unreachable
from sealroom.kds import Wanted, is_fresh_crl, service_of, wanted
from sealroom.kds_client import fetch
from sealroom.room import wall_clock


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to have: its file, where it is, how long it may be, and whether it is good."""

    file: str
    path: str
    most: int
    is_good: Callable[[bytes], bool]


def add_options(command: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    action = actions.add_parser(
        "fetch", allow_abbrev=False, help="fetch the VCEK's certificate and the CRL for a report"
    )
    action.add_argument("report", metavar="REPORT", help="an SEV-SNP report of 1184 bytes")
    action.add_argument(
        "--line",
        type=ProductLine,
        choices=list(ProductLine),
        help="its line of processors, where the report does not tell (version 2)",
    )
    action.add_argument(
        "--into", type=Path, required=True, metavar="DIRECTORY", help="where vek.der and crl.der go"
    )
    action.add_argument(
        "--service", type=cli_types.relay, metavar="URL", help="ask this one, and not AMD's"
    )
    action.set_defaults(run=fetch_endorsements, json=False)


def fetch_endorsements(args: argparse.Namespace) -> int:
    """Writes what is not there yet; prints what it did with each."""
    try:
        ask = wanted(read_input(args.report, REPORT_MAX_BYTES), args.line)
    except FormatError as error:
        raise EvidenceFormatError(args.report, str(error)) from error
    root = next(root for root in amd_roots().amd if root.line is ask.line)
    service = args.service or service_of(root)
    for item in _items(ask):
        print(f"{args.into / item.file}: {_have(args.into / item.file, item, service)}")
    return EXIT_OK


def _items(ask: Wanted) -> tuple[Item, ...]:
    def is_fresh(der: bytes) -> bool:
        return is_fresh_crl(der, wall_clock())

    return (
        Item("vek.der", ask.vek_path, CERTIFICATE_MAX_BYTES, ask.is_vek),
        Item("crl.der", ask.crl_path, CRL_MAX_BYTES, is_fresh),
    )


def _have(path: Path, item: Item, service: str) -> str:
    if path.exists() and item.is_good(read_input(str(path), item.most)):
        return "kept"
    data = asyncio.run(fetch(service, item.path, item.most))
    if not item.is_good(data):
        raise Unreachable("KDS", f"the {item.file} that was asked for", "something else")
    replace(path, data)
    return "fetched"
