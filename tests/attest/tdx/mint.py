# SPDX-License-Identifier: Apache-2.0
"""A mock TDX platform: real quote layouts and real collateral forms, signed by a mock Intel.

A quote and its collateral are functions of their arguments. Whatever is changed is changed before
it is signed, so that nothing else is wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from attest.layout import Layout, cells
from attest.tdx.quote import (
    BODY_TYPES,
    ECDSA_P256,
    INTEL_VENDOR,
    PCK_CHAIN_PEM,
    QE_REPORT_CERTIFICATION,
    TEE_TDX,
    Header,
    QeReport,
)
from tests.attest.tdx.pki import (
    PCK,
    PLATFORM_CA,
    ROOT,
    TCB_SIGNER,
    PckValues,
    Signer,
    crl,
    derive_key,
    pck_ca_certificate,
    pck_certificate,
    pem,
    point,
    raw_signature,
    root_certificate,
    tcb_signer_certificate,
)

Values = Mapping[str, int | bytes]

MOCK_MRTD = hashlib.sha384(b"MOCK TD: nobody measured anything").digest()
MOCK_RTMRS = tuple(hashlib.sha384(b"MOCK RTMR %d" % n).digest() for n in range(4))

ATTESTATION = "attestation key"
AUTH_DATA = bytes(range(32))
QE_MRSIGNER = bytes.fromhex("dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5")
TEE_TCB_SVN = bytes([11, 1, 4]) + bytes(13)
SEPT_VE_DISABLE = (1 << 28).to_bytes(8, "little")
XFAM = bytes.fromhex("e702060000000000")

DATE, OLD_DATE = "2024-11-13T00:00:00Z", "2024-03-13T00:00:00Z"
ISSUED, NEXT_UPDATE = "2026-05-20T00:00:00Z", "2026-06-19T00:00:00Z"


def encode(layout: type[Layout], values: Values) -> bytes:
    """Write a layout; fields without a value are zero."""
    known = cells(layout)
    if unknown := values.keys() - known.keys():
        raise ValueError(f"{layout.__name__} has no {', '.join(sorted(unknown))}")
    data = bytearray(layout.SIZE)
    for name, value in values.items():
        cell = known[name]
        raw = value.to_bytes(cell.size, "little") if isinstance(value, int) else value
        if len(raw) != cell.size:
            raise ValueError(f"{name} has {len(raw)} bytes, not {cell.size}")
        data[cell.offset : cell.offset + cell.size] = raw
    return bytes(data)


def certification(kind: int, data: bytes, size: int | None = None) -> bytes:
    """Certification data: type, size, and that many bytes."""
    number = len(data) if size is None else size
    return kind.to_bytes(2, "little") + number.to_bytes(4, "little") + data


@dataclass(frozen=True, kw_only=True)
class QuoteParts:
    """Everything that a quote is made of, with the values of a platform in good order.

    Attributes:
        version: of the quote.
        body_type: of the TD report.
        header: fields to set.
        body: fields to set.
        qe: fields of the quoting enclave's report to set.
        attestation: label of the attestation key.
        attestation_key: its coordinates, where they are not those.
        auth_data: what is hashed with it.
        pck: who signs the quoting enclave's report.
        chain: PEM.
        after: what follows the quote.
        change_signed: applied to header and body after they were signed.
    """

    version: int = 4
    body_type: int = 2
    header: Values
    body: Values
    qe: Values
    attestation: str = ATTESTATION
    attestation_key: bytes | None = None
    auth_data: bytes = AUTH_DATA
    pck: Signer = PCK
    chain: str
    after: bytes = b""
    change_signed: Callable[[bytes], bytes] = lambda data: data

    @property
    def encoded(self) -> bytes:
        """The quote, signed."""
        signed, key = self.signed, derive_key(self.attestation)
        own = point(key) if self.attestation_key is None else self.attestation_key
        binding = hashlib.sha256(own + self.auth_data).digest() + bytes(32)
        qe_report = encode(QeReport, good_qe() | {"report_data": binding} | dict(self.qe))
        size = len(self.auth_data).to_bytes(2, "little")
        inner = certification(PCK_CHAIN_PEM, self.chain.encode() + b"\x00")
        qe_signature = raw_signature(self.pck.key, qe_report)
        qe = certification(
            QE_REPORT_CERTIFICATION, qe_report + qe_signature + size + self.auth_data + inner
        )
        data = raw_signature(key, signed) + own + qe
        return self.change_signed(signed) + len(data).to_bytes(4, "little") + data + self.after

    @property
    def signed(self) -> bytes:
        """Header and body, and between them in version 5 the body's type and size."""
        layout = BODY_TYPES[self.body_type]
        header: dict[str, int | bytes] = {
            "version": self.version,
            "key_type": ECDSA_P256,
            "tee_type": TEE_TDX,
            "vendor": INTEL_VENDOR,
            "user_data": b"\x01" * 16 + bytes(4),
        }
        between = b""
        if self.version == 5:
            between = self.body_type.to_bytes(2, "little") + layout.SIZE.to_bytes(4, "little")
        body = encode(layout, good_body(self.body_type) | dict(self.body))
        return encode(Header, header | dict(self.header)) + between + body


