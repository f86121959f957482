# SPDX-License-Identifier: Apache-2.0
"""X.509 certificates and revocation lists (RFC 5280 §4.1 and §5.1), read strictly.

A `Certificate` or `Crl` is what the bytes say, nothing more: nobody has checked a signature yet.
Names, keys and signed parts are kept as the bytes that came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from attest.der import INTEGER, OCTET_STRING, SEQUENCE, Der, Element, dotted, explicit
from attest.errors import FormatError
from attest.limits import CERTIFICATE_MAX_BYTES, CRL_MAX_BYTES

CRLS_REMEMBERED = 16  # by their exact bytes (docs/adr/0014); with the bytes, 1 MiB at most
EXTENSIONS_MAX = 32
SERIAL_MAX_BITS = 160

_X509_V3 = bytes.fromhex("a003020102")  # version 3, which is written as 2
_CRL_V2 = bytes.fromhex("020101")
_ID_CE = bytes.fromhex("0603551d")  # how the object identifiers of X.509's own extensions begin
_CRITICAL = bytes.fromhex("0101ff")
# Positive numbers of minimal length lie between these two, by their bytes: their first nine bits
# are neither all zero nor begin with one.
_LEAST_POSITIVE, _NEGATIVE = b"\x00\x80", b"\x80"
_COMMON_NAME = bytes.fromhex("0603550403")
_CRL_EXTENSIONS = frozenset({"2.5.29.35", "2.5.29.20"})  # authority key identifier, CRL number
_PARTIAL_CRL = frozenset({"2.5.29.27", "2.5.29.28"})  # delta list, issuing distribution point


class Extension(NamedTuple):
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


# The serial numbers of a CRL's entries, and what follows them: most often one day and one reason.
Entries = tuple[list[bytes], dict[bytes, Element]]


def parse_certificate(der: bytes, what: str = "certificate") -> Certificate:
    """Read one X.509 v3 certificate.

    Raises:
        FormatError: not exactly one certificate in DER, or over `CERTIFICATE_MAX_BYTES`.
    """
    _bounded(der, CERTIFICATE_MAX_BYTES, what)
    reader = Der(what, der)
    tbs, outer_algorithm, signature = reader.fields(reader.whole(), 3)
    parts = reader.fields(tbs, 8)
    version, number, inner_algorithm, issuer, validity, subject, spki, wrapper = parts
    if der[version[1] : version[3]] != _X509_V3:
        raise reader.error(version, "wanted version 3")
    serial = reader.integer(number)
    if serial.bit_length() > SERIAL_MAX_BITS:
        raise reader.error(number, "serial number is too long")
    algorithm = _one_algorithm(reader, inner_algorithm, outer_algorithm)
    not_before, not_after = reader.fields(validity, 2)
    return Certificate(
        der=der,
        tbs=reader.raw(tbs),
        serial=serial,
        issuer=reader.raw(issuer),
        not_before=reader.time(not_before),
        not_after=reader.time(not_after),
        subject=reader.raw(subject),
        spki=reader.raw(spki),
        extensions=_extensions(reader, wrapper, explicit(3)),
        algorithm=algorithm,
        signature=reader.bits(signature),
    )


@lru_cache(maxsize=CRLS_REMEMBERED)
def parse_crl(der: bytes, what: str = "CRL") -> Crl:
    """Read one X.509 v2 revocation list, which must say when the next one comes.

    What some bytes gave is remembered.

    Raises:
        FormatError: not exactly one list in DER, over `CRL_MAX_BYTES`, or with an extension that
            is critical and not known, or that makes it a list of some certificates only.
    """
    _bounded(der, CRL_MAX_BYTES, what)
    reader = Der(what, der)
    tbs, outer_algorithm, signature = reader.fields(reader.whole(), 3)
    parts = reader.inside(tbs)
    if len(parts) not in (6, 7):
        raise reader.error(tbs, f"wanted 6 or 7 elements in it, got {len(parts)}")
    version, inner_algorithm, issuer, this_update, next_update, *entries, wrapper = parts
    if der[version[1] : version[3]] != _CRL_V2:
        raise reader.error(version, "wanted version 2")
    algorithm = _one_algorithm(reader, inner_algorithm, outer_algorithm)
    for oid, extension in _extensions(reader, wrapper, explicit(0)).items():
        if oid in _PARTIAL_CRL or (extension.critical and oid not in _CRL_EXTENSIONS):
            raise reader.error(wrapper, f"extension {oid} changes what the list means")
    return Crl(
        tbs=reader.raw(tbs),
        issuer=reader.raw(issuer),
        this_update=reader.time(this_update),
        next_update=reader.time(next_update),
        revoked=_revoked(reader, entries),
        algorithm=algorithm,
        signature=reader.bits(signature),
    )


def is_usual_serial(serial: bytes) -> bool:
    """Whether these are the bytes of a positive INTEGER, minimal and no longer than it may be."""
    size = len(serial.removeprefix(b"\x00"))
    return _LEAST_POSITIVE <= serial < _NEGATIVE and size <= SERIAL_MAX_BITS // 8


def common_name(name: bytes) -> str:
    """The last common name in a distinguished name, for people; its hexadecimal otherwise."""
    before, _, after = name.rpartition(_COMMON_NAME)
    text = after[2 : 2 + after[1]].decode("latin-1") if len(after) > 2 else ""
    return text if before and text.isascii() and text.isprintable() else name.hex()


def _one_algorithm(reader: Der, inner: Element, outer: Element) -> bytes:
    """The signature's algorithm, which is written twice: signed, and beside the signature."""
    algorithm = reader.raw(outer)
    if reader.raw(inner) != algorithm:
        raise reader.error(inner, "signature algorithm is not the outer one")
    return algorithm


