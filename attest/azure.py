# SPDX-License-Identifier: Apache-2.0
"""Azure's form of evidence: the HCL report that a vTPM keeps at NV index 0x01400001.

The paravisor (HCL) wraps the hardware's report with the JSON of its runtime claims, the vTPM's
attestation key among them. Only the report is signed; what binds the JSON to it is REPORT_DATA,
which is SHA-256 of the JSON's exact bytes and 32 zero bytes (rule A1). So a verified HCL report
says which vTPM key belongs to which launch; what that vTPM quotes is not judged here.

On TDX the report inside is a TDREPORT, which only its own processor can check. A quote of the same
TD stands in for a signature: it is verified like any other, and must agree with the TDREPORT in
every field (rule A2). Without one, nothing vouches for what is in there, and it is refused.

Layout: microsoft/openvmm, openhcl_attestation_protocol, igvm_attest/get.rs, IgvmAttestRequestBase.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from hmac import compare_digest
from typing import Annotated, ClassVar, NoReturn

from attest.endorsements import SnpEndorsements
from attest.errors import FormatError
from attest.findings import Finding, Outcome, Reason, Refused, Rule, Stage, apply, conclude
from attest.layout import U32, Raw, Span, decode
from attest.result import VerifiedReport, conclude_verification
from attest.snp.policy import SnpPolicy
from attest.snp.report import ReportV2
from attest.snp.roots import AmdRoot
from attest.snp.verify import verify_report
from attest.tdx.policy import TdxPolicy
from attest.tdx.quote import TdReport10, parse_quote
from attest.tdx.roots import IntelRoot
from attest.tdx.td_report import TdReport, differences, parse_td_report
from attest.tdx.verify import verify_quote

HCL_MAX_BYTES = 16384
MAGIC = b"HCLA"
CLAIMS_AT = 0x4D4  # where the JSON begins in a request of version 1
CAPABILITIES_BYTES = 4  # version 2 of the request data has this many more bytes before the JSON

_WHAT = "HCL report"
_AK_CERT_REQUEST = 2
_SHA256 = 1


class ReportType(IntEnum):
    """Which hardware report is inside."""

    VBS = 1
    SNP = 2
    TRUSTED_VM = 3
    TDX = 4


@dataclass(frozen=True, slots=True)
class HclHeader:
    """What precedes the runtime claims; all little endian."""

    magic: Annotated[bytes, Raw(0x000, 4)]
    version: Annotated[int, U32(0x004)]
    size: Annotated[int, U32(0x008)]
    request_type: Annotated[int, U32(0x00C)]
    status: Annotated[int, U32(0x010)]
    report: Annotated[bytes, Raw(0x020, ReportV2.SIZE)]
    data_size: Annotated[int, U32(0x4C0)]
    data_version: Annotated[int, U32(0x4C4)]
    report_type: Annotated[int, U32(0x4C8)]
    hash_type: Annotated[int, U32(0x4CC)]
    claims_size: Annotated[int, U32(0x4D0)]

    SIZE: ClassVar[int] = CLAIMS_AT
    RESERVED: ClassVar[tuple[Span, ...]] = (Span(0x014, 0x020),)


@dataclass(frozen=True, slots=True)
class HclReport:
    """An HCL report as parsed: nothing in it is believed yet.

    Attributes:
        header: its fixed part.
        kind: which hardware report is inside.
        report: that report: an SEV-SNP report, or a TDREPORT without the zeros after it.
        claims: the runtime claims, JSON, the exact bytes.
    """

    header: HclHeader
    kind: ReportType
    report: bytes
    claims: bytes


def parse_hcl(data: bytes) -> HclReport:
    """Read one HCL report, with the zero bytes that an NV index puts after it.

    Raises:
        FormatError: another layout, an unknown kind of report, or a hash other than SHA-256.
    """
    if len(data) > HCL_MAX_BYTES:
        raise FormatError(_WHAT, HCL_MAX_BYTES, f"wanted at most {HCL_MAX_BYTES} bytes")
    header = decode(HclHeader, data[:CLAIMS_AT])
    _wanted(0x000, "magic", header.magic, (MAGIC,))
    _wanted(0x004, "version", header.version, (1, 2))
    _wanted(0x00C, "request type", header.request_type, (_AK_CERT_REQUEST,))
    _wanted(0x010, "status", header.status, (0,))
    _wanted(0x4C4, "data version", header.data_version, (1, 2))
    _wanted(0x4C8, "report type", header.report_type, tuple(ReportType))
    _wanted(0x4CC, "hash type", header.hash_type, (_SHA256,))
    begin = CLAIMS_AT + (CAPABILITIES_BYTES if header.data_version == 2 else 0)
    end = begin + header.claims_size
    if end > len(data) or not header.claims_size:
        raise FormatError(_WHAT, 0x4D0, f"{header.claims_size} bytes of claims are not there")
    _wanted(0x4C0, "data size", header.data_size, (end - 0x4C0,))
    _wanted(0x008, "size", header.size, (end,))
    if any(data[end:]):
        raise FormatError(_WHAT, end, "bytes after the claims are not zero")
    kind = ReportType(header.report_type)
    size = TdReport.SIZE if kind is ReportType.TDX else ReportV2.SIZE
    if any(header.report[size:]):
        raise FormatError(_WHAT, 0x020 + size, "bytes after the TDREPORT are not zero")
    return HclReport(header, kind, header.report[:size], data[begin:end])


def claims_report_data(claims: bytes) -> bytes:
    """The 64 bytes of REPORT_DATA that vouch for exactly these runtime claims."""
    return hashlib.sha256(claims).digest() + bytes(32)


def _wanted_report_data(claims: bytes) -> str:
    return f"SHA-256 of the runtime claims and 32 zero bytes, {claims_report_data(claims).hex()}"


def _agreement(other: tuple[str, ...]) -> str:
    told = f", which has another {', '.join(other)}" if other else ""
    return f"a quote of the TDREPORT inside{told}"


BINDING_RULES: tuple[Rule[bytes, bytes], ...] = (
    Rule(
        "A1",
        Reason.REPORT_DATA_MISMATCH,
        lambda claims, got: compare_digest(claims_report_data(claims), got),
        lambda claims, got: _wanted_report_data(claims),
        lambda got: got.hex(),
    ),
)

AGREEMENT_RULES: tuple[Rule[TdReport, TdReport10], ...] = (
    Rule(
        "A2",
        Reason.QUOTE_OF_ANOTHER_REPORT,
        lambda report, body: not differences(report, body),
        lambda report, body: _agreement(differences(report, body)),
        lambda body: f"MRTD {body.mrtd.hex()}",
    ),
)


def verify_hcl(
    data: bytes,
    endorsements: SnpEndorsements,
    policy: SnpPolicy,
    *,
    roots: tuple[AmdRoot, ...],
    now: datetime,
) -> VerifiedReport:
    """Verify the SEV-SNP report inside an HCL report, and that it vouches for the claims.

    Raises:
        Refused: the first stage that does not hold, with all its findings.
        ValueError: ``now`` has no time zone.
    """
    hcl = _format(data, ReportType.SNP)
    report = verify_report(hcl.report, endorsements, policy, roots=roots, now=now)
    return _bound(report, apply(BINDING_RULES, hcl.claims, report.report_data))


def verify_hcl_quote(
    data: bytes,
    quote: bytes,
    collateral: bytes,
    policy: TdxPolicy,
    *,
    roots: tuple[IntelRoot, ...],
    now: datetime,
) -> VerifiedReport:
    """Verify a quote, that it is of the TDREPORT inside an HCL report, and vouches for the claims.

    Raises:
        Refused: the first stage that does not hold, with all its findings.
        ValueError: ``now`` has no time zone.
    """
    hcl = _format(data, ReportType.TDX)
    td_report = _td_report(hcl)
    report = verify_quote(quote, collateral, policy, roots=roots, now=now)
    claims = apply(BINDING_RULES, hcl.claims, report.report_data)
    agreement = apply(AGREEMENT_RULES, td_report, parse_quote(quote).body)
    return _bound(report, claims, agreement)


def refuse_unsigned(data: bytes) -> NoReturn:
    """Refuse an HCL report from a TD that comes without a quote, however well-formed it is.

    Raises:
        Refused: always; stage signature once it is known to be such a report.
    """
    _td_report(_format(data, ReportType.TDX))
    wanted = "a quote of the TDREPORT inside, and its collateral"
    got = "none, and nobody but the processor that made a TDREPORT can check it"
    raise Refused(Stage.SIGNATURE, [Finding(Reason.QUOTE_REQUIRED, wanted, got)])


def _format(data: bytes, kind: ReportType) -> HclReport:
    try:
        hcl = parse_hcl(data)
    except FormatError as error:
        finding = Finding(Reason.MALFORMED_REPORT, "an HCL report", str(error))
        raise Refused(Stage.FORMAT, [finding]) from error
    if hcl.kind is not kind:
        finding = Finding(Reason.UNSUPPORTED_PLATFORM, kind.name, hcl.kind.name)
        raise Refused(Stage.FORMAT, [finding])
    return hcl


def _td_report(hcl: HclReport) -> TdReport:
    try:
        return parse_td_report(hcl.report)
    except FormatError as error:
        finding = Finding(Reason.MALFORMED_REPORT, "a TDREPORT", str(error))
        raise Refused(Stage.FORMAT, [finding]) from error


def _bound(report: VerifiedReport, *outcomes: Outcome) -> VerifiedReport:
    """The report, with what the stage of binding found to hold besides."""
    bound = conclude(Stage.BINDING, *outcomes)
    return conclude_verification(
        VerifiedReport,
        platform=report.platform,
        product_line=report.product_line,
        measurement=report.measurement,
        report_data=report.report_data,
        tcb=report.tcb,
        tcb_status=report.tcb_status,
        advisories=report.advisories,
        outcomes=report.outcomes + bound,
        notes=report.notes,
        expires=report.expires,
    )


def _wanted(offset: int, what: str, got: object, wanted: tuple[object, ...]) -> None:
    if got not in wanted:
        expected = " or ".join(map(str, wanted))
        raise FormatError(_WHAT, offset, f"wanted {what} {expected}, got {got!r}")
