# SPDX-License-Identifier: Apache-2.0
"""The PCK certificate and the chain it comes in (Intel SGX PCK Certificate and CRL Profile §1.3).

A quote carries exactly three certificates as PEM: PCK, the CA that issued it, root. The PCK's SGX
extension says which platform the key belongs to and at which security versions it was certified.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from functools import lru_cache

from attest.der import INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, Der, Element
from attest.errors import FormatError
from attest.limits import CERTIFICATE_MAX_BYTES
from attest.tdx.roots import Holder, Role, parse_holder

CHAIN_MAX_BYTES = 12288
CHAINS_REMEMBERED = 64
BLOCKS_REMEMBERED = 64  # certificates in PEM, 4 KiB each
SVN_COMPONENTS = 16

_WHAT = "PCK certificate"
_ENUMERATED = 0x0A
_SGX = "1.2.840.113741.1.13.1"

# Object identifiers below it, as the bytes that stand in a certificate.
_ARC = bytes.fromhex("2a864886f84d010d01")
_PPID, _TCB, _PCEID, _FMSPC, _TYPE, _INSTANCE, _CONFIGURATION = (
    _ARC + bytes([number]) for number in range(1, 8)
)
_SVNS = tuple(_TCB + bytes([number]) for number in range(1, SVN_COMPONENTS + 1))
_PCE_SVN, _CPU_SVN = _TCB + bytes([17]), _TCB + bytes([18])

# Which values an SGX extension holds, each with its tag and, where it has one, its size in bytes:
# those of every PCK, and those of multi-package platforms.
_ALWAYS: dict[bytes, tuple[int, int | None]] = {
    _PPID: (OCTET_STRING, 16),
    _TCB: (SEQUENCE, None),
    _PCEID: (OCTET_STRING, 2),
    _FMSPC: (OCTET_STRING, 6),
    _TYPE: (_ENUMERATED, None),
}
_EXTENSION: dict[bytes, tuple[int, int | None]] = _ALWAYS | {
    _INSTANCE: (OCTET_STRING, 16),
    _CONFIGURATION: (SEQUENCE, None),
}
_TCB_VALUES: dict[bytes, tuple[int, int | None]] = {
    **dict.fromkeys(_SVNS, (INTEGER, None)),
    _PCE_SVN: (INTEGER, None),
    _CPU_SVN: (OCTET_STRING, 16),
}

# All of a TCB as Intel writes it where no number is above 127: every pair of name and number has 18
# bytes, the number last. A number above has two bytes, which no PCK's components have had so far.
_PAIR_BYTES, _PAIRS_BYTES = 18, 18 * SVN_COMPONENTS
_USUAL_TCB = (
    b"".join(b"\x30\x10\x06\x0b" + oid + b"\x02\x01\x00" for oid in (*_SVNS, _PCE_SVN))
    + (b"\x30\x1f\x06\x0b" + _CPU_SVN + b"\x04\x10")
    + bytes(16)
)

# O=Intel Corporation, L=Santa Clara, ST=CA, C=US: the end of every name of Intel's.
_INTEL_NAME = bytes.fromhex(
    "311a3018060355040a0c11496e74656c20436f72706f726174696f6e"
    "3114301206035504070c0b53616e746120436c617261"
    "310b300906035504080c024341"
    "310b3009060355040613025553"
)

_PEM_BEGIN, _PEM_END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def intel_name(common_name: str) -> bytes:
    """The DER of Intel's distinguished name with this common name."""
    text = common_name.encode("ascii")
    attribute = b"\x06\x03\x55\x04\x03\x0c" + bytes([len(text)]) + text
    rdn = b"\x30" + bytes([len(attribute)]) + attribute
    body = b"\x31" + bytes([len(rdn)]) + rdn + _INTEL_NAME
    return b"\x30" + bytes([len(body)]) + body


