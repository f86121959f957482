# SPDX-License-Identifier: Apache-2.0
"""The one entry point: evidence, endorsements, policy, roots and a time in; a verified guest out.

Stages, in order: format, chain, signature, rules, binding, statement. (The log's stage comes before
the binding, once `attest.log` exists.) Each is entered only if the one before held. Nothing is
fetched and no clock is read: what is not an argument has no influence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest

from attest.errors import FormatError
from attest.evidence import Endorsements, Evidence, SnpEndorsements
from attest.findings import Finding, Reason, Refused, Rule, Stage, apply, conclude
from attest.policy import Policy, StatementPolicy, policy_digest
from attest.result import VerifiedGuest, VerifiedReport, conclude_verification
from attest.roots import Roots
from attest.snp.verify import Parsed, parse_all, verify_parsed
from attest.statement import Platform, Statement, parse_statement, report_data


@dataclass(frozen=True, slots=True)
class _Told:
    """A statement that a report vouches for, and the time at which it is judged."""

    statement: Statement
    now_s: int


@dataclass(frozen=True, slots=True)
class _Bound:
    """What binds a statement to a report: 64 bytes, and the platform that both name."""

    digest: bytes
    report_data: bytes
    told: Platform
    platform: Platform


BINDING_RULES: tuple[Rule[None, _Bound], ...] = (
    Rule(
        "S18",
        Reason.REPORT_DATA_MISMATCH,
        lambda p, c: compare_digest(c.report_data, c.digest),
        lambda p, c: f"SHA-512 of the statement, {c.digest.hex()}",
        lambda c: c.report_data.hex(),
    ),
    Rule(
        "B1",
        Reason.PLATFORM_MISMATCH,
        lambda p, c: c.told is c.platform,
        lambda p, c: c.platform,
        lambda c: c.told,
    ),
)

STATEMENT_RULES: tuple[Rule[StatementPolicy, _Told], ...] = (
    Rule(
        "B2",
        Reason.WRONG_PRODUCT,
        lambda p, c: c.statement.product in p.products,
        lambda p, c: " or ".join(sorted(p.products)),
        lambda c: c.statement.product,
    ),
    Rule(
        "B3",
        Reason.VARIANT_NOT_ACCEPTED,
        lambda p, c: c.statement.variant in p.variants,
        lambda p, c: " or ".join(sorted(p.variants)),
        lambda c: c.statement.variant,
    ),
    Rule(
        "B4",
        Reason.STATEMENT_NOT_YET_VALID,
        lambda p, c: c.statement.not_before <= c.now_s,
        lambda p, c: f"not before {c.statement.not_before}",
        lambda c: str(c.now_s),
    ),
    Rule(
        "B4",
        Reason.STATEMENT_EXPIRED,
        lambda p, c: c.now_s < c.statement.not_after,
        lambda p, c: f"before {c.statement.not_after}",
        lambda c: str(c.now_s),
    ),
    Rule(
        "B5",
        Reason.STATEMENT_LIFE_TOO_LONG,
        lambda p, c: c.statement.not_after - c.statement.not_before <= p.life_s,
        lambda p, c: f"at most {p.life_s} s",
        lambda c: f"{c.statement.not_after - c.statement.not_before} s",
    ),
    Rule(
        "B6",
        Reason.UNKNOWN_MODEL,
        lambda p, c: c.statement.model in p.models,
        lambda p, c: _hexes(p.models),
        lambda c: c.statement.model.hex(),
    ),
    Rule(
        "B6",
        Reason.UNKNOWN_PROMPTS,
        lambda p, c: c.statement.prompts in p.prompts,
        lambda p, c: _hexes(p.prompts),
        lambda c: c.statement.prompts.hex(),
    ),
    Rule(
        "B6",
        Reason.UNKNOWN_CONFIGURATION,
        lambda p, c: c.statement.configuration in p.configurations,
        lambda p, c: _hexes(p.configurations),
        lambda c: c.statement.configuration.hex(),
    ),
)


def verify(
    evidence: Evidence,
    endorsements: Endorsements,
    policy: Policy,
    *,
    roots: Roots,
    now: datetime,
) -> VerifiedGuest:
    """Decide whether the guest may be given anything, at the time ``now``.

    Raises:
        Refused: the first stage that does not hold, with every finding of that stage.
        ValueError: ``now`` has no time zone.
    """
    statement, parsed = _parse(evidence, endorsements)
    report = verify_parsed(parsed, policy.snp, roots=roots.amd, now=now)
    bound = _Bound(
        report_data(evidence.statement), report.report_data, statement.platform, report.platform
    )
    binding = conclude(Stage.BINDING, apply(BINDING_RULES, None, bound))
    told = _Told(statement, int(now.timestamp()))
    statement_checks = conclude(Stage.STATEMENT, apply(STATEMENT_RULES, policy.statement, told))
    return conclude_verification(
        VerifiedGuest,
        report=report,
        statement=statement,
        checks=report.checks + binding + statement_checks,
        policy_digest=policy_digest(policy),
        expires=_earlier(report, statement),
    )


def _parse(evidence: Evidence, endorsements: Endorsements) -> tuple[Statement, Parsed]:
    if evidence.platform is not Platform.SEV_SNP:
        finding = Finding(Reason.UNSUPPORTED_PLATFORM, Platform.SEV_SNP, evidence.platform)
        raise Refused(Stage.FORMAT, [finding])
    if not isinstance(endorsements, SnpEndorsements):
        got = type(endorsements).__name__
        finding = Finding(Reason.ENDORSEMENTS_MISMATCH, SnpEndorsements.__name__, got)
        raise Refused(Stage.FORMAT, [finding])
    findings: list[Finding] = []
    statement: Statement | None = None
    parsed: Parsed | None = None
    try:
        statement = parse_statement(evidence.statement)
    except FormatError as error:
        findings.append(Finding(Reason.MALFORMED_STATEMENT, "a statement", str(error)))
    try:
        parsed = parse_all(evidence.report, endorsements)
    except Refused as refused:
        findings += refused.findings
    if statement is None or parsed is None:
        raise Refused(Stage.FORMAT, findings)
    return statement, parsed


def _earlier(report: VerifiedReport, statement: Statement) -> datetime:
    return min(report.expires, datetime.fromtimestamp(statement.not_after, UTC))


def _hexes(values: frozenset[bytes]) -> str:
    return " or ".join(sorted(value.hex() for value in values))
