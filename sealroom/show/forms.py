# SPDX-License-Identifier: Apache-2.0
"""Which form a file has: one row for each, tried in order, and the first that looks so is it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from attest import FormatError
from attest.azure import MAGIC
from attest.snp.certtable import (
    ARK_GUID,
    ASK_GUID,
    CRL_GUID,
    ENTRIES_MAX,
    ENTRY_BYTES,
    VCEK_GUID,
    VLEK_GUID,
)
from attest.snp.report import ReportV2
from attest.tdx.td_report import REPORT_TYPE_TDX, TdReport
from attest.x509 import parse_certificate
from sealroom.hexadecimal import read_hex
from sealroom.pcs import QE_IDENTITY, TCB_INFO
from sealroom.pem import CERTIFICATE, CRL, is_pem, read_pem
from sealroom.receipts import SIGNED_RECEIPT_MAX_BYTES
from sealroom.show.azure import explain_hcl
from sealroom.show.certificates import explain_certificate, explain_crl, explain_table
from sealroom.show.collateral import (
    explain_collateral,
    explain_qe_identity,
    explain_reply,
    explain_tcb_info,
    names,
)
from sealroom.show.field import Section
from sealroom.show.quote import explain_quote, explain_td_report
from sealroom.show.records import (
    explain_endorsements,
    explain_evidence,
    explain_receipt,
    explain_signed_receipt,
    explain_statement,
)
from sealroom.show.report import explain_report

FILE_MAX_BYTES = SIGNED_RECEIPT_MAX_BYTES
_SHOWN_BYTES = 8
# Version and attestation key type. A report of SEV-SNP has four bytes of version.
_QUOTE = re.compile(rb"[\x03-\x05]\x00[\x02\x03]\x00", re.DOTALL)
_GUIDS = {guid.bytes for guid in (VCEK_GUID, VLEK_GUID, ASK_GUID, ARK_GUID, CRL_GUID)}


@dataclass(frozen=True, slots=True)
class Form:
    """One form: its name, how it is told by its look, and how it is explained."""

    name: str
    looks: Callable[[bytes], bool]
    explain: Callable[[bytes], list[Section]]


def explain(data: bytes) -> list[Section]:
    """What the file says, whatever known form it has; binary forms may be in hexadecimal.

    Raises:
        FormatError: it looks like none, or is malformed.
    """
    data = read_hex(data)
    if (form := form_of(data)) is not None:
        return form.explain(data)
    known = ", ".join(dict.fromkeys(form.name for form in FORMS))
    came = f"{len(data)} bytes from {data[:_SHOWN_BYTES].hex()} on" if data else "nothing"
    raise FormatError("file", None, f"wanted one of {known}; got {came}")


def form_of(data: bytes) -> Form | None:
    """The form that the bytes have by their look, if it is a known one."""
    return next((form for form in FORMS if form.looks(data)), None)


def _names_format(name: str) -> Callable[[bytes], bool]:
    """Canonical JSON has its members in order and no spaces, so the format reads the same."""
    pattern = re.compile(rb'[{,]"format":"sealroom-' + name.encode("ascii") + rb'/[0-9]+"[,}]')
    return lambda data: data[:1] == b"{" and pattern.search(data) is not None


def _names_document(name: str) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(b'{"id":"' + name.encode("ascii") + b'"')


def _is_collateral(data: bytes) -> bool:
    return data.lstrip()[:1] == b"{" and b'"tcb_info_issuer_chain"' in data


def _is_reply(data: bytes) -> bool:
    return names(data, TCB_INFO) or names(data, QE_IDENTITY)


def _is_td_report(data: bytes) -> bool:
    return len(data) == TdReport.SIZE and data[0] == REPORT_TYPE_TDX


def _explain_pem(data: bytes) -> list[Section]:
    sections: list[Section] = []
    for label, der in read_pem(data, "PEM"):
        if label not in {CERTIFICATE, CRL}:
            raise FormatError("PEM", None, f"wanted {CERTIFICATE} or {CRL} blocks, got {label}")
        sections += explain_certificate(der) if label == CERTIFICATE else explain_crl(der)
    return sections


def _is_table(data: bytes) -> bool:
    """Whether one of its entries is known; which comes first is the host's choice."""
    places = range(0, ENTRIES_MAX * ENTRY_BYTES, ENTRY_BYTES)
    return any(data[at : at + 16] in _GUIDS for at in places)


def _is_certificate(data: bytes) -> bool:
    try:
        parse_certificate(data)
    except FormatError:
        return False
    return True


FORMS: tuple[Form, ...] = (
    Form("PEM", is_pem, _explain_pem),
    Form("signed receipt", _names_format("signed-receipt"), explain_signed_receipt),
    Form("receipt", _names_format("receipt"), explain_receipt),
    Form("evidence object", _names_format("evidence"), explain_evidence),
    Form("endorsement bundle", _names_format("endorsements"), explain_endorsements),
    Form("statement", _names_format("statement"), explain_statement),
    Form("HCL report", lambda data: data[:4] == MAGIC, explain_hcl),
    Form("certificate table", _is_table, explain_table),
    Form("TDX collateral", _is_collateral, explain_collateral),
    Form("answer of Intel's service", _is_reply, explain_reply),
    Form("TCB information", _names_document("TDX"), explain_tcb_info),
    Form("QE identity", _names_document("TD_QE"), explain_qe_identity),
    Form("TDX quote", lambda data: _QUOTE.match(data) is not None, explain_quote),
    Form("TDREPORT", _is_td_report, explain_td_report),
    Form("SEV-SNP report", lambda data: len(data) == ReportV2.SIZE, explain_report),
    Form("certificate", _is_certificate, explain_certificate),
    Form("revocation list", lambda data: data[:1] == b"\x30", explain_crl),
)
