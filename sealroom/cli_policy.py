# SPDX-License-Identifier: Apache-2.0
"""`sealroom policy`: writes a policy to begin with, and says what a policy leaves open."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from attest import FormatError, Refused, parse_evidence
from attest.azure import HCL_MAX_BYTES, ReportType, parse_hcl
from attest.evidence import EVIDENCE_MAX_BYTES, REPORT_MAX_BYTES, SnpEndorsements
from attest.findings import Finding, Reason, Stage, apply
from attest.gaps import Gap
from attest.lint import lint, platform_gaps
from attest.policy import Policy
from attest.roots import amd_roots
from attest.snp.claims import Claims
from attest.snp.product import PRODUCTS, ProductLine
from attest.snp.rules import RULES
from attest.snp.verify import Parsed, parse_all
from attest.statement import Platform, Statement, parse_statement
from sealroom import cli_types, policy_drafts, raw_forms
from sealroom.cli_files import check_new, read_input, write_new
from sealroom.cli_report import printable
from sealroom.errors import EXIT_OK, NotTrusted
from sealroom.policy_file import load_policy
from sealroom.policy_text import write_policy_text

EXIT_GAPS = 1

STRICT_TITLE = (
    "A strict policy, to be filled in: until every list has what it needs, it is refused by name.",
    "Floors are those of docs/firmware-floors.md; `sealroom policy lint` says what stays open.",
)
PINNED_TITLE = (
    "What this evidence claims of itself. Nobody has verified it: judge it with another policy,",
    "then loosen or change one thing at a time here.",
)


def add_options(command: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    action = actions.add_parser(
        "init", allow_abbrev=False, help="write a strict policy, or one that pins given evidence"
    )
    source = action.add_mutually_exclusive_group()
    source.add_argument(
        "--line",
        action="append",
        choices=[line.value for line in ProductLine],
        help="accept this line of processors (default: Genoa and Turin)",
    )
    source.add_argument("--from", dest="evidence", metavar="EVIDENCE", help="pin what it claims")
    source.add_argument("--report", metavar="FILE", help="pin what an SEV-SNP report claims")
    source.add_argument("--hcl", metavar="FILE", help="pin what an HCL report of Azure claims")
    cli_types.add_cert(action)
    action.add_argument(
        "--output", type=Path, metavar="FILE", help="write a new file, and not to stdout"
    )
    action.set_defaults(run=init, disagreement=raw_forms.wrong_options, json=False, crl=None)

    action = actions.add_parser(
        "lint", allow_abbrev=False, help="say what a policy leaves open, with what is known of it"
    )
    action.add_argument("policy", metavar="POLICY", help="a policy or a trust file")
    action.add_argument(
        "--strict", action="store_true", help=f"exit with {EXIT_GAPS} if anything is left open"
    )
    cli_types.add_json(action)
    action.set_defaults(run=lint_file)


def init(args: argparse.Namespace) -> int:
    """Writes a draft to stdout or to a new file."""
    if args.output is not None:
        check_new(args.output)
    text = "\n".join(_draft(args)) + "\n"
    if args.output is None:
        print(text, end="")
    else:
        write_new(args.output, text.encode("utf-8"))
    return EXIT_OK


def lint_file(args: argparse.Namespace) -> int:
    """Prints what the policy leaves open."""
    policy = load_policy(args.policy)
    gaps = lint(policy) if isinstance(policy, Policy) else platform_gaps(policy.snp, policy.tdx)
    if args.json:
        print(json.dumps({"gaps": [asdict(gap) for gap in gaps]}, indent=2))
    else:
        for line in _gap_lines(gaps):
            print(printable(line))
    return EXIT_GAPS if gaps and args.strict else EXIT_OK


def _gap_lines(gaps: tuple[Gap, ...]) -> Iterator[str]:
    for gap in gaps:
        references = f" ({', '.join(gap.references)})" if gap.references else ""
        yield f"{gap.rule}: {gap.where}"
        yield f"  {gap.means}{references}"
    yield f"{len(gaps)} left open" if gaps else "nothing is left open that a rule here knows of"


def _draft(args: argparse.Namespace) -> Iterator[str]:
    try:
        parsed, statement = _claimed(args)
    except (FormatError, Refused) as error:
        raise NotTrusted(error) from error
    if parsed is None:
        lines = [ProductLine(line) for line in args.line or policy_drafts.STRICT_LINES]
        yield write_policy_text(policy_drafts.strict(lines), STRICT_TITLE).rstrip()
        return
    claims = Claims(parsed.report, parsed.vek, _line(parsed))
    snp = policy_drafts.pinned_snp(claims)
    document = policy_drafts.pinned(snp, statement)
    against = [f"{f.reason}: {f.got}" for f in apply(RULES, snp, claims).findings]
    title = [*PINNED_TITLE, *(f"Refused whatever the policy says: {text}" for text in against)]
    yield write_policy_text(document, tuple(title)).rstrip()


def _claimed(args: argparse.Namespace) -> tuple[Parsed | None, Statement | None]:
    """What the given evidence says, if any is given."""
    if args.evidence is not None:
        evidence, endorsements = parse_evidence(read_input(args.evidence, EVIDENCE_MAX_BYTES))
        if not isinstance(endorsements, SnpEndorsements):
            raise _unsupported(evidence.platform)
        return parse_all(evidence.report, endorsements), parse_statement(evidence.statement)
    if args.report is not None:
        report = read_input(args.report, REPORT_MAX_BYTES)
    elif args.hcl is not None:
        hcl = parse_hcl(read_input(args.hcl, HCL_MAX_BYTES))
        if hcl.kind is not ReportType.SNP:
            raise _unsupported(hcl.kind.name)
        report = hcl.report
    else:
        return None, None
    return parse_all(report, raw_forms.read_endorsements(args, amd_roots())), None


def _unsupported(got: str) -> Refused:
    finding = Finding(Reason.UNSUPPORTED_PLATFORM, Platform.SEV_SNP, got)
    return Refused(Stage.FORMAT, [finding])


def _line(parsed: Parsed) -> ProductLine:
    """The line by the processor's own word, or before version 3 by its certificate's."""
    name = parsed.vek.product_name
    named = next((line for line, product in PRODUCTS.items() if name in product.names), None)
    line = named and (Claims(parsed.report, parsed.vek, named).cpuid_line or named)
    if line is None:
        wanted = ", ".join(ProductLine)
        raise NotTrusted(Refused(Stage.FORMAT, [Finding(Reason.UNSUPPORTED_PRODUCT, wanted, name)]))
    return line
