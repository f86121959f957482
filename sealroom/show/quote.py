# SPDX-License-Identifier: Apache-2.0
"""A TDX quote, field by field: header, TD report, signature data, certificates, what follows it.

Where a part begins follows from the lengths before it; `parse_quote` has seen to it that they fill
the quote exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

from attest import FormatError
from attest.tdx.certificate import parse_pem
from attest.tdx.quote import (
    PCK_CHAIN_PEM,
    QE_REPORT_CERTIFICATION,
    Header,
    QeReport,
    Quote,
    TdReport15,
    parse_quote,
)
from attest.tdx.rules import key_binding
from attest.tdx.td_report import parse_td_report
from sealroom.show.certificates import explain_certificate
from sealroom.show.field import Field, Section
from sealroom.show.rows import layout_fields
from sealroom.show.tdx_rows import BODY, HEADER, QE, TD_REPORT

BODY_NAMES = {2: "TDX 1.0", 3: "TDX 1.5", 4: "TDX 1.5, extended"}
_SIGNATURE_AT = 4  # after the length of the signature data
_QE_AT = _SIGNATURE_AT + 64 + 64 + 6  # after signature, key, and type and size of what certifies it
_AUTH_AT = _QE_AT + QeReport.SIZE + 64


def explain_quote(data: bytes) -> list[Section]:
    """A quote, and each certificate in it.

    Raises:
        FormatError: not a quote of version 4 or 5.
    """
    quote = parse_quote(data)
    signed = len(quote.signed)
    body_at = signed - type(quote.body).SIZE
    certificates, problem = _certificates(quote.pck_chain)
    body = f"TD report, body type {quote.body_type} ({BODY_NAMES[quote.body_type]})"
    qe_at = signed + _QE_AT
    return [
        Section(f"TDX quote, version {quote.header.version}, unverified", tuple(_header(quote))),
        Section(body, layout_fields(quote.body, BODY, body_at)),
        Section("signature data", tuple(_signature_data(quote, signed, problem))),
        Section("report of the quoting enclave", layout_fields(quote.qe_report, QE, qe_at)),
        *certificates,
    ]


def explain_td_report(data: bytes) -> list[Section]:
    """A TDREPORT, which nothing signs.

    Raises:
        FormatError: not a TDREPORT.
    """
    fields = layout_fields(parse_td_report(data), TD_REPORT)
    return [Section("TDREPORT: nobody but its own processor can check it", fields)]


def _certificates(pem: bytes) -> tuple[list[Section], str]:
    """What the certificates say, or why they cannot be read."""
    try:
        ders = parse_pem(pem.rstrip(b"\0"), "PCK chain")
        return [section for der in ders for section in explain_certificate(der)], ""
    except FormatError as error:
        return [], str(error)


def _header(quote: Quote) -> Iterator[Field]:
    yield from layout_fields(quote.header, HEADER)
    if quote.header.version == 5:
        yield Field(
            name="body_type",
            value=f"{quote.body_type}, {BODY_NAMES[quote.body_type]}",
            means="which TD report follows",
            at=Header.SIZE,
        )
        size = type(quote.body).SIZE
        yield Field(name="body_size", value=str(size), means="its bytes", at=Header.SIZE + 2)
    if not isinstance(quote.body, TdReport15):
        yield Field(
            name="service TDs",
            value="not told",
            means="this TD report has no field for them, nor for an update of the TDX module",
        )
    zeros = not any(quote.trailing)
    yield Field(
        name="trailing",
        value=f"{len(quote.trailing)} bytes" + (", all zero" if quote.trailing and zeros else ""),
        means="what follows the quote in its buffer; nobody signed it",
        unusual="" if zeros else "they are not all zero",
    )


def _signature_data(quote: Quote, at: int, chain_problem: str) -> Iterator[Field]:
    bound = quote.qe_report.report_data == key_binding(quote)
    auth_at = at + _AUTH_AT
    chain_at = auth_at + 2 + len(quote.auth_data)
    yield Field(
        name="signature",
        value=quote.signature.hex(),
        means="ECDSA's r and s over all that precedes, by the attestation key",
        at=at + _SIGNATURE_AT,
    )
    yield Field(
        name="attestation_key",
        value=quote.attestation_key.hex(),
        means="x and y of a point on P-256",
        at=at + _SIGNATURE_AT + 64,
    )
    yield Field(
        name="binding",
        value="the quoting enclave's report names the key" if bound else "none",
        unusual="" if bound else "the quoting enclave vouches for another key",
    )
    yield Field(
        name="qe_certification",
        value=f"type {QE_REPORT_CERTIFICATION}",
        means="the quoting enclave's report, below",
        at=at + _QE_AT - 6,
    )
    yield Field(
        name="qe_signature",
        value=quote.qe_signature.hex(),
        means="r and s over that report, by the PCK",
        at=auth_at - 64,
    )
    yield Field(
        name="auth_data",
        value=f"{len(quote.auth_data)} bytes: {quote.auth_data.hex()}",
        means="hashed together with the attestation key",
        at=auth_at,
    )
    yield Field(
        name="pck_certification",
        value=f"type {PCK_CHAIN_PEM}, {len(quote.pck_chain)} bytes",
        means="certificates in PEM: PCK, CA, root",
        unusual=chain_problem,
        at=chain_at,
    )
