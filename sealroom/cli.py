# SPDX-License-Identifier: Apache-2.0
"""The command `sealroom`: arguments in, an exit code out.

Text goes to stdout, everything about it to stderr; with `--json` there is one object on stdout, and
an error is one too. Progress is shown to a terminal only. Style §3.6.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sealroom import (
    __version__,
    cli_attack,
    cli_endorsements,
    cli_policy,
    cli_receipt,
    cli_release,
    cli_show,
    cli_types,
    cli_verify,
)
from sealroom.cli_measure import add_explain, add_measure
from sealroom.cli_report import error_json, error_lines, printable
from sealroom.cli_tasks import rewrite, summarize
from sealroom.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, SealroomError, exit_code
from wire.api import Tone

# 128 + SIGPIPE, as a shell reports a command whose reader went away.
EXIT_BROKEN_PIPE = 141

# The commands about evidence, and `attack`. Only `endorsements` and `attack` use a network.
_EVIDENCE_COMMANDS: tuple[tuple[str, str, Callable[[argparse.ArgumentParser], None]], ...] = (
    ("verify", "judge evidence, offline", cli_verify.add_options),
    ("verify-receipt", "check an erasure receipt that was kept, offline", cli_receipt.add_options),
    ("show", "print what any piece of evidence says, field by field", cli_show.add_options),
    ("policy", "write a policy, or say what one leaves open", cli_policy.add_options),
    ("endorsements", "fetch what a report is verified with", cli_endorsements.add_options),
    ("measure", "say what a guest's report must show, offline", add_measure),
    ("explain", "say why a measurement is not the expected one", add_explain),
    ("release", "check a downloaded image against its manifest, offline", cli_release.add_options),
    ("attack", "attack a deployment, by default a fresh one of the lab", cli_attack.add_options),
)

EXIT_CODES_HELP = """\
exit codes:
    0  done
    1  usage, or the trust file
   10  the evidence is malformed
   20  its certificate chain or its signature does not hold
   30  it is not what the policy wants; for `explain` and `release`: what was got is another one
   40  it is not in the log
   50  it is not bound to the key
   60  the relay or the guest cannot be reached
   61  the guest is busy
   62  nothing came in time
   63  the guest refused
   64  the answer is cut off, altered, or without a good receipt
   65  the input cannot be read or sent
   70  an attack succeeded
   71  an attack could not be carried out, and none succeeded
  130  interrupted
  141  nobody reads the output
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    try:
        args = _parse(argv)
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


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, each right in itself and all of them together."""
    parser = _parser()
    args = parser.parse_args(argv)
    disagreement = getattr(args, "disagreement", None)
    if disagreement is not None and (problem := disagreement(args)):
        args.parser.error(problem)
    return args


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
        "--last", type=cli_types.count, metavar="N", help="only the last N messages of the chat"
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

    for name, summary, add_options in _EVIDENCE_COMMANDS:
        add_options(commands.add_parser(name, allow_abbrev=False, help=summary))
    return parser


def _add_request_options(command: argparse.ArgumentParser) -> None:
    cli_types.add_trust(command)
    cli_types.add_json(command)
    command.add_argument(
        "--relay", type=cli_types.relay, metavar="URL", help="ask this relay, not the trust file's"
    )
    command.add_argument(
        "--no-stream",
        action="store_true",
        help="take the answer in one piece: on the wire nothing tells when which word came",
    )
    command.add_argument(
        "--receipt", type=Path, metavar="FILE", help="keep the signed erasure receipt in a new file"
    )
