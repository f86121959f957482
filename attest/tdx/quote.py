# SPDX-License-Identifier: Apache-2.0
"""The TDX quote, versions 4 and 5 (Intel TDX DCAP Quoting Library API, appendix A; rules T1, T2).

A quote is a header and a TD report (the signed part), then the signature data, which nests: quote
signature, attestation key, the quoting enclave's own report and its signature, its authentication
data, and the PCK certificates as PEM. Every length must fill its space exactly; only what follows
the whole is kept apart, because hosts hand out quotes in buffers. What `parse_quote` returns is
what the bytes claim; nobody has checked a signature yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, NamedTuple

from attest.errors import FormatError, UnsupportedError
from attest.layout import U16, U32, Raw, Span, decode
from attest.reader import Reader

QUOTE_MAX_BYTES = 16384

ECDSA_P256 = 2
TEE_TDX = 0x81
INTEL_VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
QE_REPORT_CERTIFICATION = 6
PCK_CHAIN_PEM = 5

_WHAT = "TDX quote"


class Kind(StrEnum):
    """What a quote may have of several kinds, of which not all are read here."""

    VERSION = "version"
    TEE = "TEE type"
    KEY = "attestation key type"
    BODY = "body type"
    CERTIFICATION = "certification data type"


class UnsupportedQuoteError(UnsupportedError):
    """A quote of a kind that is not read here: SGX's, say, or one without certificates in it."""

    def __init__(self, kind: Kind, offset: int, wanted: str, got: int) -> None:
        super().__init__(_WHAT, offset, f"wanted {kind} {wanted}, got {got}")
        self.kind = kind
        self.wanted = wanted
        self.got = got


@dataclass(frozen=True, slots=True)
class Header:
    """What precedes the TD report."""

    version: Annotated[int, U16(0x00)]
    key_type: Annotated[int, U16(0x02)]
    tee_type: Annotated[int, U32(0x04)]
    vendor: Annotated[bytes, Raw(0x0C, 16)]
    user_data: Annotated[bytes, Raw(0x1C, 20)]

    SIZE: ClassVar[int] = 0x30
    RESERVED: ClassVar[tuple[Span, ...]] = (Span(0x08, 0x0C),)


@dataclass(frozen=True, slots=True)
class TdReport10:
    """Body type 2, the TD report of TDX 1.0; integers are kept as little-endian bytes."""

    tee_tcb_svn: Annotated[bytes, Raw(0x000, 16)]
    mrseam: Annotated[bytes, Raw(0x010, 48)]
    mrsigner_seam: Annotated[bytes, Raw(0x040, 48)]
    seam_attributes: Annotated[bytes, Raw(0x070, 8)]
    td_attributes: Annotated[bytes, Raw(0x078, 8)]
    xfam: Annotated[bytes, Raw(0x080, 8)]
    mrtd: Annotated[bytes, Raw(0x088, 48)]
    mrconfigid: Annotated[bytes, Raw(0x0B8, 48)]
    mrowner: Annotated[bytes, Raw(0x0E8, 48)]
    mrownerconfig: Annotated[bytes, Raw(0x118, 48)]
    rtmr0: Annotated[bytes, Raw(0x148, 48)]
    rtmr1: Annotated[bytes, Raw(0x178, 48)]
    rtmr2: Annotated[bytes, Raw(0x1A8, 48)]
    rtmr3: Annotated[bytes, Raw(0x1D8, 48)]
    report_data: Annotated[bytes, Raw(0x208, 64)]

    SIZE: ClassVar[int] = 0x248
    RESERVED: ClassVar[tuple[Span, ...]] = ()


@dataclass(frozen=True, slots=True)
class TdReport15(TdReport10):
    """Body type 3, TDX 1.5: the TDX module may be updated under a running TD."""

    tee_tcb_svn2: Annotated[bytes, Raw(0x248, 16)]
    mrservicetd: Annotated[bytes, Raw(0x258, 48)]

    SIZE: ClassVar[int] = 0x288


@dataclass(frozen=True, slots=True)
class TdReport15Ex(TdReport15):
    """Body type 4: where the TD first ran, its service TDs and its devices."""

    vm_id: Annotated[bytes, Raw(0x288, 1)]
    td_id: Annotated[bytes, Raw(0x289, 32)]
    devices: Annotated[bytes, Raw(0x2A9, 48)]
    init_service_td: Annotated[bytes, Raw(0x2D9, 48)]
    init_service_td_attributes: Annotated[bytes, Raw(0x309, 8)]
    init_cpu_svn: Annotated[bytes, Raw(0x311, 16)]
    init_tee_tcb_svn: Annotated[bytes, Raw(0x321, 16)]
    init_fmspc: Annotated[bytes, Raw(0x331, 12)]
    service_td: Annotated[bytes, Raw(0x33D, 48)]
    service_td_attributes: Annotated[bytes, Raw(0x36D, 8)]

    SIZE: ClassVar[int] = 0x375


