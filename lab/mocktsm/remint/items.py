# SPDX-License-Identifier: Apache-2.0
"""Finding evidence in a folder by what it is, not by what it is called."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attest.azure import parse_hcl
from attest.errors import FormatError
from attest.snp.certificate import parse_vek
from attest.snp.report import parse_report
from attest.tdx.quote import parse_quote
from attest.x509 import common_name, parse_certificate, parse_crl
from lab.mocktsm.remint import amd, intel
from lab.mocktsm.remint.comparison import Comparison

FILE_MAX_BYTES = 1 << 20

_PEM = re.compile(rb"-----BEGIN (CERTIFICATE|X509 CRL)-----(.*?)-----END \1-----", re.DOTALL)
_ANSWER = re.compile(rb'\{"(?:tcbInfo|enclaveIdentity)":(\{.*\}),"signature":"[0-9a-fA-F]*"\}\s*')
_AMD = "Advanced Micro Devices"

Remint = Callable[[bytes], Comparison]


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of evidence: what it is, its bytes, and how it is minted again."""

    what: str
    data: bytes
    remint: Remint


def items(path: Path) -> list[Item]:
    """What is in a file; nothing, if it is nothing that the mock mints."""
    data = path.read_bytes()
    if len(data) > FILE_MAX_BYTES:
        return []
    return list(_items(data))


def _items(data: bytes) -> Iterator[Item]:
    if reports := list(_report(data)):
        yield from reports
    elif data[:1] == b"{":
        yield from _documents(data)
    elif pem := _PEM.findall(data):
        for _, text in pem:
            yield from _der(base64.b64decode(text))
    elif data[:1] == b"\x30":
        yield from _der(data)
    elif _is_hexadecimal(data):
        yield from _items(bytes.fromhex(data.decode("ascii")))


def _report(data: bytes) -> Iterator[Item]:
    """A report, a quote, or the report in an HCL report."""
    if data[:4] == b"HCLA" and (inner := _parsed(parse_hcl, data)) is not None:
        data = inner.report
    if (report := _parsed(parse_report, data)) is not None:
        yield Item(f"SEV-SNP report v{report.version}", data, amd.remint_report)
    elif (quote := _parsed(parse_quote, data)) is not None:
        what = f"TDX quote v{quote.header.version}, body {quote.body_type}"
        yield Item(what, data, intel.remint_quote)
        yield from _items(quote.pck_chain)


def _der(data: bytes) -> Iterator[Item]:
    """A certificate or a list, of AMD's or Intel's."""
    if (vek := _parsed(parse_vek, data)) is not None:
        yield Item(f"{vek.kind} of {vek.product_name}", data, amd.remint_vek)
    elif (certificate := _parsed(parse_certificate, data)) is not None:
        is_amd = _AMD.encode() in certificate.issuer
        remint = amd.remint_authority if is_amd else intel.remint_certificate
        yield Item(common_name(certificate.subject), data, remint)
    elif (crl := _parsed(parse_crl, data)) is not None:
        remint = amd.remint_crl if _AMD.encode() in crl.issuer else intel.remint_crl
        yield Item(f"CRL of {common_name(crl.issuer)}", data, remint)


def _documents(data: bytes) -> Iterator[Item]:
    """Collateral, a bundle with collateral in it, or an answer of Intel's service."""
    if (answer := _ANSWER.fullmatch(data)) is not None:
        yield from _document(answer[1])
        return
    try:
        members: Any = json.loads(data)
    except ValueError:
        return
    members = members.get("collateral", members)
    if isinstance(members, dict) and "tcb_info" in members:
        for name in ("tcb_info", "qe_identity"):
            yield from _document(members[name].encode())
        for name in ("pck_crl", "root_ca_crl"):
            yield from _der(bytes.fromhex(members[name]))
        for name in ("pck_crl_issuer_chain", "tcb_info_issuer_chain"):
            yield from _items(members[name].encode())


def _document(text: bytes) -> Iterator[Item]:
    kind = json.loads(text).get("id")
    if kind in {"TDX", "TD_QE"}:
        what = "TCB information" if kind == "TDX" else "QE identity"
        yield Item(what, text, intel.remint_document)


def _is_hexadecimal(data: bytes) -> bool:
    text = data.strip()
    return len(text) % 2 == 0 and bool(re.fullmatch(rb"[0-9a-fA-F]+", text))


def _parsed(parse: Callable[[bytes], Any], data: bytes) -> Any:
    """What the parser gives, or None."""
    try:
        return parse(data)
    except FormatError:
        return None
