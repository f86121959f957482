# SPDX-License-Identifier: Apache-2.0
"""A mock SEV-SNP chip: real report layouts (AMD 56860), signed by a key of a mock AMD.

Everything follows from the constructor's arguments: the same seed gives the same chip, the same key
and, for the same request, the same report, byte for byte (ECDSA as in RFC 6979).
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP384R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.layout import cells
from attest.snp.key_kind import KeyKind
from attest.snp.product import PRODUCTS, ProductLine
from attest.snp.report import ECDSA_P384_SHA384, P384_ORDER, SIGNED, VERSIONS, ReportV2
from attest.snp.tcb import Tcb, tcb
from lab.mocktsm.layouts import encode
from lab.mocktsm.pki import vek_certificate

MOCK_MEASUREMENT = hashlib.sha384(b"MOCK guest: nobody measured anything").digest()
MOCK_CSP_ID = "CN=cc-mock.example"
FIRMWARE = (1, 55, 29)  # major, minor, build

# Family, model and stepping; the processors that the real samples came from.
CPUIDS = {
    ProductLine.MILAN: (0x19, 0x01, 0x01),
    ProductLine.GENOA: (0x19, 0x11, 0x01),
    ProductLine.TURIN: (0x1A, 0x02, 0x01),
}
TCBS = {
    ProductLine.MILAN: tcb(ProductLine.MILAN, boot_loader=4, snp=0x18, microcode=0xDB),
    ProductLine.GENOA: tcb(ProductLine.GENOA, boot_loader=0x0A, snp=0x17, microcode=0x54),
    ProductLine.TURIN: tcb(ProductLine.TURIN, fmc=1, boot_loader=1, tee=1, snp=4, microcode=0x51),
}

POLICY = 0x30000  # bit 17, which is always one, and SMT allowed
_PLATFORM_INFO = 0x25  # SMT, ECC, alias check
MITIGATIONS = 0x3F


class MockSnp:
    """One mock chip with one guest on it.

    Args:
        line: the product line.
        version: of the report.
        seed: names the chip; another seed is another chip with another key.
        measurement: the guest's launch digest.
        kind: what signs reports.
    """

    def __init__(
        self,
        *,
        line: str = ProductLine.MILAN,
        version: int = 3,
        seed: str = "sealroom",
        measurement: bytes = MOCK_MEASUREMENT,
        kind: KeyKind = KeyKind.VCEK,
    ) -> None:
        self.line = ProductLine(line)
        self.version = version
        self.seed = seed
        self.measurement = measurement
        self.kind = kind
        self.tcb = TCBS[self.line]
        if version not in VERSIONS:
            raise ValueError(f"no report version {version}")
        if self.line is ProductLine.TURIN and version == 2:
            raise ValueError("Turin came after report version 2")

    def derive(self, label: str, size: int) -> bytes:
        """Bytes that depend on the chip and a label only."""
        return hashlib.shake_256(f"{self.line} {self.seed} {label}".encode()).digest(size)

    @property
    def hwid(self) -> bytes:
        """The chip's identity."""
        return self.derive("hwid", PRODUCTS[self.line].hwid_bytes)

    @property
    def chip_id(self) -> bytes:
        """The chip's identity as a report has it."""
        return self.hwid.ljust(64, b"\x00")

    def key(self, level: Tcb) -> EllipticCurvePrivateKey:
        """The signing key for a TCB level: another level has another key."""
        seed = self.derive(f"{self.kind} {level.raw.hex()}", 72)
        return derive_private_key(1 + int.from_bytes(seed, "big") % (P384_ORDER - 1), SECP384R1())

    def vek(self, level: Tcb, **changes: Any) -> bytes:
        """The certificate of `key`, DER; ``changes`` are arguments of `vek_certificate`."""
        public = self.key(level).public_key()
        parts: dict[str, Any] = {
            "point": public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
            "tcb": level.raw,
            "identity": self.hwid if self.kind is KeyKind.VCEK else MOCK_CSP_ID,
        }
        return vek_certificate(self.line, self.kind, **(parts | changes))

    @cached_property
    def certificate(self) -> bytes:
        """The certificate of the key that signs reports now, DER."""
        return self.vek(self.tcb)

    def report(self, report_data: bytes, /, **changes: int | bytes) -> bytes:
        """A signed report over 64 bytes; ``changes`` set fields of `attest.snp.report` by name."""
        layout = VERSIONS[self.version]
        cpuid = CPUIDS[self.line]
        level = self.tcb.raw
        values: dict[str, int | bytes] = {
            "version": self.version,
            "policy": POLICY,
            "signature_algo": ECDSA_P384_SHA384,
            "current_tcb": level,
            "platform_info": _PLATFORM_INFO,
            "flags": 0 if self.kind is KeyKind.VCEK else 1 << 2,
            "report_data": report_data,
            "measurement": self.measurement,
            "report_id": self.derive("report id", 32),
            "report_id_ma": b"\xff" * 32,
            "reported_tcb": level,
            "chip_id": self.chip_id,
            "committed_tcb": level,
            "launch_tcb": level,
            "cpuid_family": cpuid[0],
            "cpuid_model": cpuid[1],
            "cpuid_stepping": cpuid[2],
            "launch_mit_vector": MITIGATIONS,
            "current_mit_vector": MITIGATIONS,
        }
        for prefix in ("current", "committed"):
            for name, number in zip(("major", "minor", "build"), FIRMWARE, strict=True):
                values[f"{prefix}_{name}"] = number
        if unknown := changes.keys() - {field.name for field in fields(layout)}:
            raise ValueError(f"version {self.version} has no {', '.join(sorted(unknown))}")
        values |= changes
        reported = values["reported_tcb"]
        key = self.key(Tcb(self.line, reported) if isinstance(reported, bytes) else self.tcb)
        known = cells(layout)  # earlier versions lack fields of later ones
        kept = {name: value for name, value in values.items() if name in known}
        return sign_report(key, encode(layout, kept))


def sign_report(key: EllipticCurvePrivateKey, report: bytes) -> bytes:
    """The report with its signature fields set."""
    algorithm = ECDSA(SHA384(), deterministic_signing=True)
    numbers = decode_dss_signature(key.sign(report[SIGNED.start : SIGNED.end], algorithm))
    data = bytearray(report)
    for name, number in zip(("signature_r", "signature_s"), numbers, strict=True):
        cell = cells(ReportV2)[name]
        data[cell.offset : cell.offset + cell.size] = number.to_bytes(cell.size, "little")
    return bytes(data)
