# SPDX-License-Identifier: Apache-2.0
"""A mock Intel: root → PCK CA → PCK, the TCB signer, and both revocation lists.

Names but the root's, extensions and their order are as dumped from real certificates (Intel SGX PCK
Certificate and CRL Profile). Everything is a function of its arguments: keys follow from their
labels and ECDSA is as in RFC 6979. The root's name ends in MOCK; the others must be Intel's own,
by which `attest` knows what a certificate is for.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.der import BOOLEAN, OCTET_STRING, explicit
from attest.roots import Roots
from attest.tdx.certificate import PCK_NAME, TCB_SIGNER_NAME, intel_name
from attest.tdx.roots import ECDSA_SHA256, SPKI_P256, Role, load_intel_root
from lab.mocktsm.der import bits, element, extension, integer, oid, sequence, utc_time

Life = tuple[datetime, datetime]

AUTHORITY_LIFE: Life = datetime(2020, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC)
PCK_LIFE: Life = datetime(2026, 1, 1, tzinfo=UTC), datetime(2033, 1, 1, tzinfo=UTC)
LIST_LIFE: Life = datetime(2026, 5, 20, tzinfo=UTC), datetime(2026, 6, 19, tzinfo=UTC)

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ENUMERATED = 0x0A
_SGX = "1.2.840.113741.1.13.1"
_DETERMINISTIC = ECDSA(SHA256(), deterministic_signing=True)


def derive_key(label: str) -> EllipticCurvePrivateKey:
    """The mock key with this label."""
    seed = int.from_bytes(hashlib.sha512(b"mock Intel " + label.encode()).digest(), "big")
    return derive_private_key(1 + seed % (_P256_ORDER - 1), SECP256R1())


def point(key: EllipticCurvePrivateKey) -> bytes:
    """The public key's coordinates."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def raw_signature(key: EllipticCurvePrivateKey, data: bytes) -> bytes:
    """R and s, as quotes and collateral carry them."""
    r, s = decode_dss_signature(key.sign(data, _DETERMINISTIC))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True)
class Signer:
    """A mock authority: its name and the label of its key."""

    name: bytes
    label: str

    @property
    def key(self) -> EllipticCurvePrivateKey:
        """What it signs with."""
        return derive_key(self.label)

    @property
    def serial(self) -> int:
        """The serial number of its certificate."""
        return int.from_bytes(_key_identifier(self), "big") >> 1

    def sign(self, tbs: bytes, algorithm: bytes = ECDSA_SHA256) -> bytes:
        """The signed structure: what was to be signed, the algorithm, the signature."""
        return sequence(tbs, algorithm, bits(self.key.sign(tbs, _DETERMINISTIC)))


ROOT = Signer(intel_name("Intel SGX Root CA MOCK"), "root")
OTHER_ROOT = Signer(ROOT.name, "another root")
PLATFORM_CA = Signer(intel_name("Intel SGX PCK Platform CA"), "platform CA")
PROCESSOR_CA = Signer(intel_name("Intel SGX PCK Processor CA"), "processor CA")
TCB_SIGNER = Signer(TCB_SIGNER_NAME, "TCB signer")
PCK = Signer(PCK_NAME, "PCK")


@dataclass(frozen=True, kw_only=True)
class PckValues:
    """What a PCK certificate's SGX extension says."""

    cpu_svns: bytes = bytes([4, 4, 2, 2, 4, 1, 0, 5]) + bytes(8)
    pce_svn: int = 13
    pce_id: bytes = bytes(2)
    fmspc: bytes = bytes.fromhex("90c06f000000")
    sgx_type: int = 1  # scalable; 0 is standard
    ppid: bytes = b"\xaa" * 16
    instance: bytes | None = b"\xbb" * 16
    configuration: tuple[bool, bool, bool] = (True, True, True)  # dynamic, cached keys, SMT

    @property
    def encoded(self) -> bytes:
        """The extension's value, DER."""
        tcb = [pair(f"{_SGX}.2.{n}", integer(svn)) for n, svn in enumerate(self.cpu_svns, 1)]
        tcb.append(pair(f"{_SGX}.2.17", integer(self.pce_svn)))
        tcb.append(pair(f"{_SGX}.2.18", element(OCTET_STRING, self.cpu_svns)))
        values = [
            pair(f"{_SGX}.1", element(OCTET_STRING, self.ppid)),
            pair(f"{_SGX}.2", sequence(*tcb)),
            pair(f"{_SGX}.3", element(OCTET_STRING, self.pce_id)),
            pair(f"{_SGX}.4", element(OCTET_STRING, self.fmspc)),
            pair(f"{_SGX}.5", element(_ENUMERATED, bytes([self.sgx_type]))),
        ]
        if self.instance is not None:
            flags = (
                pair(f"{_SGX}.7.{n}", element(BOOLEAN, b"\xff" if flag else b"\x00"))
                for n, flag in enumerate(self.configuration, 1)
            )
            values.append(pair(f"{_SGX}.6", element(OCTET_STRING, self.instance)))
            values.append(pair(f"{_SGX}.7", sequence(*flags)))
        return sequence(*values)


