# SPDX-License-Identifier: Apache-2.0
"""`sealroom show FILE`: what any piece of evidence says, field by field, believed or not."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from attest import FormatError
from sealroom import cli_types
from sealroom.cli_files import read_input
from sealroom.cli_report import printable
from sealroom.errors import EXIT_OK, EvidenceFormatError
from sealroom.show.field import section_lines
from sealroom.show.forms import FILE_MAX_BYTES, explain


def add_options(command: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    command.add_argument(
        "file",
        metavar="FILE",
        help="a report, quote, certificate, CRL, certificate table, collateral, evidence object, "
        "endorsement bundle, statement, receipt or HCL report; binary, hexadecimal, DER or PEM; "
        "- reads the standard input",
    )
    cli_types.add_json(command)
    command.set_defaults(run=show)


def show(args: argparse.Namespace) -> int:
    """Prints the fields; nothing is verified."""
    try:
        sections = explain(read_input(args.file, FILE_MAX_BYTES))
    except FormatError as error:
        raise EvidenceFormatError(args.file, str(error)) from error
    if args.json:
        print(json.dumps({"shown": [asdict(section) for section in sections]}, indent=2))
        return EXIT_OK
    for number, section in enumerate(sections):
        if number:
            print()
        for line in section_lines(section):
            print(printable(line))
    return EXIT_OK
