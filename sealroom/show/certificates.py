# SPDX-License-Identifier: Apache-2.0
"""Certificates and revocation lists of AMD and Intel, and the host's table, field by field."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from attest import FormatError, amd_roots
from attest.roots import intel_roots
from attest.snp.certificate import HWID, SUBJECTS, Vek, parse_vek
from attest.snp.certtable import parse_certificate_table
from attest.snp.product import PRODUCTS, ProductLine
from attest.snp.roots import PSS_ALGORITHMS, PSS_LONG
from attest.snp.tcb import Tcb
from attest.tdx.roots import ECDSA_SHA256
from attest.x509 import Certificate, Crl, common_name, parse_certificate, parse_crl
from sealroom.show.field import Field, Section
from sealroom.show.sgx import SGX_EXTENSION, explain_sgx

_BASIC_CONSTRAINTS = "2.5.29.19"
_CRL_PLACE = "2.5.29.31"
_URL = re.compile(rb"https?://[!-~]+")
_NAMES = {
    "2.5.29.14": "subject key identifier",
    "2.5.29.15": "key usage",
    _BASIC_CONSTRAINTS: "basic constraints",
    _CRL_PLACE: "where its CRL is",
    "2.5.29.35": "authority key identifier",
}


def explain_certificate(der: bytes, called: str = "") -> list[Section]:
    """A certificate; a VCEK's or VLEK's with what its extensions say.

    Raises:
        FormatError: not a certificate.
    """
    certificate = parse_certificate(der)
    fields = list(_common(certificate))
    if certificate.subject in SUBJECTS:
        try:
            fields += _vek(parse_vek(der))
        except FormatError as error:
            fields += _extensions(certificate)
            fields.append(Field(name="form", value="not AMD's", unusual=str(error)))
    else:
        fields += _extensions(certificate)
    name = called or f"certificate of {common_name(certificate.subject)}"
    return [Section(f"{name}, unverified", tuple(fields))]


def explain_crl(der: bytes) -> list[Section]:
    """A revocation list.

    Raises:
        FormatError: not a revocation list.
    """
    crl = parse_crl(der)
    revoked = ", ".join(f"0x{serial:x}" for serial in sorted(crl.revoked))
    fields = (
        Field(name="issuer", value=common_name(crl.issuer)),
        Field(name="this update", value=crl.this_update.isoformat()),
        Field(name="next update", value=crl.next_update.isoformat(), means="stale from then on"),
        Field(
            name="revoked",
            value=revoked or "nothing",
            means="serial numbers; every VEK's is 0, so AMD's can revoke only intermediates",
            unusual="certificates are revoked" if revoked else "",
        ),
        _algorithm(crl),
    )
    return [Section(f"revocation list of {common_name(crl.issuer)}, unverified", fields)]


def explain_table(data: bytes) -> list[Section]:
    """The certificate table that a host gives to its guest, and each certificate in it.

    Raises:
        FormatError: not such a table, or not a certificate or list in it.
    """
    table = parse_certificate_table(data)
    named = {"VCEK": table.vcek, "VLEK": table.vlek, "ASK or ASVK": table.ask, "ARK": table.ark}
    fields = [
        Field(name=name, value="none" if der is None else f"{len(der)} bytes")
        for name, der in (*named.items(), ("CRL", table.crl))
    ]
    fields += [
        Field(name=guid, value="not read", unusual="an entry that is not known")
        for guid in table.unknown
    ]
    title = "certificate table: the host writes it, so it is a hint and no more"
    inside = [
        section
        for name, der in named.items()
        if der is not None
        for section in explain_certificate(der, f"{name} in the table")
    ]
    inside += [] if table.crl is None else explain_crl(table.crl)
    return [Section(title, tuple(fields)), *inside]


def line_of_vek(der: bytes) -> ProductLine | None:
    """The line that a VEK's certificate names, if it is one."""
    try:
        name = parse_vek(der).product_name
    except FormatError:
        return None
    return next((line for line, product in PRODUCTS.items() if name in product.names), None)


def _common(certificate: Certificate) -> Iterator[Field]:
    digest = hashlib.sha256(certificate.der).hexdigest()
    yield Field(name="subject", value=common_name(certificate.subject))
    yield Field(name="issuer", value=common_name(certificate.issuer))
    yield Field(
        name="serial",
        value=f"0x{certificate.serial:x}",
        means="0 in every VEK" if not certificate.serial else "",
    )
    yield Field(name="not before", value=certificate.not_before.isoformat())
    yield Field(name="not after", value=certificate.not_after.isoformat())
    yield Field(name="sha-256", value=digest, means=_pinned(certificate.der))
    yield _algorithm(certificate)


def _algorithm(signed: Certificate | Crl) -> Field:
    spelled = ", trailerField written out" if signed.algorithm == PSS_LONG else ""
    names = {
        **dict.fromkeys(PSS_ALGORITHMS, f"RSASSA-PSS, SHA-384, salt 48{spelled}"),
        ECDSA_SHA256: "ECDSA with SHA-256",
    }
    return Field(
        name="algorithm",
        value=names.get(signed.algorithm, signed.algorithm.hex()),
        unusual="" if signed.algorithm in names else "not what AMD or Intel signs with",
    )


def _pinned(der: bytes) -> str:
    if any(root.der == der for root in intel_roots().intel):
        return "pinned in this package: the root of Intel"
    for root in amd_roots().amd:
        for name, authority in (("ARK", root.ark), ("ASK", root.ask), ("ASVK", root.asvk)):
            if authority is not None and authority.certificate.der == der:
                return f"pinned in this package: the {name} of {root.line}"
    return ""


def _vek(vek: Vek) -> Iterator[Field]:
    line = line_of_vek(vek.certificate.der)
    yield Field(name="kind", value=vek.kind.upper(), means="VCEK, a chip's key; VLEK, a cloud's")
    yield Field(
        name="product",
        value=f"{vek.product_name}, structVersion {vek.struct_version}",
        unusual="" if line else "no product that is known",
    )
    tcb = f": {Tcb(line, vek.tcb).text}" if line else ""
    yield Field(name="tcb", value=f"{vek.tcb.hex()}{tcb}", means="what the key is derived from")
    if vek.hwid is not None:
        wrapped = vek.certificate.extensions[HWID].value != vek.hwid
        odd = "wrapped in an OCTET STRING, which AMD does not do" if wrapped else ""
        yield Field(name="hwID", value=vek.hwid.hex(), means="the chip", unusual=odd)
    if vek.csp_id is not None:
        yield Field(name="CSP_ID", value=vek.csp_id, means="the cloud")


def _extensions(certificate: Certificate) -> Iterator[Field]:
    for oid, extension in certificate.extensions.items():
        if oid == SGX_EXTENSION:
            yield from _sgx(extension.value)
            continue
        critical = "critical, " if extension.critical else ""
        place = _URL.search(extension.value) if oid == _CRL_PLACE else None
        yield Field(
            name=_NAMES.get(oid, oid),
            value=critical + (place[0].decode("ascii") if place else extension.value.hex()),
            unusual="critical and not known" if critical and oid not in _NAMES else "",
        )


def _sgx(value: bytes) -> Iterator[Field]:
    try:
        yield from explain_sgx(value)
    except FormatError as error:
        yield Field(name="SGX extension", value=value.hex(), unusual=str(error))
