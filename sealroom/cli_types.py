# SPDX-License-Identifier: Apache-2.0
"""Words of the command line with one spelling each, and the options that several commands share."""

from __future__ import annotations

import argparse
import os
import re
from datetime import datetime
from pathlib import Path

from sealroom.relay import check_relay

# RFC 3339 §5.6, in capital letters and without fractions of a second.
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def relay(text: str) -> str:
    """The address of a relay."""
    try:
        return check_relay(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def count(text: str) -> int:
    """A number from 1."""
    if not text.isascii() or not text.isdigit() or int(text) == 0 or len(text) > 9:
        raise argparse.ArgumentTypeError("wanted a number from 1")
    return int(text)


def time(text: str) -> datetime:
    """A time with its zone."""
    wanted = "wanted an RFC 3339 time such as 2026-11-21T12:00:00Z"
    if _RFC_3339.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(wanted)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(wanted) from None


def add_json(command: argparse.ArgumentParser) -> None:
    """The option for data instead of text."""
    command.add_argument("--json", action="store_true", help="one JSON object on stdout")


def add_trust(command: argparse.ArgumentParser) -> None:
    """The option for the trust file."""
    command.add_argument(
        "--trust",
        type=Path,
        default=_default_trust(),
        metavar="FILE",
        help="whom to trust (default: sealroom/trust.yaml in the user's configuration)",
    )


def add_cert(command: argparse.ArgumentParser) -> None:
    """The option for certificates that come with a raw SEV-SNP report."""
    command.add_argument(
        "--cert",
        action="append",
        default=[],
        metavar="FILE",
        help="certificates, DER or PEM: the VCEK or VLEK; an ASK, ASVK or ARK is only compared",
    )


def _default_trust() -> Path:
    configuration = os.environ.get("XDG_CONFIG_HOME")
    base = Path(configuration) if configuration else Path.home() / ".config"
    return base / "sealroom" / "trust.yaml"
