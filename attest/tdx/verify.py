# SPDX-License-Identifier: Apache-2.0
"""Verifying a TDX quote: format → chain → signature → rules.

It proves that a TDX module on a platform that Intel vouches for made this TD report, and that the
policy accepts what the report and Intel's rating of the platform say. What the report's 64 bytes
mean is for `attest.verify` to say.

What parsing and checking a signature gave is remembered by the bytes it was given for, for a
platform's certificates and collateral come with every quote of it. Whether they are in force is
never remembered: every rule looks at the time it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from attest.errors import FormatError, UnsupportedError
from attest.findings import Finding, Reason, Refused, Stage, apply, conclude
from attest.result import Note, Notice, VerifiedReport, conclude_verification
from attest.statement import Platform
from attest.tdx.certificate import PckChain, parse_pck_chain
from attest.tdx.chain import verify_chain
from attest.tdx.claims import Claims
from attest.tdx.collateral import Collateral, parse_collateral
from attest.tdx.policy import TdxPolicy
from attest.tdx.quote import Kind, Quote, TdReport15, UnsupportedQuoteError, parse_quote
from attest.tdx.roots import IntelRoot
from attest.tdx.rules import RULES, SIGNATURE_RULES
from attest.tdx.status import TcbStatus
from attest.tdx.tcb import evaluate

UNSUPPORTED: dict[Kind, Reason] = {
    Kind.VERSION: Reason.UNSUPPORTED_QUOTE_VERSION,
    Kind.TEE: Reason.UNSUPPORTED_PLATFORM,
    Kind.KEY: Reason.UNSUPPORTED_KEY_TYPE,
    Kind.BODY: Reason.UNSUPPORTED_BODY_TYPE,
    Kind.CERTIFICATION: Reason.UNSUPPORTED_CERTIFICATION,
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """Everything that the format stage yields. None of it is believed yet."""

    quote: Quote
    chain: PckChain
    collateral: Collateral


def verify_quote(
    quote: bytes,
    collateral: bytes,
    policy: TdxPolicy,
    *,
    roots: tuple[IntelRoot, ...],
    now: datetime,
) -> VerifiedReport:
    """Verify one quote, with the zeros that may follow it, at the time ``now``.

    Args:
        quote: version 4 or 5.
        collateral: QuoteCollateralV3, JSON.
        policy: what is demanded.
        roots: whom the verifier believes.
        now: aware, UTC.

    Raises:
        Refused: the first stage that does not hold, with all its findings.
        ValueError: ``now`` has no time zone.
    """
    return verify_parsed(parse_all(quote, collateral, policy), policy, roots=roots, now=now)


def parse_all(quote: bytes, collateral: bytes, policy: TdxPolicy) -> Parsed:
    """The format stage: quote, PCK chain and collateral (rules T1, T2, T5).

    Raises:
        Refused: stage format, with a finding for each that is malformed or unsupported.
    """
    findings: list[Finding] = []
    parsed: Quote | None = None
    chain: PckChain | None = None
    material: Collateral | None = None
    try:
        parsed = parse_quote(quote)
        findings += _trailing(parsed, policy)
    except UnsupportedQuoteError as error:
        wanted = f"{error.kind} {error.wanted}"
        findings.append(Finding(UNSUPPORTED[error.kind], wanted, str(error.got)))
    except FormatError as error:
        findings.append(Finding(Reason.MALFORMED_QUOTE, "a quote", str(error)))
    if parsed is not None:
        try:
            chain = parse_pck_chain(parsed.pck_chain)
        except FormatError as error:
            findings.append(Finding(Reason.MALFORMED_PCK_CHAIN, "a PCK chain", str(error)))
    try:
        material = parse_collateral(collateral)
    except UnsupportedError as error:
        findings.append(Finding(Reason.UNSUPPORTED_COLLATERAL, "TDX's", str(error)))
    except FormatError as error:
        findings.append(Finding(Reason.MALFORMED_COLLATERAL, "collateral", str(error)))
    if findings or parsed is None or chain is None or material is None:
        raise Refused(Stage.FORMAT, findings)
    return Parsed(parsed, chain, material)


def verify_parsed(
    parsed: Parsed, policy: TdxPolicy, *, roots: tuple[IntelRoot, ...], now: datetime
) -> VerifiedReport:
    """The stages after format; see `verify_quote`."""
    if now.tzinfo is None:
        raise ValueError("wanted a time with a time zone")
    quote, pck, collateral = parsed.quote, parsed.chain.pck, parsed.collateral
    outcomes, expires = verify_chain(parsed.chain, collateral, roots, now)
    outcomes += conclude(Stage.SIGNATURE, apply(SIGNATURE_RULES, pck, quote))
    tcb_info, qe_identity = collateral.tcb_info, collateral.qe_identity
    evaluation = evaluate(tcb_info, qe_identity, pck, quote.body, quote.qe_report)
    claims = Claims(quote, pck, tcb_info, qe_identity, evaluation)
    outcomes += conclude(Stage.RULES, apply(RULES, policy, claims))
    return conclude_verification(
        VerifiedReport,
        platform=Platform.TDX,
        product_line=f"FMSPC {pck.fmspc.hex()}",
        measurement=quote.body.mrtd,
        report_data=quote.body.report_data,
        tcb=claims.tcb,
        tcb_status=evaluation.status,
        advisories=evaluation.advisories,
        outcomes=outcomes,
        notes=tuple(_notes(claims)),
        expires=expires,
    )


def _trailing(quote: Quote, policy: TdxPolicy) -> Iterator[Finding]:
    if any(quote.trailing) and not policy.trailing_bytes:
        got = f"{len(quote.trailing)} bytes, not all zero"
        yield Finding(Reason.TRAILING_BYTES, "only zeros after the quote", got)


def _notes(claims: Claims) -> Iterator[Note]:
    body, status = claims.body, claims.evaluation.status
    if status is not TcbStatus.UP_TO_DATE:
        yield Note(Notice.TCB_NOT_UP_TO_DATE, claims.tcb)
    if isinstance(body, TdReport15) and body.tee_tcb_svn != body.tee_tcb_svn2:
        yield Note(Notice.MODULE_UPDATED, claims.module_versions)
    if any(claims.quote.trailing):
        yield Note(Notice.TRAILING_BYTES, f"{len(claims.quote.trailing)} bytes")
