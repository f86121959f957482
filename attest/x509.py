# SPDX-License-Identifier: Apache-2.0
"""X.509 certificates and revocation lists (RFC 5280 §4.1 and §5.1), read strictly.

A `Certificate` or `Crl` is what the bytes say, nothing more: nobody has checked a signature yet.
Names, keys and signed parts are kept as the bytes that came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from attest.der import OCTET_STRING, SEQUENCE, DerReader, explicit
from attest.errors import FormatError

CERTIFICATE_MAX_BYTES = 4096
CRL_MAX_BYTES = 65536
EXTENSIONS_MAX = 32
SERIAL_MAX_BITS = 160

_X509_V3 = 2
_CRL_V2 = 1
_COMMON_NAME = bytes.fromhex("0603550403")
_CRL_EXTENSIONS = frozenset({"2.5.29.35", "2.5.29.20"})  # authority key identifier, CRL number
_PARTIAL_CRL = frozenset({"2.5.29.27", "2.5.29.28"})  # delta list, issuing distribution point


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension; ``value`` is the content of its OCTET STRING."""

    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as parsed. ``issuer``, ``subject``, ``spki`` and ``algorithm`` are DER."""

    der: bytes
    tbs: bytes
    serial: int
    issuer: bytes
    not_before: datetime
    not_after: datetime
    subject: bytes
    spki: bytes
    extensions: dict[str, Extension]
    algorithm: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Crl:
    """A revocation list as parsed. ``revoked`` holds serial numbers."""

    tbs: bytes
    issuer: bytes
    this_update: datetime
    next_update: datetime
    revoked: frozenset[int]
    algorithm: bytes
    signature: bytes


def parse_certificate(der: bytes, what: str = "certificate") -> Certificate:
    """Read one X.509 v3 certificate.

    Raises:
        FormatError: not exactly one certificate in DER, or over `CERTIFICATE_MAX_BYTES`.
    """
    _bounded(der, CERTIFICATE_MAX_BYTES, what)
    with DerReader(what, der) as outer, outer.enter() as certificate:
        tbs = certificate.element(SEQUENCE)
        algorithm = certificate.element(SEQUENCE).raw
        signature = certificate.bits()
    with certificate.inside(tbs) as body:
        with body.enter(explicit(0)) as version:
            _equal(version, version.integer(), _X509_V3, "version")
        serial = body.integer()
        if serial.bit_length() > SERIAL_MAX_BITS:
            raise body.error("serial number is too long")
        _equal(body, body.element(SEQUENCE).raw, algorithm, "signature algorithm")
        issuer = body.element(SEQUENCE).raw
        with body.enter() as validity:
            not_before, not_after = validity.time(), validity.time()
        subject = body.element(SEQUENCE).raw
        spki = body.element(SEQUENCE).raw
        with body.enter(explicit(3)) as wrapper:
            extensions = _extensions(wrapper)
    return Certificate(
        der=der,
        tbs=tbs.raw,
        serial=serial,
        issuer=issuer,
        not_before=not_before,
        not_after=not_after,
        subject=subject,
        spki=spki,
        extensions=extensions,
        algorithm=algorithm,
        signature=signature,
    )


def parse_crl(der: bytes, what: str = "CRL") -> Crl:
    """Read one X.509 v2 revocation list, which must say when the next one comes.

    Raises:
        FormatError: not exactly one list in DER, over `CRL_MAX_BYTES`, or with an extension that
            is critical and not known, or that makes it a list of some certificates only.
    """
    _bounded(der, CRL_MAX_BYTES, what)
    with DerReader(what, der) as outer, outer.enter() as crl:
        tbs = crl.element(SEQUENCE)
        algorithm = crl.element(SEQUENCE).raw
        signature = crl.bits()
    revoked: set[int] = set()
    with crl.inside(tbs) as body:
        _equal(body, body.integer(), _CRL_V2, "version")
        _equal(body, body.element(SEQUENCE).raw, algorithm, "signature algorithm")
        issuer = body.element(SEQUENCE).raw
        this_update, next_update = body.time(), body.time()
        if body.peek() == SEQUENCE:
            with body.enter() as entries:
                while entries.left:
                    with entries.enter() as entry:
                        revoked.add(entry.integer())
                        entry.time()
                        if entry.left:
                            entry.element(SEQUENCE)  # reason and the like: revoked all the same
        with body.enter(explicit(0)) as wrapper:
            for oid, extension in _extensions(wrapper).items():
                if oid in _PARTIAL_CRL or (extension.critical and oid not in _CRL_EXTENSIONS):
                    raise wrapper.error(f"extension {oid} changes what the list means")
    return Crl(
        tbs=tbs.raw,
        issuer=issuer,
        this_update=this_update,
        next_update=next_update,
        revoked=frozenset(revoked),
        algorithm=algorithm,
        signature=signature,
    )


def common_name(name: bytes) -> str:
    """The last common name in a distinguished name, for people; its hexadecimal otherwise."""
    before, _, after = name.rpartition(_COMMON_NAME)
    text = after[2 : 2 + after[1]].decode("latin-1") if len(after) > 2 else ""
    return text if before and text.isascii() and text.isprintable() else name.hex()


def _extensions(wrapper: DerReader) -> dict[str, Extension]:
    found: dict[str, Extension] = {}
    with wrapper.enter() as entries:
        while entries.left:
            with entries.enter() as entry:
                oid = entry.oid()
                critical = entry.peek() != OCTET_STRING and entry.boolean()
                value = entry.element(OCTET_STRING).body
            if oid in found:
                raise entries.error(f"extension {oid} twice")
            if len(found) == EXTENSIONS_MAX:
                raise entries.error(f"more than {EXTENSIONS_MAX} extensions")
            found[oid] = Extension(critical, value)
    return found


def _bounded(data: bytes, most: int, what: str) -> None:
    if len(data) > most:
        raise FormatError(what, most, f"wanted at most {most} bytes, got {len(data)}")


def _equal(reader: DerReader, got: object, wanted: object, what: str) -> None:
    if got != wanted:
        raise reader.error(f"{what} is not the one wanted")
