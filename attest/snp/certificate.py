# SPDX-License-Identifier: Apache-2.0
"""The VEK certificate: VCEK (one chip's key) or VLEK (one cloud's key), AMD 57230 §3 (rule S4).

The set of extensions and each one's encoding is exact, because the TCB and the chip identity that
a verifier relies on stand in them. All are non-critical, under 1.3.6.1.4.1.3704.1. Certificates in
the field carry hwID as raw octets; an OCTET STRING is taken too, and the length alone tells which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey

from attest.der import IA5_STRING, OCTET_STRING, Der
from attest.errors import FormatError, UnsupportedError
from attest.snp.key_kind import KeyKind
from attest.snp.tcb import TCB_BYTES
from attest.x509 import Certificate, parse_certificate

_WHAT = "VEK certificate"
_AMD = "1.3.6.1.4.1.3704.1."
STRUCT_VERSION = _AMD + "1"
PRODUCT_NAME = _AMD + "2"
HWID = _AMD + "4"
CSP_ID = _AMD + "5"

# structVersion decides which SPL extension holds which byte of the TCB_VERSION, byte 0 first.
SPL_OIDS: dict[int, dict[str, int]] = {
    0: {f"{_AMD}3.{spl}": byte for byte, spl in enumerate((1, 2, 4, 5, 6, 7, 3, 8))},
    1: {f"{_AMD}3.{spl}": byte for byte, spl in enumerate((9, 1, 2, 3, 5, 6, 7, 8))},
}
HWID_BYTES = {0: 64, 1: 8}

# DER has one spelling for each of the 256 values of a security version.
_SPELLINGS = {
    (b"\x02\x01" if svn < 0x80 else b"\x02\x02\x00") + bytes([svn]): svn for svn in range(256)
}

_CSP_ID_MAX_CHARACTERS = 256
_NAME = re.compile(r"([A-Z][a-z]+)(-[A-Z][0-9])?", re.ASCII)

# Everything before the point in a SubjectPublicKeyInfo for P-384 (RFC 5480 §2), uncompressed.
SPKI_P384 = bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200")

# OU=Engineering, C=US, L=Santa Clara, ST=CA, O=Advanced Micro Devices: the start of every AMD name.
AMD_NAME = bytes.fromhex(
    "31143012060355040b0c0b456e67696e656572696e67"
    "310b3009060355040613025553"
    "3114301206035504070c0b53616e746120436c617261"
    "310b300906035504080c024341"
    "311f301d060355040a0c16416476616e636564204d6963726f2044657669636573"
)


def amd_name(common_name: str) -> bytes:
    """The DER of AMD's distinguished name with this common name."""
    text = common_name.encode("ascii")
    attribute = b"\x06\x03\x55\x04\x03\x0c" + bytes([len(text)]) + text
    rdn = b"\x30" + bytes([len(attribute)]) + attribute
    body = AMD_NAME + b"\x31" + bytes([len(rdn)]) + rdn
    size = bytes([len(body)]) if len(body) < 0x80 else bytes([0x81, len(body)])
    return b"\x30" + size + body


SUBJECTS = {amd_name("SEV-VCEK"): KeyKind.VCEK, amd_name("SEV-VLEK"): KeyKind.VLEK}


# Parsed once as long as it is remembered, by its exact bytes (docs/adr/0014).
VEKS_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Vek:
    """A VEK certificate as parsed. Nobody has checked who signed it.

    Attributes:
        kind: VCEK or VLEK, by its subject.
        certificate: the certificate proper.
        struct_version: decides the layout of ``tcb``.
        product_name: without the stepping.
        tcb: the TCB_VERSION that the key was derived from.
        hwid: the chip's identity (VCEK), or None.
        csp_id: the cloud that the key belongs to (VLEK), or None.
        public_key: the key, on P-384.
    """

    kind: KeyKind
    certificate: Certificate
    struct_version: int
    product_name: str
    tcb: bytes
    hwid: bytes | None
    csp_id: str | None
    public_key: EllipticCurvePublicKey


