# SPDX-License-Identifier: Apache-2.0
"""Azure's HCL report, field by field: its header, its runtime claims, the report inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from attest.azure import HclReport, ReportType, claims_report_data, parse_hcl
from attest.layout import cells
from attest.snp.report import parse_report
from attest.tdx.td_report import parse_td_report
from sealroom.show.field import Field, Section
from sealroom.show.quote import explain_td_report
from sealroom.show.report import explain_report

MEANS = {
    "magic": "names the format",
    "version": "of the header",
    "size": "bytes up to the end of the claims",
    "request_type": "2 asks for an attestation key's certificate",
    "status": "0 for success",
    "report": "the hardware's report, below",
    "data_size": "bytes from here to the end of the claims",
    "data_version": "of this part",
    "report_type": "which hardware",
    "hash_type": "1 is SHA-256: how the report vouches for the claims",
    "claims_size": "bytes of runtime claims",
}
_VALUE_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class _Inside:
    """How the hardware's report inside is explained, and what it vouches for."""

    explain: Callable[[bytes], list[Section]]
    report_data: Callable[[bytes], bytes]


_INSIDE = {
    ReportType.SNP: _Inside(explain_report, lambda data: parse_report(data).report_data),
    ReportType.TDX: _Inside(explain_td_report, lambda data: parse_td_report(data).report_data),
}


def explain_hcl(data: bytes) -> list[Section]:
    """An HCL report, and the SEV-SNP report or TDREPORT inside.

    Raises:
        FormatError: it or the report inside is malformed.
    """
    hcl = parse_hcl(data)
    header = hcl.header
    places = sorted(cells(type(header)).items(), key=lambda item: item[1].offset)
    fields = tuple(
        Field(name=name, value=_header(hcl, name), means=MEANS[name], at=cell.offset)
        for name, cell in places
    )
    claims = Section("runtime claims, unverified", tuple(_claims(hcl)))
    inside = _INSIDE[hcl.kind].explain(hcl.report) if hcl.kind in _INSIDE else []
    return [Section("HCL report of Azure", fields), claims, *inside]


def _header(hcl: HclReport, name: str) -> str:
    value = getattr(hcl.header, name)
    if name == "report_type":
        return f"{value}, {hcl.kind.name}"
    if name == "magic":
        return hcl.header.magic.decode("ascii")
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)


def _claims(hcl: HclReport) -> Iterator[Field]:
    if hcl.kind in _INSIDE:
        bound = _INSIDE[hcl.kind].report_data(hcl.report) == claims_report_data(hcl.claims)
        yield Field(
            name="binding",
            value="the report data is SHA-256 of the claims and 32 zero bytes" if bound else "none",
            unusual="" if bound else "the report vouches for something else",
        )
    try:
        claims = json.loads(hcl.claims)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        yield Field(name="claims", value=f"{len(hcl.claims)} bytes", unusual="no JSON object")
        return
    for name, value in claims.items():
        text = json.dumps(value)
        more = " …" if len(text) > _VALUE_CHARACTERS else ""
        yield Field(name=str(name), value=text[:_VALUE_CHARACTERS] + more)