PCK_NAME = intel_name("Intel SGX PCK Certificate")
PCK_CA_NAMES = frozenset(
    map(intel_name, ("Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"))
)
TCB_SIGNER_NAME = intel_name("Intel SGX TCB Signing")


@dataclass(frozen=True, slots=True)
class Pck:
    """A PCK certificate as parsed. Nobody has checked who signed it.

    Attributes:
        holder: the certificate proper.
        ppid: which platform, as its provisioning knows it.
        cpu_svns: security versions of the 16 components that the key is certified for.
        pce_svn: security version of the provisioning certification enclave.
        pce_id: which such enclave.
        fmspc: family, model, stepping, platform type and custom SKU.
    """

    holder: Holder
    ppid: bytes
    cpu_svns: bytes
    pce_svn: int
    pce_id: bytes
    fmspc: bytes


@dataclass(frozen=True, slots=True)
class PckChain:
    """The three certificates of a quote; ``root`` is DER as sent, and is looked up, not read."""

    pck: Pck
    ca: Holder
    root: bytes


@lru_cache(maxsize=CHAINS_REMEMBERED)
def parse_pck_chain(pem: bytes) -> PckChain:
    """Read the certificates of a quote; what some bytes gave is remembered.

    Raises:
        FormatError: not exactly PCK, CA and root in Intel's form.
    """
    ders = parse_pem(pem.rstrip(b"\x00"), "PCK chain")
    if len(ders) != 3:
        raise FormatError("PCK chain", None, f"wanted 3 certificates, got {len(ders)}")
    return PckChain(pck=parse_pck(ders[0]), ca=parse_pck_ca(ders[1]), root=ders[2])


def parse_pck_ca(der: bytes) -> Holder:
    """Read the certificate of one of the two CAs that issue PCK certificates.

    Raises:
        FormatError: not such a certificate.
    """
    return _named(parse_holder(der, Role.PCK_CA, "PCK CA"), PCK_CA_NAMES, "PCK CA")


def parse_tcb_signer(der: bytes) -> Holder:
    """Read the certificate of the key that signs TCB information.

    Raises:
        FormatError: not such a certificate.
    """
    what = "TCB signing certificate"
    return _named(parse_holder(der, Role.END, what), frozenset({TCB_SIGNER_NAME}), what)


def parse_pck(der: bytes) -> Pck:
    """Read one PCK certificate.

    Raises:
        FormatError: a certificate in another form than Intel's.
    """
    holder = _named(parse_holder(der, Role.END, _WHAT), frozenset({PCK_NAME}), _WHAT)
    extension = holder.certificate.extensions.get(_SGX)
    if extension is None:
        raise FormatError(_WHAT, None, "the SGX extension is missing")
    reader = Der(_WHAT, extension.value)
    values = _values(reader, reader.whole(), _EXTENSION)
    if not values.keys() >= _ALWAYS.keys():
        raise FormatError(_WHAT, None, "the SGX extension is not complete")
    cpu_svns, pce_svn = _read_usual_tcb(reader, values[_TCB]) or _read_tcb(reader, values[_TCB])
    return Pck(
        holder=holder,
        ppid=reader.value(values[_PPID], OCTET_STRING),
        cpu_svns=cpu_svns,
        pce_svn=pce_svn,
        pce_id=reader.value(values[_PCEID], OCTET_STRING),
        fmspc=reader.value(values[_FMSPC], OCTET_STRING),
    )


