# SPDX-License-Identifier: Apache-2.0
"""Minting AMD's reports, certificates and lists again."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

from attest.layout import Span
from attest.snp.certificate import HWID, PRODUCT_NAME, amd_name, parse_vek
from attest.snp.key_kind import KeyKind
from attest.snp.product import ProductLine, line_of
from attest.snp.report import ReportV3, parse_report
from attest.x509 import common_name, parse_certificate, parse_crl
from lab.mocktsm.pki import authority_certificates, crl, vek_certificate
from lab.mocktsm.remint.comparison import (
    REVOKED,
    Comparison,
    Path,
    compare_bytes,
    compare_der,
    leaves,
    revoked,
    value,
)
from lab.mocktsm.snp import MockSnp

FOREIGN = Comparison(0, 0, ("of nobody that the mock stands in for",))
SIGNATURE = Span(0x2A0, 0x330)  # r and s

_ISSUERS = {
    amd_name(f"SEV-{'VLEK-' if kind is KeyKind.VLEK else ''}{line}"): line
    for line in ProductLine
    for kind in KeyKind
}
_LINES = {line.value: line for line in ProductLine}
_PRODUCT_MARKS = 2  # tag and length before the text of productName
_VALIDITY = ("0", "4")
_OF_KEYS = {"2.5.29.14", "2.5.29.35", "2.5.29.31"}  # identifiers of keys; the address of the list
_CRL_NUMBER = "2.5.29.20"
_UTC_TIME = "%y%m%d%H%M%SZ"


def remint_report(data: bytes) -> Comparison:
    """A report of any version, with all of its fields."""
    report = parse_report(data)
    line = None
    if isinstance(report, ReportV3):
        line = line_of(report.cpuid_family, report.cpuid_model)
    kept = {f.name: getattr(report, f.name) for f in fields(report)}
    for name in ("signature_r", "signature_s", "report_data"):
        del kept[name]
    chip = MockSnp(line=line or ProductLine.MILAN, version=report.version)
    return compare_bytes(data, chip.report(report.report_data, **kept), (SIGNATURE,))


def remint_vek(der: bytes) -> Comparison:
    """A VCEK or VLEK, with its TCB, its identity and its validity."""
    vek = parse_vek(der)
    certificate = vek.certificate
    line = _ISSUERS.get(certificate.issuer)
    if line is None:
        return FOREIGN
    chip = MockSnp(line=line, kind=vek.kind)
    minted = vek_certificate(
        line,
        vek.kind,
        point=b"\x04" + chip.derive("any point", 96),
        tcb=vek.tcb,
        identity=vek.csp_id or certificate.extensions[HWID].value,
        product_name=certificate.extensions[PRODUCT_NAME].value[_PRODUCT_MARKS:].decode("ascii"),
        life=(certificate.not_before, certificate.not_after),
        serial=certificate.serial,
        algorithm=certificate.algorithm,
    )
    return compare_der(der, minted, is_of_a_key)


def remint_authority(der: bytes) -> Comparison:
    """An ARK, ASK or ASVK; the mock's have a validity of their own, as they have keys."""
    certificate = parse_certificate(der)
    name = common_name(certificate.subject)
    line = _LINES.get(name.rpartition("-")[2])
    if line is None:
        return FOREIGN
    ark, ask, asvk = authority_certificates(line)
    minted = ark if name.startswith("ARK-") else asvk if "VLEK" in name else ask
    return compare_der(der, minted, lambda p: is_of_a_key(p) or p[1:3] == _VALIDITY)


def remint_crl(der: bytes) -> Comparison:
    """An ARK's list, with its entries."""
    read, found = parse_crl(der), dict(leaves(der))
    line = _LINES.get(common_name(read.issuer).rpartition("-")[2])
    if line is None:
        return FOREIGN
    since = found.get((*REVOKED, "0", "1"), b"")[1:].decode("ascii")
    minted = crl(
        line,
        revoked=revoked(found) if read.revoked else (),
        life=(read.this_update, read.next_update),
        since=datetime.strptime(since, _UTC_TIME).replace(tzinfo=UTC) if read.revoked else None,
        number=int.from_bytes(value(found, _CRL_NUMBER, "1", "0"), "big"),
    )
    return compare_der(der, minted, is_of_a_key)


def is_of_a_key(path: Path) -> bool:
    """Signature, public key, common names, key identifiers, and the address of the list."""
    return (
        path[1] == "2"
        or path[1:4] == ("0", "6", "1")
        or "2.5.4.3" in path
        or not _OF_KEYS.isdisjoint(path)
    )
