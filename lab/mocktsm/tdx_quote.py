# SPDX-License-Identifier: Apache-2.0
"""Minting TDX quotes: the real layouts of versions 4 and 5, signed by keys of a mock Intel.

A quote is a function of its arguments. Whatever is changed is changed before it is signed, so that
nothing else is wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
from lab.mocktsm.intel_pki import (
    PCK,
    PckValues,
    Signer,
    derive_key,
    pck_ca_certificate,
    pck_certificate,
    pem,
    point,
    raw_signature,
    root_certificate,
)
from lab.mocktsm.layouts import encode

Values = Mapping[str, int | bytes]

MOCK_MRTD = hashlib.sha384(b"MOCK TD: nobody measured anything").digest()
MOCK_RTMRS = tuple(hashlib.sha384(b"MOCK RTMR %d" % n).digest() for n in range(4))

ATTESTATION = "attestation key"
AUTH_DATA = bytes(range(32))
QE_MRSIGNER = bytes.fromhex("dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5")
TEE_TCB_SVN = bytes([11, 1, 4]) + bytes(13)
SEPT_VE_DISABLE = (1 << 28).to_bytes(8, "little")
XFAM = bytes.fromhex("e702060000000000")


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
        chain_end: what follows it.
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
    chain_end: bytes = b"\x00"
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
        inner = certification(PCK_CHAIN_PEM, self.chain.encode() + self.chain_end)
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
