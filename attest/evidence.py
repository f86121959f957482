# SPDX-License-Identifier: Apache-2.0
"""The evidence object: what a guest sends so that anybody can verify it without a network.

One RFC 8785 JSON object, format "sealroom-evidence/1", carries the evidence proper (statement and
hardware report) and the endorsements stapled to it (`attest.endorsements`). Root and intermediate
certificates are never in it: they come from the verifier's own roots, so there is nothing here to
trust by mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from attest.canonical import read_canonical, write_canonical
from attest.closed import Notation, read_record, write_record
from attest.endorsements import (
    COLLATERAL_MAX_BYTES,
    Endorsements,
    SnpEndorsements,
    TdxEndorsements,
)
from attest.errors import FormatError
from attest.scalars import Base64Url
from attest.statement import STATEMENT_MAX_BYTES, Platform

__all__ = [
    "COLLATERAL_MAX_BYTES",
    "EVIDENCE_MAX_BYTES",
    "REPORT_MAX_BYTES",
    "Endorsements",
    "Evidence",
    "SnpEndorsements",
    "TdxEndorsements",
    "parse_evidence",
    "write_evidence",
]

EVIDENCE_MAX_BYTES = 262144
REPORT_MAX_BYTES = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A guest's statement and the hardware report (SEV-SNP) or quote (TDX) that vouches for it."""

    platform: Platform
    statement: Annotated[bytes, Base64Url(STATEMENT_MAX_BYTES)]
    report: Annotated[bytes, Base64Url(REPORT_MAX_BYTES)]


# An envelope is read and taken apart at once, so it is spared what else a dataclass can.
@dataclass(kw_only=True, eq=False, repr=False)
class _SnpEnvelope:
    """A whole evidence object of an SEV-SNP guest."""

    format: Literal["sealroom-evidence/1"]
    platform: Literal[Platform.SEV_SNP]
    statement: Annotated[bytes, Base64Url(STATEMENT_MAX_BYTES)]
    report: Annotated[bytes, Base64Url(REPORT_MAX_BYTES)]
    endorsements: SnpEndorsements


@dataclass(kw_only=True, eq=False, repr=False)
class _TdxEnvelope:
    """A whole evidence object of a TDX guest."""

    format: Literal["sealroom-evidence/1"]
    platform: Literal[Platform.TDX]
    statement: Annotated[bytes, Base64Url(STATEMENT_MAX_BYTES)]
    report: Annotated[bytes, Base64Url(REPORT_MAX_BYTES)]
    endorsements: TdxEndorsements


_ENVELOPES: dict[str, type[_SnpEnvelope] | type[_TdxEnvelope]] = {
    Platform.SEV_SNP: _SnpEnvelope,
    Platform.TDX: _TdxEnvelope,
}


def write_evidence(evidence: Evidence, endorsements: Endorsements) -> bytes:
    """The evidence object's bytes.

    Raises:
        ValueError: the endorsements are of another platform, or a part is too long.
    """
    envelope = {
        "format": "sealroom-evidence/1",
        **write_record(evidence, Notation.JSON),
        "endorsements": write_record(endorsements, Notation.JSON),
    }
    data = write_canonical(envelope)
    try:
        parse_evidence(data)
    except FormatError as error:
        raise ValueError(str(error)) from error
    return data


def parse_evidence(data: bytes) -> tuple[Evidence, Endorsements]:
    """Read an evidence object. Nothing in it is believed: see `attest.verify.verify`.

    Raises:
        FormatError: not the canonical bytes of one evidence object.
    """
    value = read_canonical(data, "evidence", EVIDENCE_MAX_BYTES)
    platform = value.get("platform") if isinstance(value, dict) else None
    if not isinstance(platform, str) or platform not in _ENVELOPES:
        raise FormatError("evidence", None, f"wanted a platform of {' or '.join(_ENVELOPES)}")
    envelope = read_record(_ENVELOPES[platform], value, "evidence", Notation.JSON)
    evidence = Evidence(
        platform=envelope.platform, statement=envelope.statement, report=envelope.report
    )
    return evidence, envelope.endorsements