def good_qe() -> dict[str, int | bytes]:
    """Fields of Intel's quoting enclave."""
    return {
        "cpu_svn": PckValues().cpu_svns,
        "attributes": bytes.fromhex("1500000000000000e700000000000000"),
        "mrenclave": b"\x02" * 32,
        "mrsigner": QE_MRSIGNER,
        "isvprodid": 2,
        "isvsvn": 7,
    }


def good_body(body_type: int) -> dict[str, int | bytes]:
    """Fields of a TD in good order."""
    fields: dict[str, int | bytes] = {
        "tee_tcb_svn": TEE_TCB_SVN,
        "mrseam": b"\x03" * 48,
        "td_attributes": SEPT_VE_DISABLE,
        "xfam": XFAM,
        "mrtd": MOCK_MRTD,
        "report_data": b"\x04" * 64,
        **{f"rtmr{n}": value for n, value in enumerate(MOCK_RTMRS)},
    }
    return fields | ({} if body_type == 2 else {"tee_tcb_svn2": TEE_TCB_SVN})


def quote(
    *,
    body_type: int = 2,
    version: int | None = None,
    header: Values | None = None,
    body: Values | None = None,
    qe: Values | None = None,
    chain: str | None = None,
    **parts: Any,
) -> bytes:
    """A quote; version 5 where the body's type needs it."""
    return QuoteParts(
        version=version or (4 if body_type == 2 else 5),
        body_type=body_type,
        header=header or {},
        body=body or {},
        qe=qe or {},
        chain=pck_chain() if chain is None else chain,
        **parts,
    ).encoded


def pck_chain(pck: bytes | None = None, ca: bytes | None = None, root: bytes | None = None) -> str:
    """A quote's three certificates."""
    return pem(
        pck_certificate() if pck is None else pck,
        pck_ca_certificate() if ca is None else ca,
        root_certificate() if root is None else root,
    )


def level(status: str, date: str, tcb: dict[str, Any], *advisories: str) -> dict[str, Any]:
    """One level of a document."""
    made: dict[str, Any] = {"tcb": tcb, "tcbDate": date, "tcbStatus": status}
    return made | ({"advisoryIDs": list(advisories)} if advisories else {})


def platform_tcb(sgx: bytes, tdx: bytes, pce_svn: int) -> dict[str, Any]:
    """The security versions of a platform's level."""
    return {
        "sgxtcbcomponents": [{"svn": svn} for svn in sgx.ljust(16, b"\x00")],
        "pcesvn": pce_svn,
        "tdxtcbcomponents": [{"svn": svn} for svn in tdx.ljust(16, b"\x00")],
    }


GOOD_SGX, GOOD_TDX = bytes([3, 3, 2, 2, 4, 1, 0, 5]), bytes([5, 0, 3])
OLD_SGX, OLD_TDX = bytes([2, 2, 2, 2, 3, 1, 0, 5]), bytes([5, 0, 2])


