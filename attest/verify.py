# SPDX-License-Identifier: Apache-2.0
"""The one entry point: evidence, endorsements, policy, roots and a time in; a verified guest out.

Stages, in order: format, chain, signature, rules, binding, statement. (The log's stage comes before
the binding, once `attest.log` exists.) Each is entered only if the one before held. Nothing is
fetched and no clock is read: what is not an argument has no influence.

A platform's rooms, and `cryptography` with them, are imported with the first evidence of it: most
programs meet one platform, and importing `attest` should not keep them waiting for both. Only this
file, `attest.roots` and `attest.policy` import late; `load` does it at a time of one's own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from attest.errors import FormatError
from attest.evidence import Endorsements, Evidence, SnpEndorsements, TdxEndorsements
from attest.findings import Finding, Reason, Refused, Stage, apply, conclude, words
from attest.policy import Policy, policy_digest
from attest.result import VerifiedGuest, VerifiedReport, conclude_verification
from attest.roots import Roots
from attest.rules import BINDING_RULES, STATEMENT_RULES, Bound, Told
from attest.statement import Platform, Statement, parse_statement, report_data

if TYPE_CHECKING:
    from attest.snp.policy import SnpPolicy
    from attest.tdx.policy import TdxPolicy

VerifyRest = Callable[[], VerifiedReport]

ROOMS = {Platform.SEV_SNP: "attest.snp.verify", Platform.TDX: "attest.tdx.verify"}
BACKEND = "cryptography.hazmat.backends.openssl.backend"  # cryptography's own: with its first key


def load(*platforms: Platform) -> None:
    """Import all that verifying evidence of these platforms takes; of every one, if none is named.

    For a process that gives up its files before the first evidence comes, or that would rather wait
    at its start. It changes no result.
    """
    for name in (BACKEND, *(ROOMS[platform] for platform in platforms or ROOMS)):
        import_module(name)


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
    statement, verify_rest = _parse(evidence, endorsements, policy, roots, now)
    report = verify_rest()
    bound = Bound(
        digest=report_data(evidence.statement),
        report_data=report.report_data,
        told=statement.platform,
        platform=report.platform,
    )
    held = conclude(Stage.BINDING, apply(BINDING_RULES, None, bound))
    told = Told(statement, int(now.timestamp()))
    held += conclude(Stage.STATEMENT, apply(STATEMENT_RULES, policy.statement, told))
    return conclude_verification(
        VerifiedGuest,
        report=report,
        statement=statement,
        outcomes=report.outcomes + held,
        policy_digest=policy_digest(policy),
        expires=min(report.expires, datetime.fromtimestamp(statement.not_after, UTC)),
    )


def _parse(
    evidence: Evidence, endorsements: Endorsements, policy: Policy, roots: Roots, now: datetime
) -> tuple[Statement, VerifyRest]:
    findings: list[Finding] = []
    statement: Statement | None = None
    verify_rest: VerifyRest | None = None
    try:
        statement = parse_statement(evidence.statement)
    except FormatError as error:
        findings.append(Finding(Reason.MALFORMED_STATEMENT, "a statement", str(error)))
    try:
        verify_rest = _parse_report(evidence, endorsements, policy, roots, now)
    except Refused as refused:
        findings += refused.findings
    if statement is None or verify_rest is None:
        raise Refused(Stage.FORMAT, findings)
    return statement, verify_rest


def _parse_report(
    evidence: Evidence, endorsements: Endorsements, policy: Policy, roots: Roots, now: datetime
) -> VerifyRest:
    """The format stage of the evidence's platform; what is returned goes through its others."""
    platform, report = evidence.platform, evidence.report
    if platform is Platform.SEV_SNP and policy.snp is not None:
        if isinstance(endorsements, SnpEndorsements):
            return _parse_snp(report, endorsements, policy.snp, roots, now)
    elif platform is Platform.TDX and policy.tdx is not None:
        if isinstance(endorsements, TdxEndorsements):
            return _parse_tdx(report, endorsements, policy.tdx, roots, now)
    else:
        finding = Finding(Reason.UNSUPPORTED_PLATFORM, words(frozenset(policy.platforms)), platform)
        raise Refused(Stage.FORMAT, [finding])
    got = type(endorsements).__name__
    finding = Finding(Reason.ENDORSEMENTS_MISMATCH, f"endorsements for {platform}", got)
    raise Refused(Stage.FORMAT, [finding])


def _parse_snp(
    report: bytes, endorsements: SnpEndorsements, policy: SnpPolicy, roots: Roots, now: datetime
) -> VerifyRest:
    from attest.snp import verify as room  # noqa: PLC0415 (with the first evidence: see above)

    parsed = room.parse_all(report, endorsements)
    return partial(room.verify_parsed, parsed, policy, roots=roots.amd, now=now)


def _parse_tdx(
    report: bytes, endorsements: TdxEndorsements, policy: TdxPolicy, roots: Roots, now: datetime
) -> VerifyRest:
    from attest.tdx import verify as room  # noqa: PLC0415 (with the first evidence: see above)

    parsed = room.parse_all(report, endorsements.collateral, policy)
    return partial(room.verify_parsed, parsed, policy, roots=roots.intel, now=now)