def pair(dotted: str, value: bytes) -> bytes:
    """An OID and its value, as in the SGX extension."""
    return sequence(oid(dotted), value)


def certificate(
    signer: Signer,
    subject: Signer,
    role: Role,
    *,
    life: Life = AUTHORITY_LIFE,
    spki: bytes | None = None,
    extra: bytes = b"",
) -> bytes:
    """A certificate of the mock Intel's, DER."""
    constraints, usage = map(bytes.fromhex, role.value)
    identifier = _key_identifier(subject)
    address = b"mock:/" + subject.label.replace(" ", "-").encode()
    uri = element(explicit(0), element(explicit(0), element(0x86, address)))
    tbs = sequence(
        element(explicit(0), integer(2)),
        integer(subject.serial),
        ECDSA_SHA256,
        signer.name,
        sequence(*map(utc_time, life)),
        subject.name,
        _spki(subject) if spki is None else spki,
        element(
            explicit(3),
            sequence(
                extension("2.5.29.35", b"\x30\x16\x80\x14" + _key_identifier(signer)),
                extension("2.5.29.31", sequence(sequence(uri))),
                extension("2.5.29.14", b"\x04\x14" + identifier),
                extension("2.5.29.15", usage, critical=True),
                extension("2.5.29.19", constraints, critical=True),
                extra,
            ),
        ),
    )
    return signer.sign(tbs)


def _spki(signer: Signer) -> bytes:
    return SPKI_P256 + point(signer.key)


@cache
def root_certificate(signer: Signer = ROOT) -> bytes:
    """The root's own certificate, DER."""
    return certificate(signer, signer, Role.ROOT)


@cache
def pck_ca_certificate(ca: Signer = PLATFORM_CA, signer: Signer = ROOT) -> bytes:
    """The certificate of what issues PCK certificates, DER."""
    return certificate(signer, ca, Role.PCK_CA)


@cache
def tcb_signer_certificate(signer: Signer = ROOT) -> bytes:
    """The certificate of what signs TCB information and QE identities, DER."""
    return certificate(signer, TCB_SIGNER, Role.END)


def pck_certificate(
    values: PckValues = PckValues(),
    *,
    ca: Signer = PLATFORM_CA,
    subject: Signer = PCK,
    life: Life = PCK_LIFE,
    sgx: bytes | None = None,
    role: Role = Role.END,
) -> bytes:
    """A PCK certificate; ``sgx`` replaces its SGX extension, or leaves it out when empty."""
    own = values.encoded if sgx is None else sgx
    extra = extension(_SGX, own) if own else b""
    return certificate(ca, subject, role, life=life, extra=extra)


def crl(signer: Signer, *, revoked: tuple[int, ...] = (), life: Life = LIST_LIFE) -> bytes:
    """A revocation list, DER."""
    reason = sequence(extension("2.5.29.21", element(_ENUMERATED, b"\x01")))  # keyCompromise
    entries = sequence(*(sequence(integer(s), utc_time(life[0]), reason) for s in revoked))
    extensions = sequence(
        extension("2.5.29.20", integer(1)),
        extension("2.5.29.35", b"\x30\x16\x80\x14" + _key_identifier(signer)),
    )
    tbs = sequence(
        integer(1),
        ECDSA_SHA256,
        signer.name,
        *map(utc_time, life),
        entries if revoked else b"",
        element(explicit(0), extensions),
    )
    return signer.sign(tbs)


def pem(*ders: bytes) -> str:
    """Certificates in PEM, as Intel's service writes them."""
    parts: list[str] = []
    for der in ders:
        text = base64.b64encode(der).decode()
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        parts += ["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]
    return "\n".join(part for part in parts if part) + "\n"


@cache
def mock_intel_roots() -> Roots:
    """The mock root, to be passed as ``roots``."""
    return Roots(amd=(), intel=(load_intel_root(root_certificate()),))


def _key_identifier(signer: Signer) -> bytes:
    return hashlib.sha1(b"\x04" + point(signer.key), usedforsecurity=False).digest()
