# SPDX-License-Identifier: Apache-2.0
"""Intel's collateral: TCB information, QE identity, revocation lists, and who signed them.

TCB information and QE identity are also shown alone, as Intel's service answers them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from attest.evidence import COLLATERAL_MAX_BYTES
from attest.tdx.certificate import parse_pem
from attest.tdx.collateral import MEMBERS, UNREAD_MEMBER, Collateral, parse_collateral
from attest.tdx.intel_json import read_json
from attest.tdx.status import TcbStatus
from attest.tdx.tcb_info import (
    Issue,
    Module,
    PartLevel,
    PlatformLevel,
    Rating,
    parse_qe_identity,
    parse_tcb_info,
)
from sealroom.pcs import QE_IDENTITY, TCB_INFO, split_reply
from sealroom.show.certificates import explain_certificate, explain_crl
from sealroom.show.field import Field, Section

_CHAINS = tuple(name for name in MEMBERS if name.endswith("_issuer_chain"))


def explain_collateral(data: bytes) -> list[Section]:
    """A QuoteCollateralV3 object, and everything in it; each certificate once.

    Raises:
        FormatError: it or a part of it is malformed.
    """
    collateral = parse_collateral(data)
    members = read_json(data, "collateral", COLLATERAL_MAX_BYTES)
    ders = dict.fromkeys(der for name in _CHAINS for der in parse_pem(members.data(name), name))
    fields = [Field(name=name, value=f"{len(members.text(name))} characters") for name in MEMBERS]
    if UNREAD_MEMBER in members.value:
        odd = "not read: the chain that counts is the one in the quote"
        fields.append(Field(name=UNREAD_MEMBER, value="there", unusual=odd))
    return [
        Section("collateral", (*_window(collateral), *fields)),
        *explain_tcb_info(collateral.signed_tcb_info.data),
        *explain_qe_identity(collateral.signed_qe_identity.data),
        *explain_crl(members.hexadecimal("pck_crl")),
        *explain_crl(members.hexadecimal("root_ca_crl")),
        *(section for der in ders for section in explain_certificate(der)),
    ]


def explain_reply(data: bytes) -> list[Section]:
    """A document with its signature, as Intel's service answers it.

    Raises:
        FormatError: not such a document.
    """
    member = next((name for name in (TCB_INFO, QE_IDENTITY) if names(data, name)), TCB_INFO)
    document, signature = split_reply(data, member)
    field = Field(name="signature", value=signature.hex(), means="r and s over the bytes below")
    explain = explain_tcb_info if member == TCB_INFO else explain_qe_identity
    return [Section("answer of Intel's service", (field,)), *explain(document)]


def names(data: bytes, member: str) -> bool:
    """Whether the JSON begins with this member, as Intel's service writes it."""
    return data.startswith(b'{"' + member.encode("ascii") + b'":')


def explain_tcb_info(data: bytes) -> list[Section]:
    """TCB information of one FMSPC.

    Raises:
        FormatError: not TCB information for TDX.
    """
    document = parse_tcb_info(data)
    fields = [
        Field(name="fmspc", value=document.fmspc.hex(), means="the platforms that it is about"),
        Field(name="pceId", value=document.pce_id.hex(), means="their provisioning enclave"),
        *_issue(document.issue),
    ]
    fields += (_platform_level(n, level) for n, level in enumerate(document.levels, 1))
    modules = {"module version 0": document.module} | {
        f"module version {version}": module for version, module in sorted(document.modules.items())
    }
    inside = [Section(f"TDX {name}", tuple(_module(module))) for name, module in modules.items()]
    return [Section("TCB information, unverified", tuple(fields)), *inside]


def explain_qe_identity(data: bytes) -> list[Section]:
    """The identity of the quoting enclave.

    Raises:
        FormatError: not that of the quoting enclave for TDX.
    """
    document = parse_qe_identity(data)
    masked = "bits that must be so, and which bits those are"
    fields = [
        *_issue(document.issue),
        Field(name="mrsigner", value=document.mrsigner.hex(), means="who signed the enclave"),
        Field(name="isvprodid", value=str(document.isvprodid), means="which of that signer's"),
        Field(
            name="miscselect",
            value=f"{document.miscselect.hex()} {document.miscselect_mask.hex()}",
            means=masked,
        ),
        Field(
            name="attributes",
            value=f"{document.attributes.hex()} {document.attributes_mask.hex()}",
            means=masked,
        ),
    ]
    fields += (_part_level(n, level) for n, level in enumerate(document.levels, 1))
    return [Section("identity of the quoting enclave, unverified", tuple(fields))]


def _window(collateral: Collateral) -> Iterator[Field]:
    """When all documents and lists are in force; certificates live longer."""
    issues = (collateral.tcb_info.issue, collateral.qe_identity.issue)
    crls = (collateral.root_crl, collateral.pck_crl)
    begins: list[datetime] = [x.issued for x in issues] + [x.this_update for x in crls]
    ends: list[datetime] = [x.next_update for x in issues] + [x.next_update for x in crls]
    yield Field(
        name="in force",
        value=f"{max(begins).isoformat()} to {min(ends).isoformat()}",
        means="when all of its lists and documents are",
        unusual="" if max(begins) < min(ends) else "never: one ended before another began",
    )


def _issue(issue: Issue) -> Iterator[Field]:
    yield Field(name="issueDate", value=issue.issued.isoformat())
    yield Field(name="nextUpdate", value=issue.next_update.isoformat(), means="stale from then on")
    yield Field(
        name="tcbEvaluationDataNumber",
        value=str(issue.evaluation),
        means="grows with each of Intel's recoveries",
    )


def _module(module: Module) -> Iterator[Field]:
    yield Field(name="mrsigner", value=module.mrsigner.hex(), means="zeros for Intel")
    attributes = f"{module.attributes.hex()} {module.attributes_mask.hex()}"
    yield Field(name="attributes", value=attributes, means="bits that must be so, and which")
    yield from (_part_level(n, level) for n, level in enumerate(module.levels, 1))


def _platform_level(number: int, level: PlatformLevel) -> Field:
    svns = f"SGX {level.sgx.hex()}, TDX {level.tdx.hex()}, PCE {level.pce_svn}"
    return _level(number, svns, level.rating)


def _part_level(number: int, level: PartLevel) -> Field:
    return _level(number, f"SVN {level.isvsvn}", level.rating)


def _level(number: int, svns: str, rating: Rating) -> Field:
    advisories = ", ".join(rating.advisories)
    return Field(
        name=f"level {number}",
        value=f"{rating.status} of {rating.date:%Y-%m-%d} from {svns} on",
        means=advisories,
        unusual="revoked" if rating.status is TcbStatus.REVOKED else "",
    )
