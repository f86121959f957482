# SPDX-License-Identifier: Apache-2.0
"""`sealroom attack`: the options. What it does is in `sealroom.attack.cli_run`.

That is loaded when it is asked for: it brings an HTTP server along, which no other command needs.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from sealroom import cli_types


def add_options(command: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    command.add_argument(
        "--trust",
        type=Path,
        metavar="FILE",
        help="attack the deployment of this trust file, from outside (default: a fresh lab)",
    )
    command.add_argument(
        "--relay", type=cli_types.relay, metavar="URL", help="attack this relay, not the file's"
    )
    command.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="only this attack; repeatable"
    )
    command.add_argument("--list", action="store_true", help="say what there is, and do nothing")
    cli_types.add_json(command)
    command.set_defaults(run=attack, parser=command, disagreement=_disagreement)


def _disagreement(args: argparse.Namespace) -> str | None:
    if args.relay is not None and args.trust is None:
        return "--relay goes with --trust"
    return None


def attack(args: argparse.Namespace) -> int:
    """Runs the attacks; the exit code says whether all were refused."""
    code: int = importlib.import_module("sealroom.attack.cli_run").attack(args)
    return code
