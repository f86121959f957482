# SPDX-License-Identifier: Apache-2.0
"""Minting Intel's quotes, certificates, lists and documents again."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

from attest.layout import Span, cells
from attest.tdx.certificate import PCK_NAME, TCB_SIGNER_NAME, parse_pck
from attest.tdx.quote import QeReport, parse_quote
from attest.tdx.roots import Role
from attest.x509 import parse_certificate, parse_crl
from lab.mocktsm.intel_collateral import (
    qe_identity,
    tcb_info,
    write_json,
)
from lab.mocktsm.intel_pki import (
    PCK,
    PLATFORM_CA,
    PROCESSOR_CA,
    ROOT,
    TCB_SIGNER,
    PckValues,
    Signer,
    certificate,
    crl,
    pck_certificate,
)
from lab.mocktsm.remint.amd import is_of_a_key
from lab.mocktsm.remint.comparison import (
    Comparison,
    Path,
    compare_bytes,
    compare_der,
    leaves,
    revoked,
    value,
)
from lab.mocktsm.tdx_quote import quote

_SGX = "1.2.840.113741.1.13.1"
_SERIAL = ("0", "1")
_SIZE_BYTES, _AUTH_SIZE_BYTES = 4, 2
_KEY_BYTES, _SIGNATURE_BYTES, _HASH_BYTES = 64, 64, 32
_CERTIFICATION_BYTES = 6  # type and size

_AUTHORITIES: dict[bytes, Signer] = {PLATFORM_CA.name: PLATFORM_CA, PROCESSOR_CA.name: PROCESSOR_CA}


def remint_quote(data: bytes) -> Comparison:
    """A quote, with all of its fields and what follows it; its certificates are minted apart."""
    read = parse_quote(data)
    qe = _values(read.qe_report)
    del qe["report_data"]  # the hash of the attestation key
    minted = quote(
        version=read.header.version,
        body_type=read.body_type,
        header=_values(read.header),
        body=_values(read.body),
        qe=qe,
        auth_data=read.auth_data,
        chain="",
        chain_end=read.pck_chain,
        after=read.trailing,
    )
    signature = len(read.signed) + _SIZE_BYTES
    qe_report = signature + _SIGNATURE_BYTES + _KEY_BYTES + _CERTIFICATION_BYTES
    binding = qe_report + cells(QeReport)["report_data"].offset
    qe_signature = qe_report + QeReport.SIZE
    auth_data = qe_signature + _SIGNATURE_BYTES + _AUTH_SIZE_BYTES
    chain = auth_data + len(read.auth_data) + _CERTIFICATION_BYTES
    free = (
        Span(signature, signature + _SIGNATURE_BYTES + _KEY_BYTES),
        Span(binding, binding + _HASH_BYTES),
        Span(qe_signature, qe_signature + _SIGNATURE_BYTES),
        Span(chain, chain + len(read.pck_chain)),
    )
    return compare_bytes(data, minted, free)


def remint_certificate(der: bytes) -> Comparison:
    """A PCK certificate, or one of the authorities above it."""
    read = parse_certificate(der)
    life = read.not_before, read.not_after
    issuer = _AUTHORITIES.get(read.issuer, ROOT)
    if read.subject == PCK_NAME:
        minted = pck_certificate(_pck_values(der), ca=issuer, subject=PCK, life=life)
    elif read.subject == TCB_SIGNER_NAME:
        minted = certificate(issuer, TCB_SIGNER, Role.END, life=life)
    elif read.subject in _AUTHORITIES:
        minted = certificate(issuer, _AUTHORITIES[read.subject], Role.PCK_CA, life=life)
    else:
        minted = certificate(ROOT, ROOT, Role.ROOT, life=life)
    return compare_der(der, minted, _is_free)


def remint_crl(der: bytes) -> Comparison:
    """A list, with its serial numbers in their order."""
    read = parse_crl(der)
    serials = revoked(dict(leaves(der))) if read.revoked else ()
    life = read.this_update, read.next_update
    minted = crl(_AUTHORITIES.get(read.issuer, ROOT), revoked=serials, life=life)
    return compare_der(der, minted, is_of_a_key)


def remint_document(text: bytes) -> Comparison:
    """TCB information or QE identity: its members, and how they are written."""
    members: dict[str, Any] = json.loads(text)
    make = tcb_info if members["id"] == "TDX" else qe_identity
    own: dict[str, Any] = json.loads(make())
    minted: dict[str, Any] = json.loads(make(**dict.fromkeys(own) | members))
    written = write_json({name: minted[name] for name in members}).encode()
    compared = compare_bytes(text, written, ())
    foreign = tuple(f"{name} is unknown" for name in members.keys() - own.keys())
    return replace(compared, differences=compared.differences + foreign)


def _pck_values(der: bytes) -> PckValues:
    """What the certificate's SGX extension says."""
    pck, found = parse_pck(der), dict(leaves(der))
    values = PckValues(
        cpu_svns=pck.cpu_svns,
        pce_svn=pck.pce_svn,
        pce_id=pck.pce_id,
        fmspc=pck.fmspc,
        sgx_type=value(found, f"{_SGX}.5", "1")[0],
        ppid=pck.ppid,
        instance=None,
    )
    if parse_certificate(der).issuer != PLATFORM_CA.name:
        return values
    dynamic, cached, smt = (value(found, f"{_SGX}.7.{n}", "1") != b"\x00" for n in (1, 2, 3))
    instance = value(found, f"{_SGX}.6", "1")
    return replace(values, instance=instance, configuration=(dynamic, cached, smt))


def _is_free(path: Path) -> bool:
    """What is a key's, and the serial number, which Intel takes from the key."""
    return is_of_a_key(path) or path[1:3] == _SERIAL


def _values(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}
