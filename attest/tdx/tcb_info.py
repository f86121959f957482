# SPDX-License-Identifier: Apache-2.0
"""TCB information and the quoting enclave's identity, as Intel publishes them (PCS API version 4).

Both are lists of security levels, each with Intel's rating of it. They are records of what a
document says; who signed it is for `attest.tdx.chain`. A document's own order of levels means
nothing: they are put in order here, highest first, as Intel's library does, and no two may be one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from attest.errors import UnsupportedError
from attest.tdx.certificate import SVN_COMPONENTS
from attest.tdx.intel_json import Members, read_json
from attest.tdx.status import (
    ADVISORY_MAX_CHARACTERS,
    PART_STATUSES,
    PLATFORM_STATUSES,
    TcbStatus,
)

DOCUMENT_MAX_BYTES = 65536

_MODULE_ID = re.compile(r"TDX_([0-9A-F]{2})", re.ASCII | re.IGNORECASE)

_STATUSES = {status.value: status for status in TcbStatus}
_ADVISORY_CHARACTERS = frozenset(range(1, ADVISORY_MAX_CHARACTERS + 1))

K = TypeVar("K")
L = TypeVar("L")

TCB_INFO_ID, TCB_INFO_VERSION = "TDX", 3
QE_IDENTITY_ID, QE_IDENTITY_VERSION = "TD_QE", 2


class Rating(NamedTuple):
    """What Intel says of one level: status, date, and the advisories that apply to it."""

    status: TcbStatus
    date: datetime
    advisories: tuple[str, ...]


class PlatformLevel(NamedTuple):
    """Lowest security versions of a platform, component by component, and their rating."""

    sgx: bytes
    tdx: bytes
    pce_svn: int
    rating: Rating


class PartLevel(NamedTuple):
    """Lowest security version of the TDX module or of the quoting enclave, and its rating."""

    isvsvn: int
    rating: Rating


class Module(NamedTuple):
    """A TDX module: who signed it, with which attributes, and its levels."""

    mrsigner: bytes
    attributes: bytes
    attributes_mask: bytes
    levels: tuple[PartLevel, ...]


class Issue(NamedTuple):
    """When a document was issued and ends, and the number of the evaluation that it is from."""

    issued: datetime
    next_update: datetime
    evaluation: int


@dataclass(frozen=True, slots=True)
class TcbInfo:
    """TCB information of one FMSPC.

    Attributes:
        issue: of the document.
        fmspc: the platforms that it is about.
        pce_id: the provisioning certification enclave that it is about.
        module: the TDX module of version 0, which has no levels of its own.
        modules: those of later versions, by version.
        levels: of the platform, highest first.
    """

    issue: Issue
    fmspc: bytes
    pce_id: bytes
    module: Module
    modules: dict[int, Module]
    levels: tuple[PlatformLevel, ...]


@dataclass(frozen=True, slots=True)
class QeIdentity:
    """What Intel's quoting enclave for TDX looks like, and its levels, highest first."""

    issue: Issue
    miscselect: bytes
    miscselect_mask: bytes
    attributes: bytes
    attributes_mask: bytes
    mrsigner: bytes
    isvprodid: int
    levels: tuple[PartLevel, ...]


def parse_tcb_info(data: bytes) -> TcbInfo:
    """Read TCB information for TDX, version 3.

    Raises:
        UnsupportedError: SGX's, or of another version.
        FormatError: not such a document, or one that is not complete.
    """
    document = read_json(data, "TCB info", DOCUMENT_MAX_BYTES)
    _identify(document, TCB_INFO_ID, TCB_INFO_VERSION)
    if document.whole("tcbType", 0xFFFF) != 0:
        raise document.error("tcbType", "wanted 0")
    modules: dict[int, Module] = {}
    for member in document.each("tdxModuleIdentities"):
        version = _module_version(member)
        if version in modules:
            raise member.error("id", "stands twice")
        modules[version] = _module(member, _part_levels(member))
    return TcbInfo(
        issue=_issue(document),
        fmspc=document.hexadecimal("fmspc", 6),
        pce_id=document.hexadecimal("pceId", 2),
        module=_module(document.member("tdxModule"), ()),
        modules=modules,
        levels=_present(_platform_levels(document), document),
    )


