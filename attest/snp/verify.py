# SPDX-License-Identifier: Apache-2.0
"""Verifying an SEV-SNP report: format → chain → signature → rules.

It proves that a chip or a cloud that AMD vouches for signed this report, and that the policy
accepts what the report says. What the report's 64 bytes mean is for `attest.verify` to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from attest.errors import FormatError, UnsupportedError
from attest.evidence import SnpEndorsements
from attest.findings import Finding, Outcome, Reason, Refused, Stage, apply, conclude
from attest.result import Note, Notice, VerifiedReport, conclude_verification
from attest.snp.certificate import Vek, parse_vek
from attest.snp.chain import Chain, verify_chain
from attest.snp.claims import Claims
from attest.snp.policy import PLATFORM_BITS, SnpPolicy
from attest.snp.product import line_of
from attest.snp.report import SIGNED, ReportV2, ReportV3, parse_report
from attest.snp.roots import AmdRoot
from attest.snp.rules import PRODUCT_RULES, RULES
from attest.statement import Platform
from attest.x509 import Crl, parse_crl

NOTHING = Outcome((), None, ())

PRODUCTS_KNOWN = "Milan, Genoa or Turin"


@dataclass(frozen=True, slots=True)
class Parsed:
    """Everything that the format stage yields. None of it is believed yet."""

    report: ReportV2
    signed: bytes
    vek: Vek
    crl: Crl | None


def verify_report(
    report: bytes,
    endorsements: SnpEndorsements,
    policy: SnpPolicy,
    *,
    roots: tuple[AmdRoot, ...],
    now: datetime,
) -> VerifiedReport:
    """Verify one report of exactly 1184 bytes at the time ``now``.

    Raises:
        Refused: the first stage that does not hold, with all its findings.
        ValueError: ``now`` has no time zone.
    """
    return verify_parsed(parse_all(report, endorsements), policy, roots=roots, now=now)


def parse_all(report: bytes, endorsements: SnpEndorsements) -> Parsed:
    """The format stage: report, VEK certificate and CRL (rules S1, S3, S4).

    Raises:
        Refused: stage format, with a finding for each that is malformed or unsupported.
    """
    findings: list[Finding] = []
    parsed: ReportV2 | None = None
    vek: Vek | None = None
    crl: Crl | None = None
    try:
        parsed = parse_report(report)
        findings += _unsupported_product(parsed)
    except UnsupportedError as error:
        findings.append(Finding(Reason.UNSUPPORTED_REPORT_VERSION, "a known one", error.problem))
    except FormatError as error:
        findings.append(Finding(Reason.MALFORMED_REPORT, "a report", str(error)))
    try:
        vek = parse_vek(endorsements.vek)
    except UnsupportedError as error:
        findings.append(Finding(Reason.UNSUPPORTED_PRODUCT, PRODUCTS_KNOWN, str(error)))
    except FormatError as error:
        findings.append(Finding(Reason.MALFORMED_VEK, "a VEK certificate", str(error)))
    try:
        crl = None if endorsements.crl is None else parse_crl(endorsements.crl)
    except FormatError as error:
        findings.append(Finding(Reason.MALFORMED_CRL, "a CRL", str(error)))
    if findings or parsed is None or vek is None:
        raise Refused(Stage.FORMAT, findings)
    return Parsed(parsed, report[SIGNED.start : SIGNED.end], vek, crl)


def verify_parsed(
    parsed: Parsed, policy: SnpPolicy, *, roots: tuple[AmdRoot, ...], now: datetime
) -> VerifiedReport:
    """The stages after format; see `verify_report`."""
    if now.tzinfo is None:
        raise ValueError("wanted a time with a time zone")
    chain = verify_chain(parsed.vek, parsed.crl, roots, require_crl=policy.require_crl, now=now)
    _verify_signature(parsed)
    claims = Claims(parsed.report, parsed.vek, chain.root.line)
    product = policy.product(claims.line)
    outcomes = conclude(
        Stage.RULES,
        apply(RULES, policy, claims),
        NOTHING if product is None else apply(PRODUCT_RULES, product, claims),
    )
    return conclude_verification(
        VerifiedReport,
        platform=Platform.SEV_SNP,
        product_line=claims.line.value,
        measurement=parsed.report.measurement,
        report_data=parsed.report.report_data,
        tcb=claims.reported.text,
        tcb_status=None,
        advisories=(),
        outcomes=outcomes,
        notes=tuple(_notes(claims, chain)),
        expires=chain.expires,
    )


def _unsupported_product(report: ReportV2) -> Iterator[Finding]:
    if isinstance(report, ReportV3) and not line_of(report.cpuid_family, report.cpuid_model):
        got = f"family 0x{report.cpuid_family:x} model 0x{report.cpuid_model:x}"
        yield Finding(Reason.UNSUPPORTED_PRODUCT, PRODUCTS_KNOWN, got)


def _verify_signature(parsed: Parsed) -> None:
    """Rule S8: over the bytes that came, not over a re-encoding of what was parsed."""
    r = int.from_bytes(parsed.report.signature_r, "little")
    s = int.from_bytes(parsed.report.signature_s, "little")
    try:
        parsed.vek.public_key.verify(encode_dss_signature(r, s), parsed.signed, ECDSA(SHA384()))
    except InvalidSignature as error:
        wanted, got = "a signature by the VEK", "one that does not verify"
        finding = Finding(Reason.REPORT_SIGNATURE, wanted, got)
        raise Refused(Stage.SIGNATURE, [finding]) from error


def _notes(claims: Claims, chain: Chain) -> Iterator[Note]:
    report = claims.report
    if claims.committed != claims.current:
        got = f"committed {claims.committed.text}; current {claims.current.text}"
        yield Note(Notice.PROVISIONAL_FIRMWARE, got)
    if unknown := report.platform_info >> len(PLATFORM_BITS):
        yield Note(Notice.UNKNOWN_PLATFORM_BITS, f"0x{unknown << len(PLATFORM_BITS):x}")
    if report.chip_key_masked:
        yield Note(Notice.CHIP_KEY_MASKED, f"flags 0x{report.flags:x}")
    if report.chip_id_masked:
        yield Note(Notice.CHIP_ID_MASKED, claims.vek.kind)
    if not chain.crl_checked:
        yield Note(Notice.CRL_NOT_GIVEN, f"no CRL of {claims.line}")
