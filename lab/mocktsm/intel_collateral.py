# SPDX-License-Identifier: Apache-2.0
"""Minting Intel's collateral: TCB information v3, TD_QE identity, both CRLs, QuoteCollateralV3.

Documents have the members, in the order, that Intel's provisioning certification service gives
them. Everything is a function of its arguments and signed as given, so that a changed document is
wrong in nothing but what was changed.
"""

from __future__ import annotations

import json
from typing import Any

from lab.mocktsm.intel_pki import (
    LIST_LIFE,
    PLATFORM_CA,
    ROOT,
    TCB_SIGNER,
    Life,
    PckValues,
    Signer,
    crl,
    pck_ca_certificate,
    pem,
    raw_signature,
    root_certificate,
    tcb_signer_certificate,
)
from lab.mocktsm.tdx_quote import QE_MRSIGNER

EVALUATION = 18
DATE, OLD_DATE = "2024-11-13T00:00:00Z", "2024-03-13T00:00:00Z"


def level(status: str, date: str, tcb: dict[str, Any], *advisories: str) -> dict[str, Any]:
    """One level of a document."""
    made: dict[str, Any] = {"tcb": tcb, "tcbDate": date, "tcbStatus": status}
    return made | ({"advisoryIDs": list(advisories)} if advisories else {})


def platform_tcb(sgx: bytes, tdx: bytes, pce_svn: int) -> dict[str, Any]:
    """The security versions of a platform's level."""
    return {
        "sgxtcbcomponents": [{"svn": svn} for svn in sgx.ljust(16, b"\x00")],
        "pcesvn": pce_svn,
        "tdxtcbcomponents": [{"svn": svn} for svn in tdx.ljust(16, b"\x00")],
    }


GOOD_SGX, GOOD_TDX = bytes([3, 3, 2, 2, 4, 1, 0, 5]), bytes([5, 0, 3])
OLD_SGX, OLD_TDX = bytes([2, 2, 2, 2, 3, 1, 0, 5]), bytes([5, 0, 2])


def module(
    name: str, *levels: dict[str, Any], signer: bytes = bytes(48), attributes: bytes = bytes(8)
) -> dict[str, Any]:
    """A TDX module's identity."""
    return {
        "id": name,
        "mrsigner": signer.hex(),
        "attributes": attributes.hex(),
        "attributesMask": "FF" * 8,
        "tcbLevels": list(levels),
    }


MODULES = [
    module("TDX_03", level("UpToDate", DATE, {"isvsvn": 3})),
    module(
        "TDX_01",
        level("UpToDate", DATE, {"isvsvn": 6}),
        level("OutOfDate", OLD_DATE, {"isvsvn": 4}, "INTEL-SA-00002"),
        level("Revoked", OLD_DATE, {"isvsvn": 2}),
    ),
]
LEVELS = [
    level("UpToDate", DATE, platform_tcb(GOOD_SGX, GOOD_TDX, 13)),
    level("OutOfDate", OLD_DATE, platform_tcb(OLD_SGX, OLD_TDX, 13), "INTEL-SA-00001"),
]
QE_LEVELS = [
    level("UpToDate", DATE, {"isvsvn": 4}),
    level("OutOfDate", OLD_DATE, {"isvsvn": 3}, "INTEL-SA-00003"),
    level("Revoked", OLD_DATE, {"isvsvn": 2}),
]


def dates(life: Life) -> dict[str, Any]:
    """When a document was issued, and when the next one is due."""
    issued, next_update = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in life)
    return {"issueDate": issued, "nextUpdate": next_update}


def tcb_info(**changes: Any) -> str:
    """TCB information as Intel writes it; None leaves a member out."""
    return write_json(
        {
            "id": "TDX",
            "version": 3,
            **dates(LIST_LIFE),
            "fmspc": PckValues().fmspc.hex(),
            "pceId": "0000",
            "tcbType": 0,
            "tcbEvaluationDataNumber": EVALUATION,
            "tdxModule": {
                "mrsigner": "00" * 48,
                "attributes": "00" * 8,
                "attributesMask": "FF" * 8,
            },
            "tdxModuleIdentities": MODULES,
            "tcbLevels": LEVELS,
        }
        | changes
    )


def qe_identity(**changes: Any) -> str:
    """The quoting enclave's identity as Intel writes it; None leaves a member out."""
    return write_json(
        {
            "id": "TD_QE",
            "version": 2,
            **dates(LIST_LIFE),
            "tcbEvaluationDataNumber": EVALUATION,
            "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF",
            "attributes": "11000000000000000000000000000000",
            "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
            "mrsigner": QE_MRSIGNER.hex().upper(),
            "isvprodid": 2,
            "tcbLevels": QE_LEVELS,
        }
        | changes
    )


def write_json(value: dict[str, Any]) -> str:
    """JSON without spaces, in the order given."""
    kept = {name: member for name, member in value.items() if member is not None}
    return json.dumps(kept, separators=(",", ":"))


def sign_document(text: str, signer: Signer = TCB_SIGNER) -> str:
    """The signature of TCB information or QE identity."""
    return raw_signature(signer.key, text.encode()).hex()


def collateral_members(
    *, tcb: str | None = None, qe: str | None = None, life: Life = LIST_LIFE, **members: str
) -> dict[str, str]:
    """The nine members; documents are signed as given, and ``members`` replace what is made.

    Args:
        tcb: TCB information.
        qe: QE identity.
        life: of the lists, and of the documents that are not given.
        members: text by name.
    """
    tcb = tcb_info(**dates(life)) if tcb is None else tcb
    qe = qe_identity(**dates(life)) if qe is None else qe
    signers = pem(tcb_signer_certificate(), root_certificate())
    return {
        "pck_crl_issuer_chain": pem(pck_ca_certificate(), root_certificate()),
        "root_ca_crl": crl(ROOT, life=life).hex(),
        "pck_crl": crl(PLATFORM_CA, life=life).hex(),
        "tcb_info_issuer_chain": signers,
        "tcb_info": tcb,
        "tcb_info_signature": sign_document(tcb),
        "qe_identity_issuer_chain": signers,
        "qe_identity": qe,
        "qe_identity_signature": sign_document(qe),
    } | members


def collateral(**members: Any) -> bytes:
    """Collateral as JSON; see `collateral_members`."""
    return json.dumps(collateral_members(**members)).encode()
