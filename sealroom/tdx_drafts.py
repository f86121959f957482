# SPDX-License-Identifier: Apache-2.0
"""Drafts of the TDX part of a policy: a strict one to fill in, one that pins what a quote claims.

What Intel rates a platform is not in a quote. With collateral a pinned draft demands that rating;
without, it demands the best one and leaves the age of the collateral open.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from attest import Refused
from attest.findings import Finding, Outcome, Reason, Stage, apply
from attest.tdx.certificate import Pck, parse_pck_chain
from attest.tdx.claims import Claims
from attest.tdx.collateral import Collateral, parse_collateral
from attest.tdx.gaps import RECOVERY, RECOVERY_DATE
from attest.tdx.policy import TD_ATTRIBUTE_BITS, TdAttribute, TdImage, TdxPolicy
from attest.tdx.quote import Quote, TdReport15, TdReport15Ex, parse_quote
from attest.tdx.rules import RULES
from attest.tdx.status import TcbStatus
from attest.tdx.tcb import Evaluation, evaluate

NO_SERVICE_TD = bytes(48)
ANY_DATE = datetime(2018, 1, 1, tzinfo=UTC)  # before the first processor with TDX

# x87, SSE, AVX, AVX-512, protection keys, shadow stacks, AMX; not processor trace, LBR or others.
_STRICT_XFAM = "e71a060000000000"
# What protects the TD, and so is demanded of one that has it.
_PROTECTIVE = frozenset({TdAttribute.SEPT_VE_DISABLE, TdAttribute.LASS})


def strict_tdx() -> dict[str, Any]:
    """The part for TDX that leaves nothing open, but for what only its user knows.

    That is the platforms and the images.
    """
    zeros = ["00" * 48]
    return {
        "versions": ["5"],
        "body_types": ["3"],
        "trailing_bytes": "false",
        "ppids": [],
        "statuses": [TcbStatus.UP_TO_DATE.value],
        "advisories": [],
        "evaluation": str(RECOVERY),
        "tcb_date": f"{RECOVERY_DATE:%Y-%m-%dT%H:%M:%SZ}",
        "td_allows": [],
        "td_requires": [TdAttribute.SEPT_VE_DISABLE.value],
        "xfam": _STRICT_XFAM,
        "service_tds": zeros,
        "devices": [],
        "images": [],
        "config_ids": zeros,
        "owners": zeros,
        "owner_configs": zeros,
        "seam_modules": "none",
    }


def pinned_tdx(quote: bytes, collateral: bytes | None) -> tuple[TdxPolicy, tuple[Finding, ...]]:
    """What accepts exactly this quote, and why it is refused all the same, if it is.

    Raises:
        FormatError: the quote, its PCK certificates or the collateral are malformed.
        Refused: Intel has revoked the platform, which no policy can accept.
    """
    parsed = parse_quote(quote)
    pck = parse_pck_chain(parsed.pck_chain).pck
    if collateral is None:
        return _pinned(parsed, pck, None, None), ()
    material = parse_collateral(collateral)
    tcb_info, qe_identity = material.tcb_info, material.qe_identity
    evaluation = evaluate(tcb_info, qe_identity, pck, parsed.body, parsed.qe_report)
    if evaluation.status is TcbStatus.REVOKED:
        finding = Finding(Reason.TCB_STATUS_NOT_ACCEPTED, "any other status", evaluation.status)
        raise Refused(Stage.RULES, [finding])
    policy = _pinned(parsed, pck, material, evaluation)
    claims = Claims(parsed, pck, tcb_info, qe_identity, evaluation)
    against: Outcome = apply(RULES, policy, claims)
    return policy, against.findings


def _pinned(
    quote: Quote, pck: Pck, collateral: Collateral | None, evaluation: Evaluation | None
) -> TdxPolicy:
    body = quote.body
    status = None if evaluation is None else evaluation.status
    issues = () if collateral is None else (collateral.tcb_info.issue, collateral.qe_identity.issue)
    attributes = int.from_bytes(body.td_attributes, "little")
    named = frozenset(a for a, bit in TD_ATTRIBUTE_BITS.items() if attributes >> bit & 1)
    service_tds = {body.mrservicetd} if isinstance(body, TdReport15) else {NO_SERVICE_TD}
    devices: set[bytes] = set()
    if isinstance(body, TdReport15Ex):
        service_tds |= {body.init_service_td, body.service_td}
        devices = {body.devices}
    return TdxPolicy(
        versions=frozenset({quote.header.version}),
        body_types=frozenset({quote.body_type}),
        trailing_bytes=any(quote.trailing),
        ppids=frozenset({pck.ppid}),
        statuses=frozenset({status or TcbStatus.UP_TO_DATE}),
        advisories=frozenset() if evaluation is None else frozenset(evaluation.advisories),
        evaluation=min((issue.evaluation for issue in issues), default=0),
        tcb_date=(evaluation.date if evaluation else None) or ANY_DATE,
        td_allows=named - _PROTECTIVE,
        td_requires=named & _PROTECTIVE,
        xfam=body.xfam,
        service_tds=frozenset(service_tds),
        devices=frozenset(devices),
        images=(
            TdImage(
                mrtd=body.mrtd,
                rtmr0=body.rtmr0,
                rtmr1=body.rtmr1,
                rtmr2=body.rtmr2,
                rtmr3=body.rtmr3,
            ),
        ),
        config_ids=frozenset({body.mrconfigid}),
        owners=frozenset({body.mrowner}),
        owner_configs=frozenset({body.mrownerconfig}),
        seam_modules=frozenset({body.mrseam}),
    )
