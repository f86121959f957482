# SPDX-License-Identifier: Apache-2.0
"""The one entry point: evidence, endorsements, policy, roots and a time in; a verified guest out.

Stages, in order: format, chain, signature, rules, binding, statement. (The log's stage comes before
the binding, once `attest.log` exists.) Each is entered only if the one before held. Nothing is
fetched and no clock is read: what is not an argument has no influence.
"""

from __future__ import annotations

from datetime import UTC, datetime

from attest.errors import FormatError
from attest.evidence import Endorsements, Evidence, SnpEndorsements
from attest.findings import Finding, Reason, Refused, Stage, apply, conclude
from attest.policy import Policy, policy_digest
from attest.result import VerifiedGuest, conclude_verification
from attest.roots import Roots
from attest.rules import BINDING_RULES, STATEMENT_RULES, Bound, Told
from attest.snp.verify import Parsed, parse_all, verify_parsed
from attest.statement import Platform, Statement, parse_statement, report_data


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
    bound = Bound(
        digest=report_data(evidence.statement),
        report_data=report.report_data,
        told=statement.platform,
        platform=report.platform,
    )
    bound_checks = conclude(Stage.BINDING, apply(BINDING_RULES, None, bound))
    told = Told(statement, int(now.timestamp()))
    told_checks = conclude(Stage.STATEMENT, apply(STATEMENT_RULES, policy.statement, told))
    return conclude_verification(
        VerifiedGuest,
        report=report,
        statement=statement,
        checks=report.checks + bound_checks + told_checks,
        policy_digest=policy_digest(policy),
        expires=min(report.expires, datetime.fromtimestamp(statement.not_after, UTC)),
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
