# SPDX-License-Identifier: Apache-2.0
"""The command `sealroom`: arguments in, an exit code out.

Text goes to stdout, everything about it to stderr; with `--json` there is one object on stdout, and
an error is one too. Progress is shown to a terminal only. Style §3.6.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sealroom import __version__
from sealroom.cli_report import error_json, error_lines, printable
from sealroom.cli_tasks import rewrite, summarize
from sealroom.cli_verify import verify
from sealroom.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, SealroomError, exit_code
from sealroom.relay import check_relay
from wire.api import Tone

# 128 + SIGPIPE, as a shell reports a command whose reader went away.
EXIT_BROKEN_PIPE = 141

# RFC 3339 §5.6, in capital letters and without fractions of a second.
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)", re.ASCII)

EXIT_CODES_HELP = """\
exit codes:
    0  done
    1  usage, or the trust file
   10  the evidence is malformed
   20  its certificate chain or its signature does not hold
   30  it is not what the policy wants
   40  it is not in the log
   50  it is not bound to the key
   60  the relay or the guest cannot be reached
   61  the guest is busy
   62  nothing came in time
   63  the guest refused
   64  the answer is cut off, altered, or without a good receipt
   65  the input cannot be read or sent
  130  interrupted
  141  nobody reads the output
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    try:
        args = _parser().parse_args(argv)
    except SystemExit as leaving:
        # argparse leaves with 2 for a usage error; 1 is what this command documents.
        return EXIT_USAGE if leaving.code else EXIT_OK
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except SealroomError as error:
        return _report(error, as_json=args.json)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more on its way out, and that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    return code


def _report(error: SealroomError, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": error_json(error)}, indent=2))
    else:
        for line in error_lines(error):
            print(printable(line), file=sys.stderr)
    return exit_code(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sealroom",
        allow_abbrev=False,
        description="Ask a model about private messages, sealed to a guest that has verified.",
        epilog=EXIT_CODES_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sealroom {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    command = commands.add_parser("summarize", allow_abbrev=False, help="summarise a chat")
    command.add_argument(
        "file",
        metavar="FILE",
        help="a WhatsApp export, JSON lines of {sender, time, text}, or lines of `Name: text`; "
        "- reads the standard input",
    )
    command.add_argument(
        "--last", type=_count, metavar="N", help="only the last N messages of the chat"
    )
    _add_request_options(command)
    command.set_defaults(run=summarize)

    command = commands.add_parser("rewrite", allow_abbrev=False, help="put a text into other words")
    command.add_argument("file", metavar="FILE", help="UTF-8 text; - reads the standard input")
    command.add_argument(
        "--tone", required=True, choices=[tone.value for tone in Tone], help="how it should sound"
    )
    _add_request_options(command)
    command.set_defaults(run=rewrite)

    command = commands.add_parser(
        "verify", allow_abbrev=False, help="judge the evidence of a guest, offline"
    )
    command.add_argument("file", metavar="EVIDENCE", help="an evidence object, as a guest gives it")
    command.add_argument(
        "--at", type=_time, metavar="TIME", help="judge as of this RFC 3339 time, and not of now"
    )
    _add_options(command)
    command.set_defaults(run=verify)
    return parser


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--trust",
        type=Path,
        default=_default_trust(),
        metavar="FILE",
        help="whom to trust (default: sealroom/trust.yaml in the user's configuration)",
    )
    command.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _add_request_options(command: argparse.ArgumentParser) -> None:
    _add_options(command)
    command.add_argument(
        "--relay", type=_relay, metavar="URL", help="ask this relay, not the trust file's"
    )
    command.add_argument(
        "--no-stream",
        action="store_true",
        help="take the answer in one piece: on the wire nothing tells when which word came",
    )
    command.add_argument(
        "--receipt", type=Path, metavar="FILE", help="keep the signed erasure receipt in a new file"
    )


def _default_trust() -> Path:
    configuration = os.environ.get("XDG_CONFIG_HOME")
    base = Path(configuration) if configuration else Path.home() / ".config"
    return base / "sealroom" / "trust.yaml"


def _relay(text: str) -> str:
    try:
        return check_relay(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0 or len(text) > 9:
        raise argparse.ArgumentTypeError("wanted a number from 1")
    return int(text)


def _time(text: str) -> datetime:
    wanted = "wanted an RFC 3339 time such as 2026-11-21T12:00:00Z"
    if _RFC_3339.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(wanted)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(wanted) from None
