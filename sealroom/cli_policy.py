# SPDX-License-Identifier: Apache-2.0
"""`sealroom policy`: writes a policy to begin with, and says what a policy leaves open."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from pathlib import Path

from attest import FormatError, Refused, parse_evidence
from attest.azure import ReportType, parse_hcl
from attest.evidence import (
    COLLATERAL_MAX_BYTES,
    EVIDENCE_MAX_BYTES,
    SnpEndorsements,
)
from attest.findings import Finding, Reason, Stage, apply
from attest.gaps import Gap
from attest.lint import lint, platform_gaps
from attest.policy import Policy
from attest.roots import amd_roots
from attest.snp.claims import Claims
from attest.snp.product import PRODUCTS, ProductLine
from attest.snp.rules import RULES
from attest.snp.verify import Parsed, parse_all
from attest.statement import Statement, parse_statement
from sealroom import cli_types, policy_drafts, raw_forms, release_drafts
from sealroom.cli_files import check_new, read_input, write_new
from sealroom.cli_release import load_manifest
from sealroom.cli_report import printable
from sealroom.combinations import Combination, wrong_options
from sealroom.errors import EXIT_OK, NotTrusted, UsageError
from sealroom.policy_drafts import Document
from sealroom.policy_file import load_policy
from sealroom.policy_text import write_policy_text
from sealroom.raw_forms import read_binary
from sealroom.show.forms import form_of
from sealroom.tdx_drafts import pinned_tdx

EXIT_GAPS = 1

# The lines above a draft.
Title = tuple[str, ...]

STRICT_TITLE = (
    "A strict policy, to be filled in: until every list has what it needs, it is refused by name.",
    "Floors are those of docs/firmware-floors.md; `sealroom policy lint` says what stays open.",
)
PINNED_TITLE = (
    "What this evidence claims of itself. Nobody has verified it: judge it with another policy,",
    "then loosen or change one thing at a time here.",
)
RELEASE_TITLE = (
    "A strict policy for a published release, to be filled in: chips or platforms, configurations.",
    "Verify the release first: `sealroom release verify`.",
)
UNRATED_TITLE = (
    "No collateral was given: the best rating is demanded, and nothing of the collateral's age.",
)

# What `policy init` may be given together.
COMBINATIONS = (
    Combination("evidence", (), ("cert", "collateral")),
    Combination("report", ("cert",)),
    Combination("hcl", ("cert",)),
    Combination("quote", (), ("collateral",)),
    Combination("release", (), ("line", "tdx", "vcpus")),
    Combination("line", (), ("tdx",)),
    Combination("tdx"),
    Combination(""),
)


def add_options(command: argparse.ArgumentParser) -> None:
    """What may stand on the command line."""
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    action = actions.add_parser(
        "init", allow_abbrev=False, help="write a strict policy, or one that pins given evidence"
    )
    action.add_argument(
        "--line",
        action="append",
        choices=[line.value for line in ProductLine],
        help="accept this line of AMD's processors (default: Genoa and Turin)",
    )
    action.add_argument(
        "--tdx", action="store_true", help="accept TDX; without --line nothing else"
    )
    action.add_argument(
        "--release",
        metavar="MANIFEST",
        help="fill in what this release's manifest says of the production image",
    )
    action.add_argument(
        "--vcpus",
        type=cli_types.count,
        metavar="N",
        help="with a release: accept SEV-SNP guests of this size alone",
    )
    action.add_argument(
        "--from",
        dest="evidence",
        metavar="EVIDENCE",
        help="pin what this claims: an evidence object, or any of the next three",
    )
    action.add_argument("--report", metavar="FILE", help="pin what an SEV-SNP report claims")
    action.add_argument("--hcl", metavar="FILE", help="pin what an HCL report of Azure claims")
    action.add_argument("--quote", metavar="FILE", help="pin what a TDX quote claims")
    cli_types.add_cert(action)
    action.add_argument(
        "--collateral",
        metavar="FILE",
        help="with a quote: demand the rating that this gives it, and not the best",
    )
    action.add_argument(
        "--output", type=Path, metavar="FILE", help="write a new file, and not to stdout"
    )
    wrong = partial(wrong_options, rows=COMBINATIONS)
    action.set_defaults(run=init, parser=action, disagreement=wrong, json=False)
    action.set_defaults(crl=None, endorsements=None)

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
        document, title = _document(args)
    except (FormatError, Refused) as error:
        raise NotTrusted(error) from error
    yield write_policy_text(document, title).rstrip()


def _document(args: argparse.Namespace) -> tuple[Document, Title]:
    """The draft, and the lines above it."""
    option = next((name for name in _DRAFTS if getattr(args, name) is not None), None)
    if option is None:
        asked = args.line or ([] if args.tdx else policy_drafts.STRICT_LINES)
        lines = [ProductLine(line) for line in asked]
        strict = policy_drafts.strict(lines, tdx=args.tdx)
        return (strict, STRICT_TITLE) if args.release is None else _of_release(strict, args)
    data = read_binary(getattr(args, option), EVIDENCE_MAX_BYTES)
    if option == "evidence":
        option = _option_of(data, args)
    return _DRAFTS[option](data, args)


def _of_release(strict: Document, args: argparse.Namespace) -> tuple[Document, Title]:
    manifest, data = load_manifest(args.release)
    lines = (
        f"release {manifest.version} ({manifest.status}), manifest {sha256(data).hexdigest()}",
    )
    return release_drafts.fill_in(strict, manifest, args.vcpus), (*RELEASE_TITLE, *lines)


def _option_of(data: bytes, args: argparse.Namespace) -> str:
    """The option that would have named this form; what goes with that must go with this."""
    form = form_of(data)
    name = "" if form is None else form.name
    option = raw_forms.OPTION_OF.get(name, "evidence")
    others = argparse.Namespace(cert=args.cert, collateral=args.collateral)
    setattr(others, option, args.evidence)
    rows = [row for row in COMBINATIONS if row.option != "evidence"]
    if problem := wrong_options(others, [Combination("evidence"), *rows]):
        raise UsageError(args.evidence, f"as {name or 'no form that is known'}, {problem}")
    return option


def _of_object(data: bytes, _: argparse.Namespace) -> tuple[Document, Title]:
    evidence, endorsements = parse_evidence(data)
    statement = parse_statement(evidence.statement)
    if isinstance(endorsements, SnpEndorsements):
        return _pin_snp(parse_all(evidence.report, endorsements), statement)
    return _pin_tdx(evidence.report, endorsements.collateral, statement)


def _of_report(data: bytes, args: argparse.Namespace) -> tuple[Document, Title]:
    return _pin_snp(parse_all(data, raw_forms.read_endorsements(args, amd_roots())), None)


def _of_hcl(data: bytes, args: argparse.Namespace) -> tuple[Document, Title]:
    hcl = parse_hcl(data)
    if hcl.kind is not ReportType.SNP:
        wanted = f"{ReportType.SNP.name}, or the quote of this one with --quote"
        finding = Finding(Reason.UNSUPPORTED_PLATFORM, wanted, hcl.kind.name)
        raise Refused(Stage.FORMAT, [finding])
    return _of_report(hcl.report, args)


def _of_quote(data: bytes, args: argparse.Namespace) -> tuple[Document, Title]:
    name = args.collateral
    return _pin_tdx(data, None if name is None else read_input(name, COLLATERAL_MAX_BYTES), None)


# How each option's file becomes a draft.
_DRAFTS: dict[str, Callable[[bytes, argparse.Namespace], tuple[Document, Title]]] = {
    "evidence": _of_object,
    "report": _of_report,
    "hcl": _of_hcl,
    "quote": _of_quote,
}


def _pin_snp(parsed: Parsed, statement: Statement | None) -> tuple[Document, Title]:
    claims = Claims(parsed.report, parsed.vek, _line(parsed))
    snp = policy_drafts.pinned_snp(claims)
    document = policy_drafts.pinned(snp, None, statement)
    return document, _title(apply(RULES, snp, claims).findings)


def _pin_tdx(
    quote: bytes, collateral: bytes | None, statement: Statement | None
) -> tuple[Document, Title]:
    tdx, against = pinned_tdx(quote, collateral)
    title = _title(against) + (UNRATED_TITLE if collateral is None else ())
    return policy_drafts.pinned(None, tdx, statement), title


def _title(against: tuple[Finding, ...]) -> Title:
    refused = (f"Refused whatever the policy says: {f.reason}: {f.got}" for f in against)
    return (*PINNED_TITLE, *refused)


def _line(parsed: Parsed) -> ProductLine:
    """The line by the processor's own word, or before version 3 by its certificate's."""
    name = parsed.vek.product_name
    named = next((line for line, product in PRODUCTS.items() if name in product.names), None)
    line = named and (Claims(parsed.report, parsed.vek, named).cpuid_line or named)
    if line is None:
        wanted = ", ".join(ProductLine)
        raise NotTrusted(Refused(Stage.FORMAT, [Finding(Reason.UNSUPPORTED_PRODUCT, wanted, name)]))
    return line
