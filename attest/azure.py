# SPDX-License-Identifier: Apache-2.0
"""Azure's form of evidence: the HCL report that a vTPM keeps at NV index 0x01400001.

The paravisor (HCL) wraps the hardware's report with the JSON of its runtime claims, the vTPM's
attestation key among them. Only the report is signed; what binds the JSON to it is REPORT_DATA,
which is SHA-256 of the JSON's exact bytes and 32 zero bytes (rule A1). So a verified HCL report
says which vTPM key belongs to which launch; what that vTPM quotes is not judged here.

Layout: microsoft/openvmm, openhcl_attestation_protocol, igvm_attest/get.rs, IgvmAttestRequestBase.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from hmac import compare_digest
from typing import Annotated, ClassVar

from attest.errors import FormatError
from attest.evidence import SnpEndorsements
from attest.findings import Finding, Reason, Refused, Rule, Stage, apply, conclude
from attest.layout import U32, Raw, Span, decode
from attest.result import VerifiedReport, conclude_verification
from attest.snp.policy import SnpPolicy
from attest.snp.report import ReportV2
from attest.snp.roots import AmdRoot
from attest.snp.verify import verify_report

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
        report: that report, in the space that SEV-SNP's takes; TDX's is a TDREPORT and padding.
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
    if len(data) < CLAIMS_AT:
        raise FormatError(_WHAT, len(data), f"wanted {CLAIMS_AT} bytes or more, got {len(data)}")
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
    return HclReport(header, ReportType(header.report_type), header.report, data[begin:end])


def claims_report_data(claims: bytes) -> bytes:
    """The 64 bytes of REPORT_DATA that vouch for exactly these runtime claims."""
    return hashlib.sha256(claims).digest() + bytes(32)


BINDING_RULES: tuple[Rule[bytes, bytes], ...] = (
    Rule(
        "A1",
        Reason.REPORT_DATA_MISMATCH,
        compare_digest,
        lambda wanted, got: f"SHA-256 of the runtime claims and 32 zero bytes, {wanted.hex()}",
        lambda got: got.hex(),
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
    try:
        hcl = parse_hcl(data)
    except FormatError as error:
        finding = Finding(Reason.MALFORMED_REPORT, "an HCL report", str(error))
        raise Refused(Stage.FORMAT, [finding]) from error
    if hcl.kind is not ReportType.SNP:
        finding = Finding(Reason.UNSUPPORTED_PLATFORM, ReportType.SNP.name, hcl.kind.name)
        raise Refused(Stage.FORMAT, [finding])
    report = verify_report(hcl.report, endorsements, policy, roots=roots, now=now)
    outcome = apply(BINDING_RULES, claims_report_data(hcl.claims), report.report_data)
    bound = conclude(Stage.BINDING, outcome)
    return conclude_verification(
        VerifiedReport,
        platform=report.platform,
        product_line=report.product_line,
        measurement=report.measurement,
        report_data=report.report_data,
        tcb=report.tcb,
        tcb_status=report.tcb_status,
        advisories=report.advisories,
        checks=report.checks + bound,
        notes=report.notes,
        expires=report.expires,
    )


def _wanted(offset: int, what: str, got: object, wanted: tuple[object, ...]) -> None:
    if got not in wanted:
        expected = " or ".join(map(str, wanted))
        raise FormatError(_WHAT, offset, f"wanted {what} {expected}, got {got!r}")