@dataclass(frozen=True, slots=True)
class QeReport:
    """The quoting enclave's report on itself (Intel SDM volume 3D, REPORT structure)."""

    cpu_svn: Annotated[bytes, Raw(0x000, 16)]
    miscselect: Annotated[bytes, Raw(0x010, 4)]
    attributes: Annotated[bytes, Raw(0x030, 16)]
    mrenclave: Annotated[bytes, Raw(0x040, 32)]
    mrsigner: Annotated[bytes, Raw(0x080, 32)]
    isvprodid: Annotated[int, U16(0x100)]
    isvsvn: Annotated[int, U16(0x102)]
    report_data: Annotated[bytes, Raw(0x140, 64)]

    SIZE: ClassVar[int] = 0x180
    RESERVED: ClassVar[tuple[Span, ...]] = (
        Span(0x014, 0x030),
        Span(0x060, 0x080),
        Span(0x0A0, 0x100),
        Span(0x104, 0x140),
    )


BODY_TYPES: dict[int, type[TdReport10]] = {2: TdReport10, 3: TdReport15, 4: TdReport15Ex}
VERSIONS = frozenset({4, 5})
_KNOWN_VERSIONS = sorted(VERSIONS)


class Quote(NamedTuple):
    """A quote as parsed.

    Attributes:
        header: what precedes the body.
        body_type: of the body; 2 in version 4, which does not say.
        body: the TD report.
        signed: the bytes that ``signature`` is over.
        signature: r and s of ECDSA on P-256, by the attestation key.
        attestation_key: x and y of its point.
        qe_report: the quoting enclave's report, which vouches for the attestation key.
        qe_report_bytes: the bytes that ``qe_signature`` is over.
        qe_signature: r and s, by the PCK.
        auth_data: what the quoting enclave hashed together with the attestation key.
        pck_chain: PEM.
        trailing: what follows the quote in its buffer.
    """

    header: Header
    body_type: int
    body: TdReport10
    signed: bytes
    signature: bytes
    attestation_key: bytes
    qe_report: QeReport
    qe_report_bytes: bytes
    qe_signature: bytes
    auth_data: bytes
    pck_chain: bytes
    trailing: bytes


def parse_quote(data: bytes) -> Quote:
    """Read one quote and what follows it.

    Raises:
        UnsupportedQuoteError: of another kind; see `Kind`.
        FormatError: any other departure from the layout.
    """
    if len(data) > QUOTE_MAX_BYTES:
        raise FormatError(_WHAT, QUOTE_MAX_BYTES, f"wanted at most {QUOTE_MAX_BYTES} bytes")
    reader = Reader(_WHAT, data)
    header = _header(reader)
    body_type = 2
    if header.version == 5:
        body_type = reader.u16()
        _wanted(Kind.BODY, Header.SIZE, body_type, *BODY_TYPES)
        if (size := reader.u32()) != BODY_TYPES[body_type].SIZE:
            raise reader.error(f"a body of type {body_type} does not have {size} bytes")
    body = decode(BODY_TYPES[body_type], reader.take(BODY_TYPES[body_type].SIZE))
    signed = data[: reader.at]
    size = reader.u32()
    base = reader.at
    with Reader(f"{_WHAT}, signature data", reader.take(size), base) as inner:
        signature, attestation_key = inner.take(64), inner.take(64)
        with _certification(inner, QE_REPORT_CERTIFICATION) as qe:
            qe_report_bytes, qe_signature = qe.take(QeReport.SIZE), qe.take(64)
            auth_data = qe.take(qe.u16())
            with _certification(qe, PCK_CHAIN_PEM) as pck:
                pck_chain = pck.take(pck.left)
    return Quote(
        header=header,
        body_type=body_type,
        body=body,
        signed=signed,
        signature=signature,
        attestation_key=attestation_key,
        qe_report=decode(QeReport, qe_report_bytes),
        qe_report_bytes=qe_report_bytes,
        qe_signature=qe_signature,
        auth_data=auth_data,
        pck_chain=pck_chain,
        trailing=reader.take(reader.left),
    )


def _header(reader: Reader) -> Header:
    data = reader.take(Header.SIZE)
    _wanted(Kind.VERSION, 0x00, int.from_bytes(data[:2], "little"), *_KNOWN_VERSIONS)
    header = decode(Header, data)
    _wanted(Kind.TEE, 0x04, header.tee_type, TEE_TDX)
    _wanted(Kind.KEY, 0x02, header.key_type, ECDSA_P256)
    if header.vendor != INTEL_VENDOR:
        raise FormatError(_WHAT, 0x0C, f"wanted Intel's quoting enclave, got {header.vendor.hex()}")
    return header


def _wanted(kind: Kind, offset: int, got: int, *known: int) -> None:
    if got not in known:
        raise UnsupportedQuoteError(kind, offset, " or ".join(map(str, known)), got)


def _certification(reader: Reader, wanted: int) -> Reader:
    """The certification data that takes up the rest: type, size, and that many bytes."""
    offset = reader.base + reader.at
    _wanted(Kind.CERTIFICATION, offset, reader.u16(), wanted)
    size = reader.u32()
    base = reader.base + reader.at
    return Reader(f"{_WHAT}, certification data {wanted}", reader.take(size), base)