def parse_pem(data: bytes, what: str) -> list[bytes]:
    """Read certificates in PEM (RFC 7468) with nothing before, between or after them.

    Raises:
        FormatError: anything else, or over `CHAIN_MAX_BYTES`.
    """
    if len(data) > CHAIN_MAX_BYTES:
        raise FormatError(what, CHAIN_MAX_BYTES, f"wanted at most {CHAIN_MAX_BYTES} bytes")
    found: list[bytes] = []
    at = 0
    while at < len(data):
        end = data.find(_PEM_END, at)
        if end < 0 or not data.startswith(_PEM_BEGIN, at):
            raise FormatError(what, at, "wanted a certificate in PEM")
        lines = data[at + len(_PEM_BEGIN) : end].replace(b"\r\n", b"\n")
        if lines[:1] != b"\n" or lines[-1:] != b"\n" or b"\n\n" in lines or len(lines) < 2:
            raise FormatError(what, at, "its lines do not end, or one is empty")
        try:
            found.append(parse_base64(lines.replace(b"\n", b"")))
        except ValueError as error:
            raise FormatError(what, at, str(error)) from error
        at = end + len(_PEM_END)
        at += data.startswith(b"\r", at)
        at += data.startswith(b"\n", at)
    return found


@lru_cache(maxsize=BLOCKS_REMEMBERED)
def parse_base64(text: bytes) -> bytes:
    """Read the base64 of a certificate (RFC 4648 §4, §3.5); what some bytes gave is remembered.

    Raises:
        ValueError: not canonical, or over `CERTIFICATE_MAX_BYTES`.
    """
    der = binascii.a2b_base64(text, strict_mode=True)
    # Four digits for three bytes, in which nothing can have been skipped; the last four have bits
    # left, which are zero in the one spelling that is written.
    last = binascii.b2a_base64(der[len(der) - 1 - (len(der) - 1) % 3 :], newline=False)
    if len(text) != -(-len(der) // 3) * 4 or text[-4:] != last or len(der) > CERTIFICATE_MAX_BYTES:
        raise ValueError("not canonical base64, or too long")
    return der


def _named(holder: Holder, names: frozenset[bytes], what: str) -> Holder:
    if holder.certificate.subject not in names:
        raise FormatError(what, None, "its subject is not the one of its role")
    return holder


def _values(
    reader: Der, pairs: Element, known: dict[bytes, tuple[int, int | None]]
) -> dict[bytes, Element]:
    """Pairs of OID and value, each OID at most once."""
    found: dict[bytes, Element] = {}
    for name, value in reader.rows(pairs, 2, 2):
        oid = reader.value(name, OBJECT_IDENTIFIER)
        if oid not in known or oid in found:
            raise reader.error(name, f"{oid.hex()} is unknown or stands twice")
        wanted, size = known[oid]
        got = len(reader.value(value, wanted))
        if got != size and size is not None:
            raise reader.error(value, f"{oid.hex()} has {got} bytes")
        found[oid] = value
    return found


def _read_usual_tcb(reader: Der, element: Element) -> tuple[bytes, int] | None:
    """The SVNs of the components and of the PCE, where all is spelled as in `_USUAL_TCB`.

    It is written anew from what was read and compared. None when something differs; then
    `_read_tcb` reads it or says why not.
    """
    body = reader.data[element[2] : element[3]]
    if len(body) != len(_USUAL_TCB):
        return None
    numbers = slice(_PAIR_BYTES - 1, _PAIRS_BYTES + _PAIR_BYTES, _PAIR_BYTES)
    svns = body[numbers]
    written = bytearray(_USUAL_TCB)
    written[numbers] = svns
    written[-16:] = body[-16:]
    if written != body or max(svns) > 0x7F:
        return None
    return svns[:-1], svns[-1]


def _read_tcb(reader: Der, element: Element) -> tuple[bytes, int]:
    tcb = _values(reader, element, _TCB_VALUES)
    if len(tcb) != len(_TCB_VALUES):
        raise FormatError(_WHAT, None, "the SGX extension's TCB is not complete")
    cpu_svns = bytes([_svn(reader, tcb[oid], 0xFF) for oid in _SVNS])
    return cpu_svns, _svn(reader, tcb[_PCE_SVN], 0xFFFF)


def _svn(reader: Der, element: Element, most: int) -> int:
    number = reader.integer(element)
    if number > most:
        raise reader.error(element, f"wanted at most {most}, got {number}")
    return number
