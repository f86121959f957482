# SPDX-License-Identifier: Apache-2.0
"""The SEV-SNP attestation report, field by field in the order of its layout."""

from __future__ import annotations

from attest.layout import cells
from attest.snp.product import ProductLine, line_of
from attest.snp.report import ReportV3, parse_report
from sealroom.show.field import Field, Section
from sealroom.show.report_rows import ROWS, Shown


def explain_report(data: bytes, line: ProductLine | None = None) -> list[Section]:
    """The report's fields; `line` is what its key's certificate says, for reports of version 2.

    Raises:
        FormatError: not a report.
    """
    report = parse_report(data)
    if isinstance(report, ReportV3):
        line = line_of(report.cpuid_family, report.cpuid_model)
    shown = Shown(report, line)
    places = sorted(cells(type(report)).items(), key=lambda item: item[1].offset)
    fields = tuple(_field(name, cell.offset, shown) for name, cell in places)
    from_line = f" of {line}" if line else ""
    return [Section(f"SEV-SNP report{from_line}, version {report.version}, unverified", fields)]


def _field(name: str, offset: int, shown: Shown) -> Field:
    row = ROWS[name]
    value = getattr(shown.report, name)
    text = value.hex() if isinstance(value, bytes) else str(value)
    return Field(
        name=name,
        value=text if row.read is None else row.read(shown),
        means=row.means,
        unusual=row.unusual(shown),
        at=offset,
    )
