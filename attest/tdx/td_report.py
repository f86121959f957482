# SPDX-License-Identifier: Apache-2.0
"""The TDREPORT that a TDX module gives to its TD (Intel TDX module ABI, TDREPORT_STRUCT).

A MAC protects it, which only the processor that made it can check: to everybody else it is a claim.
A quoting enclave on that processor checks the MAC and signs a quote of the same values, so what a
TDREPORT is worth is shown by a quote that agrees with it (`differences`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, ClassVar

from attest.errors import FormatError
from attest.layout import Raw, Span, cells, decode
from attest.tdx.quote import TdReport10

REPORT_TYPE_TDX = 0x81

_WHAT = "TDREPORT"


@dataclass(frozen=True, slots=True)
class TdReport:
    """A TDREPORT as parsed: what is hashed into its MAC, module and TD; nothing is believed."""

    report_type: Annotated[bytes, Raw(0x000, 4)]
    cpu_svn: Annotated[bytes, Raw(0x010, 16)]
    tee_tcb_info_hash: Annotated[bytes, Raw(0x020, 48)]
    tee_info_hash: Annotated[bytes, Raw(0x050, 48)]
    report_data: Annotated[bytes, Raw(0x080, 64)]
    mac: Annotated[bytes, Raw(0x0E0, 32)]
    valid: Annotated[bytes, Raw(0x100, 8)]
    tee_tcb_svn: Annotated[bytes, Raw(0x108, 16)]
    mrseam: Annotated[bytes, Raw(0x118, 48)]
    mrsigner_seam: Annotated[bytes, Raw(0x148, 48)]
    seam_attributes: Annotated[bytes, Raw(0x178, 8)]
    tee_tcb_svn2: Annotated[bytes, Raw(0x180, 16)]
    td_attributes: Annotated[bytes, Raw(0x200, 8)]
    xfam: Annotated[bytes, Raw(0x208, 8)]
    mrtd: Annotated[bytes, Raw(0x210, 48)]
    mrconfigid: Annotated[bytes, Raw(0x240, 48)]
    mrowner: Annotated[bytes, Raw(0x270, 48)]
    mrownerconfig: Annotated[bytes, Raw(0x2A0, 48)]
    rtmr0: Annotated[bytes, Raw(0x2D0, 48)]
    rtmr1: Annotated[bytes, Raw(0x300, 48)]
    rtmr2: Annotated[bytes, Raw(0x330, 48)]
    rtmr3: Annotated[bytes, Raw(0x360, 48)]
    mrservicetd: Annotated[bytes, Raw(0x390, 48)]

    SIZE: ClassVar[int] = 0x400
    RESERVED: ClassVar[tuple[Span, ...]] = (
        Span(0x004, 0x010),
        Span(0x0C0, 0x0E0),
        Span(0x190, 0x200),
        Span(0x3C0, 0x400),
    )


# The two parts that are hashed into the first, and where the hash stands: TEE_TCB_INFO and TDINFO.
HASHED = {"tee_tcb_info_hash": Span(0x100, 0x1EF), "tee_info_hash": Span(0x200, 0x400)}


def parse_td_report(data: bytes) -> TdReport:
    """Read one TDREPORT, whose parts must be the ones that it hashes.

    Raises:
        FormatError: another length or type, a reserved byte that is not zero, or another hash.
    """
    report = decode(TdReport, data)
    if report.report_type[0] != REPORT_TYPE_TDX:
        got = report.report_type[0]
        raise FormatError(_WHAT, 0, f"wanted type {REPORT_TYPE_TDX}, got {got}")
    for name, span in HASHED.items():
        if getattr(report, name) != hashlib.sha384(data[span.start : span.end]).digest():
            raise FormatError(_WHAT, span.start, f"{name} is the hash of something else")
    return report


def differences(report: TdReport, body: TdReport10) -> tuple[str, ...]:
    """The fields that a quote's body has too and gives another value, by name."""
    shared = cells(TdReport).keys() & cells(type(body)).keys()
    return tuple(sorted(name for name in shared if getattr(report, name) != getattr(body, name)))
