# SPDX-License-Identifier: Apache-2.0
"""AMD's certificate authorities: ARK, ASK and ASVK of one product line (rule S5).

A verifier believes what it is given here and nothing that came with evidence. Every root is checked
when it is made, pinned or not: key type, names, constraints, and the ARK's signatures. AMD's own
are in `attest.snp.amd_certificates`; a caller's are an explicit argument (`attest.roots.Roots`).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA384

from attest.closed import read_record, write_record
from attest.errors import FormatError
from attest.limits import CERTIFICATE_MAX_BYTES
from attest.scalars import Base64
from attest.snp.amd_certificates import CERTIFICATES
from attest.snp.product import ProductLine
from attest.x509 import Certificate, Crl, Extension, parse_certificate

RSA_BITS = 4096
RSA_EXPONENT = 65537
SALT_BYTES = 48

# Everything around the modulus in a SubjectPublicKeyInfo for such a key (RFC 3279 §2.3.1).
SPKI_RSA_START = bytes.fromhex("30820222300d06092a864886f70d01010105000382020f003082020a0282020100")
SPKI_RSA_END = bytes.fromhex("0203010001")

# Whether a signature over bytes holds never changes, so it is remembered, by the key, the signature
# and the bytes themselves (docs/adr/0014). Entries: a certificate of 4 KiB or a list of 64 KiB.
SIGNATURES_REMEMBERED = 64
_PSS = PSS(mgf=MGF1(SHA384()), salt_length=SALT_BYTES)

# RSASSA-PSS with SHA-384, MGF1 over SHA-384 and a salt of 48 bytes, in the two encodings that AMD
# uses: without trailerField, and with its default value written out, which is not DER.
_PSS_PARAMETERS = (
    "a00f300d06096086480165030402020500"
    "a11c301a06092a864886f70d010108300d06096086480165030402020500"
    "a203020130"
)
PSS_SHORT = bytes.fromhex("304106092a864886f70d01010a3034" + _PSS_PARAMETERS)
PSS_LONG = bytes.fromhex("304606092a864886f70d01010a3039" + _PSS_PARAMETERS + "a303020101")
PSS_ALGORITHMS = frozenset({PSS_SHORT, PSS_LONG})

_Der = Annotated[bytes, Base64(CERTIFICATE_MAX_BYTES)]

_BASIC_CONSTRAINTS = "2.5.29.19"
_KEY_USAGE = "2.5.29.15"
ARK_EXTENSIONS = {
    _BASIC_CONSTRAINTS: Extension(critical=True, value=bytes.fromhex("30030101ff")),
    _KEY_USAGE: Extension(critical=True, value=bytes.fromhex("03020106")),  # certificates, CRLs
}
ASK_EXTENSIONS = {
    _BASIC_CONSTRAINTS: Extension(critical=True, value=bytes.fromhex("30060101ff020100")),
    _KEY_USAGE: Extension(critical=True, value=bytes.fromhex("03020104")),  # certificates
}


@dataclass(frozen=True, slots=True)
class Key:
    """A public key that is told from others by its bytes."""

    spki: bytes
    key: RSAPublicKey = field(compare=False)


@lru_cache(maxsize=SIGNATURES_REMEMBERED)
def verify_pss(by: Key, signature: bytes, data: bytes) -> None:
    """Return for a signature that holds; what raises is not remembered.

    Raises:
        InvalidSignature: it does not.
    """
    by.key.verify(signature, data, _PSS, SHA384())


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority's certificate and its key, read from it."""

    certificate: Certificate
    key: RSAPublicKey

    def verify(self, signed: Certificate | Crl) -> None:
        """Check that this authority issued and signed ``signed``, over the bytes that came.

        Raises:
            InvalidSignature: another issuer, other parameters, or not its signature.
        """
        if signed.issuer != self.certificate.subject or signed.algorithm not in PSS_ALGORITHMS:
            raise InvalidSignature
        verify_pss(Key(self.certificate.spki, self.key), signed.signature, signed.tbs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """How a root is written in a trust file: DER in base64."""

    line: ProductLine
    ark: _Der
    ask: _Der
    asvk: _Der | None


@dataclass(frozen=True, slots=True)
class AmdRoot:
    """One product line's authorities. ``asvk`` signs VLEKs; a root may be without."""

    line: ProductLine
    ark: Authority
    ask: Authority
    asvk: Authority | None

    @property
    def record(self) -> dict[str, Any]:
        """The form that `read_root` reads."""
        ark, ask, asvk = self.ark, self.ask, self.asvk
        return write_record(
            _Record(
                line=self.line,
                ark=ark.certificate.der,
                ask=ask.certificate.der,
                asvk=None if asvk is None else asvk.certificate.der,
            )
        )


def load_root(line: ProductLine, *, ark: bytes, ask: bytes, asvk: bytes | None) -> AmdRoot:
    """Make a root from DER certificates.

    Raises:
        FormatError: a certificate is not of AMD's form, or the ARK has not signed it.
    """
    root = _authority(ark, f"ARK of {line}", ARK_EXTENSIONS)
    intermediate = _authority(ask, f"ASK of {line}", ASK_EXTENSIONS)
    versioned = None if asvk is None else _authority(asvk, f"ASVK of {line}", ASK_EXTENSIONS)
    for name, authority in (("ARK", root), ("ASK", intermediate), ("ASVK", versioned)):
        try:
            if authority is not None:
                root.verify(authority.certificate)
        except InvalidSignature as error:
            raise FormatError(f"{name} of {line}", None, "not signed by the ARK") from error
    return AmdRoot(line, root, intermediate, versioned)


def pinned_roots() -> tuple[AmdRoot, ...]:
    """AMD's own, from `attest.snp.amd_certificates`."""
    found: list[AmdRoot] = []
    for line, texts in CERTIFICATES.items():
        ark, ask, asvk = map(base64.b64decode, texts)
        found.append(load_root(line, ark=ark, ask=ask, asvk=asvk))
    return tuple(found)


def read_root(value: object, what: str) -> AmdRoot:
    """Read one root from a trust file.

    Raises:
        FormatError: not such a record, or its certificates are not a root's.
    """
    record = read_record(_Record, value, what)
    return load_root(record.line, ark=record.ark, ask=record.ask, asvk=record.asvk)


def _authority(der: bytes, what: str, extensions: dict[str, Extension]) -> Authority:
    certificate = parse_certificate(der, what)
    for oid, wanted in extensions.items():
        if certificate.extensions.get(oid) != wanted:
            raise FormatError(what, None, f"extension {oid} is not the one wanted")
    return Authority(certificate, _public_key(certificate.spki, what))


def _public_key(spki: bytes, what: str) -> RSAPublicKey:
    modulus = spki.removeprefix(SPKI_RSA_START).removesuffix(SPKI_RSA_END)
    try:
        if SPKI_RSA_START + modulus + SPKI_RSA_END != spki or len(modulus) != RSA_BITS // 8:
            raise ValueError("another structure")
        if modulus[0] < 0x80:
            raise ValueError("INTEGER is not minimal")
        return RSAPublicNumbers(RSA_EXPONENT, int.from_bytes(modulus, "big")).public_key()
    except ValueError as error:
        wanted = f"wanted an RSA key of {RSA_BITS} bits with exponent {RSA_EXPONENT}"
        raise FormatError(what, None, wanted) from error
