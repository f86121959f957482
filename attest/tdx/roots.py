# SPDX-License-Identifier: Apache-2.0
"""Intel's certificate authorities, and what each certificate of theirs must allow (rules T2, T3).

A verifier believes the roots that it is given and nothing that came with evidence. Every root is
checked when it is made, pinned or not. Intel's own is in `attest.tdx.intel_certificate`; a caller's
are an explicit argument (`attest.roots.Roots`).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256

from attest.closed import read_record, write_record
from attest.errors import FormatError
from attest.limits import CERTIFICATE_MAX_BYTES
from attest.scalars import Base64
from attest.tdx.intel_certificate import ROOT
from attest.tdx.usual import usual_certificate
from attest.x509 import Certificate, Crl, parse_certificate

# SEQUENCE of ecdsa-with-SHA256 (RFC 5758 §3.2), which has no parameters.
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")

# Everything before the coordinates in a SubjectPublicKeyInfo for P-256 (RFC 5480 §2), uncompressed.
SPKI_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")

# What bytes mean and whether a signature over bytes holds never changes, so both are remembered, by
# the bytes themselves (docs/adr/0014). Numbers of entries; a signature's is a certificate, list or
# document of 64 KiB at most.
SIGNATURES_REMEMBERED = 128
HOLDERS_REMEMBERED = 64
KEYS_REMEMBERED = 256

_BASIC_CONSTRAINTS = "2.5.29.19"
_KEY_USAGE = "2.5.29.15"
_SHA256 = ECDSA(SHA256())
_P256 = SECP256R1()


class Role(Enum):
    """What a certificate is for: the DER of its basic constraints and of its key usage."""

    ROOT = "30060101ff020101", "03020106"  # one authority below it; certificates and CRLs
    PCK_CA = "30060101ff020100", "03020106"  # none below it
    END = "3000", "030206c0"  # no authority; signatures


_CRITICAL = {
    role: dict(zip((_BASIC_CONSTRAINTS, _KEY_USAGE), map(bytes.fromhex, role.value), strict=True))
    for role in Role
}


@lru_cache(maxsize=KEYS_REMEMBERED)
def p256_key(point: bytes) -> EllipticCurvePublicKey:
    """The public key with these coordinates, x and y.

    Raises:
        ValueError: not a point on P-256.
    """
    return EllipticCurvePublicKey.from_encoded_point(_P256, b"\x04" + point)


def verify_ecdsa(point: bytes, signature: bytes, data: bytes) -> bool:
    """Whether ``signature``, r and s of 32 bytes each, big endian, is over ``data``.

    Raises:
        ValueError: ``point`` is not on P-256.
    """
    try:
        p256_key(point).verify(_der(signature), data, _SHA256)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=SIGNATURES_REMEMBERED)
def verify_p256(spki: bytes, signature: bytes, data: bytes) -> None:
    """Return for a DER signature that holds; what raises is not remembered.

    Raises:
        InvalidSignature: it does not.
    """
    p256_key(spki.removeprefix(SPKI_P256)).verify(signature, data, _SHA256)


def _signed(spki: bytes, signature: bytes, data: bytes) -> bool:
    try:
        verify_p256(spki, signature, data)
    except InvalidSignature:
        return False
    return True


def _der(signature: bytes) -> bytes:
    """The SEQUENCE of two INTEGERs (RFC 3279 §2.2.3) for r and s; it is never 128 bytes long."""
    r, s = signature[:32].lstrip(b"\x00"), signature[32:].lstrip(b"\x00")
    if not b"\x00" < r[:1] < b"\x80":  # zero is one byte, and no number begins with the sign's bit
        r = b"\x00" + r
    if not b"\x00" < s[:1] < b"\x80":
        s = b"\x00" + s
    return b"\x30%c\x02%c%b\x02%c%b" % (4 + len(r) + len(s), len(r), r, len(s), s)


@dataclass(frozen=True, slots=True)
class Holder:
    """A certificate of Intel's. Its key is known to be on P-256."""

    certificate: Certificate

    def issued(self, signed: Certificate | Crl) -> bool:
        """Whether this one issued and signed ``signed``, over the bytes that came."""
        return (
            signed.issuer == self.certificate.subject
            and signed.algorithm == ECDSA_SHA256
            and _signed(self.certificate.spki, signed.signature, signed.tbs)
        )

    def signed(self, signature: bytes, data: bytes) -> bool:
        """Whether ``signature``, r and s of 32 bytes each, is this one's over ``data``."""
        return _signed(self.certificate.spki, _der(signature), data)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """How a root is written in a trust file: DER in base64."""

    intel: Annotated[bytes, Base64(CERTIFICATE_MAX_BYTES)]


@dataclass(frozen=True, slots=True)
class IntelRoot:
    """A root of Intel's provisioning certification."""

    holder: Holder

    @property
    def der(self) -> bytes:
        """The certificate's bytes."""
        return self.holder.certificate.der

    @property
    def record(self) -> dict[str, Any]:
        """The form that `read_root` reads."""
        return write_record(_Record(intel=self.der))


@lru_cache(maxsize=HOLDERS_REMEMBERED)
def parse_holder(der: bytes, role: Role, what: str) -> Holder:
    """Read a certificate that may do what its role does, and nothing else; it is remembered.

    Raises:
        FormatError: not such a certificate, or its key is not on P-256.
    """
    certificate = usual_certificate(der) or parse_certificate(der, what)
    critical = {oid: e.value for oid, e in certificate.extensions.items() if e.critical}
    if critical != _CRITICAL[role]:
        raise FormatError(what, None, "its critical extensions are not those of its role")
    try:
        if not certificate.spki.startswith(SPKI_P256):
            raise ValueError("not an uncompressed P-256 key")
        p256_key(certificate.spki.removeprefix(SPKI_P256))
    except ValueError as error:
        raise FormatError(what, None, "wanted an uncompressed point on P-256") from error
    return Holder(certificate)


def load_intel_root(der: bytes) -> IntelRoot:
    """Make a root from its certificate.

    Raises:
        FormatError: not a root's certificate, or not signed by itself.
    """
    holder = parse_holder(der, Role.ROOT, "Intel root")
    if not holder.issued(holder.certificate):
        raise FormatError("Intel root", None, "not signed by itself")
    return IntelRoot(holder)


def pinned_root() -> IntelRoot:
    """Intel's own, from `attest.tdx.intel_certificate`."""
    return load_intel_root(base64.b64decode(ROOT))


def read_root(value: object, what: str) -> IntelRoot:
    """Read one root from a trust file.

    Raises:
        FormatError: not such a record, or its certificate is not a root's.
    """
    return load_intel_root(read_record(_Record, value, what).intel)