def parse_qe_identity(data: bytes) -> QeIdentity:
    """Read the identity of the quoting enclave for TDX, version 2.

    Raises:
        UnsupportedError: SGX's, or of another version.
        FormatError: not such a document, or one that is not complete.
    """
    document = read_json(data, "QE identity", DOCUMENT_MAX_BYTES)
    _identify(document, QE_IDENTITY_ID, QE_IDENTITY_VERSION)
    return QeIdentity(
        issue=_issue(document),
        miscselect=document.hexadecimal("miscselect", 4),
        miscselect_mask=document.hexadecimal("miscselectMask", 4),
        attributes=document.hexadecimal("attributes", 16),
        attributes_mask=document.hexadecimal("attributesMask", 16),
        mrsigner=document.hexadecimal("mrsigner", 32),
        isvprodid=document.whole("isvprodid", 0xFFFF),
        levels=_present(_part_levels(document), document),
    )


def _identify(document: Members, name: str, version: int) -> None:
    if (number := document.whole("version", 0xFFFF)) != version:
        raise UnsupportedError(document.what, None, f"wanted version {version}, got {number}")
    if (got := document.text("id")) != name:
        raise UnsupportedError(document.what, None, f"wanted {name}, got {got[:16]!r}")


def _issue(document: Members) -> Issue:
    return Issue(
        issued=document.moment("issueDate"),
        next_update=document.moment("nextUpdate"),
        evaluation=document.whole("tcbEvaluationDataNumber", 2**31 - 1),
    )


def _module_version(member: Members) -> int:
    """The number in an identity's name, such as "TDX_03"."""
    match = _MODULE_ID.fullmatch(member.text("id"))
    version = int(match[1], 16) if match else 0
    if not version:
        raise member.error("id", "wanted TDX_01 to TDX_FF")
    return version


def _module(member: Members, levels: tuple[PartLevel, ...]) -> Module:
    return Module(
        mrsigner=member.hexadecimal("mrsigner", 48),
        attributes=member.hexadecimal("attributes", 8),
        attributes_mask=member.hexadecimal("attributesMask", 8),
        levels=levels,
    )


def _platform_levels(document: Members) -> tuple[PlatformLevel, ...]:
    found: dict[tuple[bytes, int, bytes], PlatformLevel] = {}
    for level in document.each("tcbLevels"):
        tcb = level.member("tcb")
        made = PlatformLevel(
            sgx=_svns(tcb, "sgxtcbcomponents"),
            tdx=_svns(tcb, "tdxtcbcomponents"),
            pce_svn=tcb.whole("pcesvn", 0xFFFF),
            rating=_rating(level, PLATFORM_STATUSES),
        )
        _once(found, (made.sgx, made.pce_svn, made.tdx), made, level)
    return tuple(found[key] for key in sorted(found, reverse=True))


def _part_levels(document: Members) -> tuple[PartLevel, ...]:
    found: dict[tuple[int, datetime], PartLevel] = {}
    for level in document.each("tcbLevels"):
        isvsvn = level.member("tcb").whole("isvsvn", 0xFFFF)
        made = PartLevel(isvsvn, _rating(level, PART_STATUSES))
        _once(found, (isvsvn, made.rating.date), made, level)
    return tuple(found[key] for key in sorted(found, reverse=True))


def _present(levels: tuple[L, ...], document: Members) -> tuple[L, ...]:
    if not levels:
        raise document.error("tcbLevels", "wanted at least one level")
    return levels


def _once(found: dict[K, L], key: K, made: L, level: Members) -> None:
    if key in found:
        raise level.error("tcb", "stands twice")
    found[key] = made


def _svns(tcb: Members, name: str) -> bytes:
    svns = tcb.wholes(name, "svn", 0xFF)
    if len(svns) != SVN_COMPONENTS:
        raise tcb.error(name, f"wanted {SVN_COMPONENTS} components, got {len(svns)}")
    return bytes(svns)


def _rating(level: Members, statuses: frozenset[TcbStatus]) -> Rating:
    status = _STATUSES.get(level.text("tcbStatus"))
    if status is None or status not in statuses:
        raise level.error("tcbStatus", f"unknown status {level.text('tcbStatus')[:64]!r}")
    advisories = level.items("advisoryIDs")
    texts = {str}.issuperset(map(type, advisories))
    if not texts or not _ADVISORY_CHARACTERS.issuperset(map(len, advisories)):
        raise level.error("advisoryIDs", "wanted names of advisories")
    return Rating(status, level.moment("tcbDate"), tuple(advisories))
