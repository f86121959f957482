# SPDX-License-Identifier: Apache-2.0
"""A mock AMD: ARK → ASK or ASVK → VCEK or VLEK, and the ARK's CRL, with AMD's encodings.

Serial numbers, names, extensions, their order and both PSS encodings are as dumped from real
certificates (AMD 57230). The authorities' common names end in "MOCK". Everything is a function of
its arguments: signatures use a salt derived from what they sign.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.der import explicit
from attest.roots import Roots
from attest.snp.certificate import (
    CSP_ID,
    HWID,
    PRODUCT_NAME,
    SPL_OIDS,
    STRUCT_VERSION,
    amd_name,
)
from attest.snp.key_kind import KeyKind
from attest.snp.product import PRODUCTS, ProductLine
from attest.snp.roots import PSS_LONG, PSS_SHORT, load_root
from lab.mocktsm import keys
from lab.mocktsm.der import bits, element, extension, ia5, integer, oid, sequence, utc_time
from lab.mocktsm.keys import EXPONENT, RsaKey

AUTHORITY_LIFE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC)
ASK_SERIALS = {  # Genoa's first one is revoked
    ProductLine.MILAN: 0x10001,
    ProductLine.GENOA: 0x20002,
    ProductLine.TURIN: 0x30001,
}
VCEK_LIFE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2033, 1, 1, tzinfo=UTC)
VLEK_LIFE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)

_HASH_BYTES = 48
_SHA384_PREFIX = b"\x00" * 8
_MODULUS_BYTES = 512
_SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
_KEY_USAGE = "2.5.29.15"
_BASIC_CONSTRAINTS = "2.5.29.19"
_CRL_NUMBER = "2.5.29.20"
_CRL_DISTRIBUTION_POINTS = "2.5.29.31"
_AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
_CERT_SIGN_AND_CRL_SIGN = bytes.fromhex("03020106")
_CERT_SIGN = bytes.fromhex("03020104")

# The order in which real certificates carry the SPL extensions, by structVersion.
_SPL_ORDER = {0: (1, 2, 4, 5, 6, 7, 3, 8), 1: (9, 1, 2, 3, 5, 6, 7, 8)}


@dataclass(frozen=True, slots=True)
class Signer:
    """A mock authority that signs: its name and its key."""

    name: bytes
    key: RsaKey

    def sign(self, tbs: bytes, algorithm: bytes) -> bytes:
        """The signed structure: what was to be signed, the algorithm, the signature."""
        return sequence(tbs, algorithm, bits(pss_signature(self.key, tbs)))


def pss_signature(key: RsaKey, message: bytes) -> bytes:
    """RSASSA-PSS with SHA-384 and a salt that is a digest of the message (RFC 8017 §9.1.1)."""
    salt = hashlib.sha384(b"mock salt" + message).digest()
    digest = hashlib.sha384(_SHA384_PREFIX + hashlib.sha384(message).digest() + salt).digest()
    block_bytes = _MODULUS_BYTES - _HASH_BYTES - 1
    block = (b"\x01" + salt).rjust(block_bytes, b"\x00")
    mask = b"".join(
        hashlib.sha384(digest + counter.to_bytes(4, "big")).digest()
        for counter in range(-(-block_bytes // _HASH_BYTES))
    )
    masked = bytearray(a ^ b for a, b in zip(block, mask, strict=False))
    masked[0] &= 0x7F
    encoded = int.from_bytes(bytes(masked) + digest + b"\xbc", "big")
    return key.power(encoded).to_bytes(_MODULUS_BYTES, "big")


def ark(line: ProductLine) -> Signer:
    """The root of a product line."""
    return Signer(amd_name(f"ARK-{line} MOCK"), keys.ARK)


def issuer(line: ProductLine, kind: KeyKind) -> Signer:
    """The ASK, which issues VCEKs, or the ASVK, which issues VLEKs."""
    if kind is KeyKind.VCEK:
        return Signer(amd_name(f"SEV-{line} MOCK"), keys.ASK)
    return Signer(amd_name(f"SEV-VLEK-{line} MOCK"), keys.ASVK)


@cache
def authority_certificates(line: ProductLine) -> tuple[bytes, bytes, bytes]:
    """ARK, ASK and ASVK of a product line, DER."""
    number = 0x10000 * (1 + list(ProductLine).index(line))
    root = ark(line)
    ask, asvk = issuer(line, KeyKind.VCEK), issuer(line, KeyKind.VLEK)
    revocation = extension(_CRL_DISTRIBUTION_POINTS, _distribution_points(line))
    identifier = extension(_SUBJECT_KEY_IDENTIFIER, b"\x04\x14" + _key_identifier(root.key))
    usage = extension(_KEY_USAGE, _CERT_SIGN_AND_CRL_SIGN, critical=True)
    constraints = extension(_BASIC_CONSTRAINTS, bytes.fromhex("30030101ff"), critical=True)
    extensions = (usage, identifier, constraints, revocation)
    certificates = [_certificate(root, number, root.name, _spki(root.key), extensions)]
    for serial, authority in ((ASK_SERIALS[line], ask), (number + 0x101, asvk)):
        parts = (
            extension(_SUBJECT_KEY_IDENTIFIER, b"\x04\x14" + _key_identifier(authority.key)),
            extension(_AUTHORITY_KEY_IDENTIFIER, b"\x30\x16\x80\x14" + _key_identifier(root.key)),
            extension(_BASIC_CONSTRAINTS, bytes.fromhex("30060101ff020100"), critical=True),
            extension(_KEY_USAGE, _CERT_SIGN, critical=True),
            revocation,
        )
        spki = _spki(authority.key)
        certificates.append(_certificate(root, serial, authority.name, spki, parts))
    return certificates[0], certificates[1], certificates[2]


@cache
def mock_roots(line: str = ProductLine.MILAN) -> Roots:
    """The mock authorities of one product line, to be passed as ``roots``."""
    known = ProductLine(line)
    ark_der, ask_der, asvk_der = authority_certificates(known)
    return Roots(amd=(load_root(known, ark=ark_der, ask=ask_der, asvk=asvk_der),))


def vek_certificate(
    line: ProductLine,
    kind: KeyKind,
    *,
    point: bytes,
    tcb: bytes,
    identity: bytes | str,
    product_name: str | None = None,
    life: tuple[datetime, datetime] | None = None,
    serial: int = 0,
    algorithm: bytes = PSS_SHORT,
    drop: str | None = None,
    extra: bytes = b"",
) -> bytes:
    """A VCEK or VLEK certificate, DER.

    Args:
        line: decides issuer, structVersion and the set of SPL extensions.
        kind: VCEK or VLEK.
        point: the public key, an uncompressed point on P-384.
        tcb: the TCB_VERSION that the key is said to be derived from.
        identity: hwID octets (VCEK) or CSP_ID (VLEK).
        product_name: the extension's text; by default what real certificates have.
        life: validity; by default 7 years (VCEK) or 1 (VLEK).
        serial: AMD's are all 0.
        algorithm: one of the two PSS encodings.
        drop: an extension to leave out.
        extra: an extension to add.
    """
    struct_version = PRODUCTS[line].struct_version
    names = {ProductLine.MILAN: "Milan-B0" if kind is KeyKind.VCEK else "Milan"}
    spl_at = SPL_OIDS[struct_version]
    prefix = STRUCT_VERSION.removesuffix("1")
    extensions = {
        STRUCT_VERSION: integer(struct_version),
        PRODUCT_NAME: ia5(product_name or names.get(line, line)),
    }
    for spl in _SPL_ORDER[struct_version]:
        dotted = f"{prefix}3.{spl}"
        extensions[dotted] = integer(tcb[spl_at[dotted]])
    if isinstance(identity, bytes):
        extensions[HWID] = identity
    else:
        extensions[CSP_ID] = ia5(identity)
    written = [extension(dotted, v) for dotted, v in extensions.items() if dotted != drop]
    return _certificate(
        issuer(line, kind),
        serial,
        amd_name(f"SEV-{kind.upper()}"),
        sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.3.132.0.34")), bits(point)),
        (*written, extra),
        life=life or (VCEK_LIFE if kind is KeyKind.VCEK else VLEK_LIFE),
        algorithm=algorithm,
    )


def crl(
    line: ProductLine,
    *,
    revoked: tuple[int, ...] = (),
    life: tuple[datetime, datetime] = VCEK_LIFE,
    since: datetime | None = None,
    number: int = 1,
    signer: Signer | None = None,
) -> bytes:
    """The ARK's revocation list, DER; what is in it is revoked ``since`` then."""
    root = ark(line)
    entries = sequence(*(sequence(integer(s), utc_time(since or life[0])) for s in revoked))
    identifier = b"\x30\x16\x80\x14" + _key_identifier(root.key)
    tbs = sequence(
        integer(1),
        PSS_SHORT,
        root.name,
        *map(utc_time, life),
        entries if revoked else b"",
        element(
            explicit(0),
            sequence(
                extension(_AUTHORITY_KEY_IDENTIFIER, identifier),
                extension(_CRL_NUMBER, integer(number)),
            ),
        ),
    )
    return (signer or root).sign(tbs, PSS_SHORT)


def _certificate(
    signer: Signer,
    serial: int,
    subject: bytes,
    spki: bytes,
    extensions: tuple[bytes, ...],
    *,
    life: tuple[datetime, datetime] = AUTHORITY_LIFE,
    algorithm: bytes = PSS_LONG,
) -> bytes:
    tbs = sequence(
        element(explicit(0), integer(2)),
        integer(serial),
        algorithm,
        signer.name,
        sequence(*map(utc_time, life)),
        subject,
        spki,
        element(explicit(3), sequence(*extensions)),
    )
    return signer.sign(tbs, algorithm)


def _spki(key: RsaKey) -> bytes:
    public = RSAPublicNumbers(EXPONENT, key.modulus).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key_identifier(key: RsaKey) -> bytes:
    return hashlib.sha1(_spki(key), usedforsecurity=False).digest()


def _distribution_points(line: ProductLine) -> bytes:
    address = f"mock:/vcek/v1/{line}/crl".encode("ascii")
    name = element(explicit(0), element(explicit(0), element(0x86, address)))
    return sequence(sequence(name))
