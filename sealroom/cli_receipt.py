# SPDX-License-Identifier: Apache-2.0
"""`sealroom verify-receipt`: checks, offline, an erasure receipt that `--receipt` kept.

The receipt must be signed by the key that the statement in the file names, and of its epoch. With
a policy, that statement must be of a guest which the policy accepts: without one, nothing says
whose key it is. Nothing in the file says when the answer came, so the guest is judged as of the
start of its keys' life, or of the time that is given.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from attest import FormatError, Refused, Roots, VerifiedGuest, parse_evidence
from attest import verify as verify_guest
from attest.policy import Policy
from attest.receipt import Receipt
from attest.roots import pinned_roots
from attest.statement import Statement, parse_statement
from sealroom import cli_types
from sealroom.cli_files import read_input
from sealroom.cli_report import guest_json, guest_lines, printable, receipt_json
from sealroom.combinations import Combination, wrong_options
from sealroom.errors import EXIT_OK, EvidenceFormatError, NotTrusted, TrustFileError
from sealroom.policy_file import POLICY_FORMAT, load_policy, load_roots
from sealroom.receipts import SIGNED_RECEIPT_MAX_BYTES, SignedReceipt, check_emptied
from sealroom.trust import Trust

PROVES = (
    "that the guest which holds this key saw the process of one exchange end, how, and what its "
    "kernel was told"
)
PROVES_NOT = (
    "what was asked or answered, or by whom; that no copy was made before the end, or exists in "
    "hardware; that a kernel does what it was told"
)
NOT_JUDGED = "not judged: with --policy or --trust it is, and only then the key is a guest's"

COMBINATIONS = (
    Combination(""),
    Combination("policy", may=("roots", "at")),
    Combination("trust", may=("roots", "at")),
    Combination("at", needs=("policy",), may=("roots",)),
    Combination("at", needs=("trust",), may=("roots",)),
    Combination("roots", needs=("policy",), may=("at",)),
    Combination("roots", needs=("trust",), may=("at",)),
)


def add_options(command: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    command.description = (
        "Checks an erasure receipt that `--receipt` kept: that the key in the attested statement "
        f"signed it, offline. It proves {PROVES}. It does not prove {PROVES_NOT}."
    )
    command.add_argument("file", metavar="FILE", help="a signed receipt, as `--receipt` keeps it")
    command.add_argument("--policy", metavar="FILE", help="judge the guest by it, pinned roots")
    command.add_argument("--trust", type=Path, metavar="FILE", help="judge the guest by it instead")
    command.add_argument("--roots", metavar="FILE", help="believe these roots and no others")
    command.add_argument(
        "--at",
        type=cli_types.time,
        metavar="TIME",
        help="judge the guest as of this RFC 3339 time; else as of the start of its keys' life",
    )
    cli_types.add_json(command)
    wrong = partial(wrong_options, rows=COMBINATIONS)
    command.set_defaults(run=verify, parser=command, disagreement=wrong)


def verify(args: argparse.Namespace) -> int:
    """Prints what the receipt says.

    Raises:
        InputError: the file cannot be read, or is too long.
        EvidenceFormatError: it is no signed receipt, or no evidence is in it.
        ReceiptError: another key signed it, or it is of another epoch or of an unusual end.
        NotTrusted: the policy does not accept the guest.
    """
    criteria = _criteria(args)
    data = read_input(args.file, SIGNED_RECEIPT_MAX_BYTES)
    try:
        signed = SignedReceipt.parse(data)
        statement = parse_statement(parse_evidence(signed.evidence)[0].statement)
    except FormatError as error:
        raise EvidenceFormatError(args.file, str(error)) from error
    at = args.at or datetime.fromtimestamp(statement.not_before, UTC)
    guest = None if criteria is None else _judge(signed.evidence, *criteria, at)
    receipt = signed.verify(statement)
    check_emptied(receipt)
    if args.json:
        print(json.dumps({"verified_receipt": _told(receipt, statement, guest, at)}, indent=2))
    else:
        for line in _lines(receipt, statement, guest, at):
            print(printable(line))
    return EXIT_OK


def _criteria(args: argparse.Namespace) -> tuple[Policy, Roots] | None:
    if args.trust is not None:
        trust = Trust.load(args.trust)
        return trust.policy, trust.roots if args.roots is None else load_roots(args.roots)
    if args.policy is None:
        return None
    policy = load_policy(args.policy)
    if not isinstance(policy, Policy):
        raise TrustFileError(args.policy, f"format {POLICY_FORMAT}", policy.format)
    return policy, pinned_roots() if args.roots is None else load_roots(args.roots)


def _judge(data: bytes, policy: Policy, roots: Roots, at: datetime) -> VerifiedGuest:
    try:
        evidence, endorsements = parse_evidence(data)
        return verify_guest(evidence, endorsements, policy, roots=roots, now=at)
    except (FormatError, Refused) as error:
        raise NotTrusted(error) from error


def _told(
    receipt: Receipt, statement: Statement, guest: VerifiedGuest | None, at: datetime
) -> dict[str, object]:
    return {
        "receipt": receipt_json(receipt),
        "receipt_key": statement.receipt_key.hex(),
        "guest": None if guest is None else guest_json(guest),
        "judged_at": None if guest is None else _time(at),
        "proves": PROVES,
        "proves_not": PROVES_NOT,
    }


def _lines(
    receipt: Receipt, statement: Statement, guest: VerifiedGuest | None, at: datetime
) -> Iterator[str]:
    whose = "the enclosed statement" if guest is None else "a trusted guest's statement"
    kernel = receipt.kernel
    yield f"the receipt is signed by the key in {whose}"
    yield f"exchange     {receipt.exchange.hex()}"
    yield f"ended        {receipt.ended} with {receipt.code}"
    yield f"lived        {receipt.lived_ms} ms, empty {receipt.erased_ms} ms after its last byte"
    yield (
        f"kernel       init_on_free {kernel.init_on_free}, swap {kernel.swap}, "
        f"core dumps {kernel.core_dumps}"
    )
    yield f"receipt key  {statement.receipt_key.hex()}, epoch {receipt.epoch}"
    yield f"proves       {PROVES}"
    yield f"proves not   {PROVES_NOT}"
    if guest is None:
        yield f"guest        {NOT_JUDGED}"
        return
    yield f"guest        trusted as of {_time(at)}"
    yield from guest_lines(guest)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
