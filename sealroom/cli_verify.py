# SPDX-License-Identifier: Apache-2.0
"""`sealroom verify`: judges evidence in a file, offline, at any time one likes.

An evidence object gives a verified guest, as `connect` makes it; a raw form gives a verified
report. Policy and roots are the trust file's; with `--policy`, which leaves the trust file unread,
the roots are the pinned ones. `--roots` says others in either case.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from datetime import datetime
from functools import partial

from attest import FormatError, Refused, Roots, VerifiedGuest, parse_evidence
from attest import verify as verify_guest
from attest.evidence import EVIDENCE_MAX_BYTES
from attest.policy import Policy
from attest.roots import pinned_roots
from sealroom import cli_types, raw_forms
from sealroom.cli_files import read_input
from sealroom.cli_report import (
    Json,
    guest_json,
    guest_lines,
    printable,
    report_json,
    report_lines,
)
from sealroom.combinations import spell, wrong_options
from sealroom.errors import EXIT_OK, NotTrusted, TrustFileError, UsageError
from sealroom.hexadecimal import read_hex
from sealroom.policy_file import POLICY_FORMAT, ReportPolicy, digest, load_policy, load_roots
from sealroom.room import wall_clock
from sealroom.show.forms import form_of
from sealroom.trust import Trust


def add_options(command: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    command.add_argument(
        "file", nargs="?", metavar="EVIDENCE", help="an evidence object, as a guest gives it"
    )
    command.add_argument("--report", metavar="FILE", help="an SEV-SNP report of 1184 bytes")
    command.add_argument(
        "--hcl",
        metavar="FILE",
        help="an HCL report from the vTPM of an Azure VM: with --cert on SEV-SNP; with --quote and "
        "--collateral on TDX, where nothing else signs what is in it",
    )
    command.add_argument("--quote", metavar="FILE", help="a TDX quote")
    cli_types.add_cert(command)
    command.add_argument("--crl", metavar="FILE", help="AMD's revocation list, DER or PEM")
    command.add_argument("--collateral", metavar="FILE", help="the quote's QuoteCollateralV3 JSON")
    command.add_argument(
        "--endorsements",
        metavar="FILE",
        help="a bundle, as `endorsements fetch` writes it, in the place of the three before",
    )
    command.add_argument("--policy", metavar="FILE", help="judge by this policy, pinned roots")
    command.add_argument("--roots", metavar="FILE", help="believe these roots and no others")
    command.add_argument(
        "--at",
        type=cli_types.time,
        metavar="TIME",
        help="judge as of this RFC 3339 time, and not of now",
    )
    cli_types.add_trust(command)
    cli_types.add_json(command)
    wrong = partial(wrong_options, rows=raw_forms.COMBINATIONS)
    command.set_defaults(run=verify, parser=command, disagreement=wrong)


def verify(args: argparse.Namespace) -> int:
    """Prints what was verified; what is not trusted is raised as `NotTrusted`."""
    policy, roots = _trusted(args)
    now = args.at or wall_clock()
    if args.file is None:
        by = raw_forms.Criteria(snp=policy.snp, tdx=policy.tdx, roots=roots, now=now)
        report = raw_forms.judge(args, by)
        told, lines = report_json(report, digest(policy)), report_lines(report, digest(policy))
        _tell(args, "report", told, lines)
    else:
        guest = _verify_object(args, policy, roots, now)
        _tell(args, "guest", guest_json(guest), guest_lines(guest))
    return EXIT_OK


def _trusted(args: argparse.Namespace) -> tuple[Policy | ReportPolicy, Roots]:
    if args.policy is None:
        if args.file is None and not args.trust.exists():
            raise UsageError(str(args.trust), "no such file; a raw form can do with --policy alone")
        trust = Trust.load(args.trust)
        return trust.policy, trust.roots if args.roots is None else load_roots(args.roots)
    policy = load_policy(args.policy)
    return policy, pinned_roots() if args.roots is None else load_roots(args.roots)


def _verify_object(
    args: argparse.Namespace, policy: Policy | ReportPolicy, roots: Roots, now: datetime
) -> VerifiedGuest:
    data = read_input(args.file, EVIDENCE_MAX_BYTES)
    form = form_of(read_hex(data))
    if form is not None and form.name in raw_forms.OPTION_OF:
        option = spell(raw_forms.OPTION_OF[form.name])
        raise UsageError(args.file, f"wanted an evidence object; {option} reads this {form.name}")
    if not isinstance(policy, Policy):
        raise TrustFileError(args.policy, f"format {POLICY_FORMAT}", policy.format)
    try:
        evidence, endorsements = parse_evidence(data)
        return verify_guest(evidence, endorsements, policy, roots=roots, now=now)
    except (FormatError, Refused) as error:
        raise NotTrusted(error) from error


def _tell(args: argparse.Namespace, name: str, told: Json, lines: Iterable[str]) -> None:
    if args.json:
        print(json.dumps({name: told}, indent=2))
        return
    print(f"the {name} is trusted")
    for line in lines:
        print(printable(line))