def module(
    name: str, *levels: dict[str, Any], signer: bytes = bytes(48), attributes: bytes = bytes(8)
) -> dict[str, Any]:
    """A TDX module's identity."""
    return {
        "id": name,
        "mrsigner": signer.hex(),
        "attributes": attributes.hex(),
        "attributesMask": "FF" * 8,
        "tcbLevels": list(levels),
    }


MODULES = [
    module("TDX_03", level("UpToDate", DATE, {"isvsvn": 3})),
    module(
        "TDX_01",
        level("UpToDate", DATE, {"isvsvn": 6}),
        level("OutOfDate", OLD_DATE, {"isvsvn": 4}, "INTEL-SA-00002"),
        level("Revoked", OLD_DATE, {"isvsvn": 2}),
    ),
]
LEVELS = [
    level("UpToDate", DATE, platform_tcb(GOOD_SGX, GOOD_TDX, 13)),
    level("OutOfDate", OLD_DATE, platform_tcb(OLD_SGX, OLD_TDX, 13), "INTEL-SA-00001"),
]
QE_LEVELS = [
    level("UpToDate", DATE, {"isvsvn": 4}),
    level("OutOfDate", OLD_DATE, {"isvsvn": 3}, "INTEL-SA-00003"),
    level("Revoked", OLD_DATE, {"isvsvn": 2}),
]


def tcb_info(**changes: Any) -> str:
    """TCB information as Intel writes it; None leaves a member out."""
    return write_json(
        {
            "id": "TDX",
            "version": 3,
            "issueDate": ISSUED,
            "nextUpdate": NEXT_UPDATE,
            "fmspc": PckValues().fmspc.hex(),
            "pceId": "0000",
            "tcbType": 0,
            "tcbEvaluationDataNumber": 18,
            "tdxModule": {
                "mrsigner": "00" * 48,
                "attributes": "00" * 8,
                "attributesMask": "FF" * 8,
            },
            "tdxModuleIdentities": MODULES,
            "tcbLevels": LEVELS,
        }
        | changes
    )


def qe_identity(**changes: Any) -> str:
    """The quoting enclave's identity as Intel writes it; None leaves a member out."""
    return write_json(
        {
            "id": "TD_QE",
            "version": 2,
            "issueDate": ISSUED,
            "nextUpdate": NEXT_UPDATE,
            "tcbEvaluationDataNumber": 18,
            "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF",
            "attributes": "11000000000000000000000000000000",
            "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
            "mrsigner": QE_MRSIGNER.hex().upper(),
            "isvprodid": 2,
            "tcbLevels": QE_LEVELS,
        }
        | changes
    )


def write_json(value: dict[str, Any]) -> str:
    """JSON without spaces, in the order given."""
    kept = {name: member for name, member in value.items() if member is not None}
    return json.dumps(kept, separators=(",", ":"))


def sign_document(text: str, signer: Signer = TCB_SIGNER) -> str:
    """The signature of TCB information or QE identity."""
    return raw_signature(signer.key, text.encode()).hex()


def collateral_members(
    *, tcb: str | None = None, qe: str | None = None, **members: str
) -> dict[str, str]:
    """The nine members; documents are signed as given, and ``members`` replace what is made."""
    tcb = tcb_info() if tcb is None else tcb
    qe = qe_identity() if qe is None else qe
    signers = pem(tcb_signer_certificate(), root_certificate())
    return {
        "pck_crl_issuer_chain": pem(pck_ca_certificate(), root_certificate()),
        "root_ca_crl": crl(ROOT).hex(),
        "pck_crl": crl(PLATFORM_CA).hex(),
        "tcb_info_issuer_chain": signers,
        "tcb_info": tcb,
        "tcb_info_signature": sign_document(tcb),
        "qe_identity_issuer_chain": signers,
        "qe_identity": qe,
        "qe_identity_signature": sign_document(qe),
    } | members


def collateral(**members: Any) -> bytes:
    """Collateral as JSON; see `collateral_members`."""
    return json.dumps(collateral_members(**members)).encode()