@lru_cache(maxsize=VEKS_REMEMBERED)
def parse_vek(der: bytes) -> Vek:
    """Read one VEK certificate; what some bytes gave is remembered.

    Raises:
        FormatError: a certificate in another form than AMD's.
    """
    certificate = parse_certificate(der, _WHAT)
    kind = SUBJECTS.get(certificate.subject)
    if kind is None:
        raise FormatError(_WHAT, None, "wanted subject SEV-VCEK or SEV-VLEK")
    values = {oid: extension.value for oid, extension in certificate.extensions.items()}
    if any(extension.critical for extension in certificate.extensions.values()):
        raise FormatError(_WHAT, None, "a critical extension")
    struct_version = _spl(values, STRUCT_VERSION)
    if struct_version not in SPL_OIDS:
        raise UnsupportedError(_WHAT, None, f"wanted structVersion 0 or 1, got {struct_version}")
    spl_oids = SPL_OIDS[struct_version]
    identity = HWID if kind is KeyKind.VCEK else CSP_ID
    if values.keys() != {STRUCT_VERSION, PRODUCT_NAME, identity, *spl_oids}:
        raise FormatError(_WHAT, None, "the set of extensions is not the one of its kind")
    levels = bytearray(TCB_BYTES)
    for oid, byte in spl_oids.items():
        levels[byte] = _spl(values, oid)
    return Vek(
        kind=kind,
        certificate=certificate,
        struct_version=struct_version,
        product_name=_product_name(values[PRODUCT_NAME]),
        tcb=bytes(levels),
        hwid=_hwid(values[HWID], HWID_BYTES[struct_version]) if HWID in values else None,
        csp_id=_ia5(values[CSP_ID], _CSP_ID_MAX_CHARACTERS) if CSP_ID in values else None,
        public_key=_public_key(certificate.spki),
    )


def _spl(values: dict[str, bytes], oid: str) -> int:
    if oid not in values:
        raise FormatError(_WHAT, None, f"extension {oid} is missing")
    if values[oid] not in _SPELLINGS:
        what = f"{_WHAT}, extension {oid}"
        got = values[oid][:8].hex()
        raise FormatError(what, None, f"wanted an INTEGER from 0 to 255 in DER, got {got}")
    return _SPELLINGS[values[oid]]


def _hwid(value: bytes, size: int) -> bytes:
    """The identity, which may begin with any byte: its type is never guessed from the first."""
    if len(value) == size:
        return value
    reader = Der(f"{_WHAT}, hwID", value)
    hwid = reader.value(reader.whole(), OCTET_STRING)
    if len(hwid) != size:
        raise FormatError(reader.what, None, f"wanted {size} bytes, got {len(hwid)}")
    return hwid


def _ia5(value: bytes, most: int) -> str:
    reader = Der(_WHAT, value)
    body = reader.value(reader.whole(), IA5_STRING)
    if not 1 <= len(body) <= most or not all(0x20 <= byte < 0x7F for byte in body):
        raise FormatError(_WHAT, None, "IA5String is empty, too long or not printable")
    return body.decode("ascii")


def _product_name(value: bytes) -> str:
    match = _NAME.fullmatch(_ia5(value, 32))
    if match is None:
        raise FormatError(_WHAT, None, "productName is not a name with or without a stepping")
    return match[1]


def _public_key(spki: bytes) -> EllipticCurvePublicKey:
    point = spki.removeprefix(SPKI_P384)
    try:
        if len(point) != 97 or point == spki:
            raise ValueError("not an uncompressed P-384 key")
        return EllipticCurvePublicKey.from_encoded_point(SECP384R1(), point)
    except ValueError as error:
        raise FormatError(_WHAT, None, "wanted an uncompressed point on P-384") from error