def _extensions(reader: Der, wrapper: Element, tag: int) -> dict[str, Extension]:
    (entries,) = reader.fields(wrapper, 1, tag)
    rows = reader.inside(entries)
    if len(rows) > EXTENSIONS_MAX:
        raise reader.error(entries, f"wanted at most {EXTENSIONS_MAX} extensions, got {len(rows)}")
    found: dict[str, Extension] = {}
    for row in rows:
        name, extension = _usual_extension(reader, row) or _extension(reader, row)
        if name in found:
            raise reader.error(row, f"extension {name} twice")
        found[name] = extension
    return found


def _usual_extension(reader: Der, row: Element) -> tuple[str, Extension] | None:
    """An extension of X.509's own with a short value, as most are: all but its value has one form.

    None when it is not one; then `_extension` reads it or says why not.
    """
    tag, _, begin, end = row
    data = reader.data[begin:end]
    critical = data[5:8] == _CRITICAL
    at = 8 if critical else 5
    left = len(data) - at - 2  # the value's bytes
    if not 0 <= left < 0x80 or tag != SEQUENCE or data[:4] != _ID_CE or data[4] > 0x7F:
        return None
    if data[at] != OCTET_STRING or data[at + 1] != left:
        return None
    return dotted(data[2:5]), Extension(critical, data[at + 2 :])


def _extension(reader: Der, row: Element) -> tuple[str, Extension]:
    parts = reader.inside(row)
    if not 2 <= len(parts) <= 3:
        raise reader.error(row, f"{len(parts)} elements in it")
    critical = len(parts) == 3 and reader.true(parts[1])
    return reader.oid(parts[0]), Extension(critical, reader.value(parts[-1], OCTET_STRING))


def _revoked(reader: Der, lists: list[Element]) -> frozenset[int]:
    """The serial numbers of a CRL's entries; the list is left out when there are none."""
    if not lists:
        return frozenset()
    entries = lists[0]
    if entries[0] != SEQUENCE:
        raise reader.error(entries, f"wanted a SEQUENCE, got tag 0x{entries[0]:02x}")
    numbers, rests = _usual_entries(reader.data, entries) or _entries(reader, entries)
    for rest in rests.values():
        _revocation(reader, rest)
    return frozenset(map(int.from_bytes, numbers))


def _usual_entries(data: bytes, entries: Element) -> Entries | None:
    """The entries of a CRL that are all of one time and for one reason, as those of Intel's are.

    None when they are not; then `_entries` reads them or says why not.
    """
    _, _, begin, end = entries
    body = data[begin:end]
    if len(body) < 4:
        return None
    after = 4 + body[3]
    rest = body[after : 2 + body[1]]
    if not rest or not body.endswith(rest):
        return None
    heads = body.split(rest)[:-1]
    numbers = [head[4:] for head in heads]
    sizes = {*map(len, numbers)}
    if max(sizes) + 2 + len(rest) > 0x7F:
        return None
    starts = {size: bytes((SEQUENCE, size + 2 + len(rest), INTEGER, size)) for size in sizes}
    if heads != [starts[len(number)] + number for number in numbers]:
        return None
    if min(numbers) < _LEAST_POSITIVE or max(numbers) >= _NEGATIVE:
        return None
    return numbers, {rest: (SEQUENCE, begin, begin + after, begin + after + len(rest))}


def _entries(reader: Der, entries: Element) -> Entries:
    numbers: list[bytes] = []
    rests: dict[bytes, Element] = {}
    data = reader.data
    for entry in reader.inside(entries):
        tag, start, begin, end = entry
        # A serial number is shorter than 128 bytes, so the second byte is its length.
        size = data[begin + 1] if end - begin > 2 else 0x80
        after = begin + 2 + size
        if tag != SEQUENCE or after >= end or size > 0x7F:
            raise reader.error(entry, "wanted a serial number and a time")
        number = data[begin], begin, begin + 2, after
        reader.integer(number)
        numbers.append(data[begin + 2 : after])
        rests[data[after:end]] = (SEQUENCE, start, after, end)
    return numbers, rests


def _revocation(reader: Der, rest: Element) -> None:
    """What follows the serial number in an entry of a CRL: a time, and at most extensions."""
    time, *extensions = reader.inside(rest)
    reader.time(time)
    if len(extensions) > 1:
        raise reader.error(rest, f"wanted one element after the time, got {len(extensions)}")
    for extension in extensions:
        reader.inside(extension)  # reason and the like: revoked all the same


def _bounded(data: bytes, most: int, what: str) -> None:
    if len(data) > most:
        raise FormatError(what, most, f"wanted at most {most} bytes, got {len(data)}")
