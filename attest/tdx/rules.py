# SPDX-License-Identifier: Apache-2.0
"""The rules for a TDX quote, one row each, with the checklist's number.

A row is a predicate over the policy and the claims; it does no I/O and has no clock, and the order
of rows means nothing. `SIGNATURE_RULES` come first, on the quote alone; the claims that `RULES`
look at are only as good as the chain and those, which `attest.tdx.verify` checks before.
"""

from __future__ import annotations

import hashlib

from attest.findings import Reason, Rule, any_hex, words
from attest.tdx.certificate import Pck
from attest.tdx.claims import Claims, masked
from attest.tdx.policy import TdxPolicy
from attest.tdx.quote import Quote
from attest.tdx.roots import p256_key, verify_ecdsa

XFAM_ALWAYS = bytes([0x03, 0, 0, 0, 0, 0, 0, 0])  # x87 and SSE, in the quote's byte order

_NOTHING = bytes(8)


def key_binding(quote: Quote) -> bytes:
    """What the quoting enclave's report must say of the attestation key: 64 bytes."""
    return hashlib.sha256(quote.attestation_key + quote.auth_data).digest() + bytes(32)


def _is_key(quote: Quote) -> bool:
    try:
        p256_key(quote.attestation_key)
    except ValueError:
        return False
    return True


def _signs(quote: Quote) -> bool:
    """Whether the attestation key signed the quote; one that is no key is T8's other rule."""
    try:
        return verify_ecdsa(quote.attestation_key, quote.signature, quote.signed)
    except ValueError:
        return True


SIGNATURE_RULES: tuple[Rule[Pck, Quote], ...] = (
    Rule(
        "T7",
        Reason.QE_REPORT_SIGNATURE,
        lambda pck, q: pck.holder.signed(q.qe_signature, q.qe_report_bytes),
        lambda pck, q: "a QE report signed by the PCK",
        lambda q: q.qe_report.mrenclave.hex(),
    ),
    Rule(
        "T7",
        Reason.ATTESTATION_KEY_UNBOUND,
        lambda pck, q: q.qe_report.report_data == key_binding(q),
        lambda pck, q: f"SHA-256 of the attestation key, {key_binding(q).hex()}",
        lambda q: q.qe_report.report_data.hex(),
    ),
    Rule(
        "T8",
        Reason.ATTESTATION_KEY_INVALID,
        lambda pck, q: _is_key(q),
        lambda pck, q: "a point on P-256",
        lambda q: q.attestation_key.hex(),
    ),
    Rule(
        "T8",
        Reason.QUOTE_SIGNATURE,
        lambda pck, q: _signs(q),
        lambda pck, q: "a quote signed by the attestation key",
        lambda q: q.signature.hex(),
    ),
)

RULES: tuple[Rule[TdxPolicy, Claims], ...] = (
    Rule(
        "T1",
        Reason.QUOTE_VERSION_NOT_ACCEPTED,
        lambda p, c: c.quote.header.version in p.versions,
        lambda p, c: ", ".join(map(str, sorted(p.versions))),
        lambda c: str(c.quote.header.version),
    ),
    Rule(
        "T2",
        Reason.BODY_TYPE_NOT_ACCEPTED,
        lambda p, c: c.quote.body_type in p.body_types,
        lambda p, c: ", ".join(map(str, sorted(p.body_types))),
        lambda c: str(c.quote.body_type),
    ),
    Rule(
        "T6",
        Reason.PLATFORM_NOT_LISTED,
        lambda p, c: p.ppids is None or c.pck.ppid in p.ppids,
        lambda p, c: any_hex(p.ppids or frozenset()),
        lambda c: c.pck.ppid.hex(),
    ),
    Rule(
        "T7",
        Reason.QE_MISCSELECT,
        lambda p, c: (
            masked(c.qe.miscselect, c.qe_identity.miscselect_mask) == c.qe_identity.miscselect
        ),
        lambda p, c: f"{c.qe_identity.miscselect.hex()} {c.qe_identity.miscselect_mask.hex()}",
        lambda c: c.qe.miscselect.hex(),
    ),
    Rule(
        "T7",
        Reason.QE_ATTRIBUTES,
        lambda p, c: (
            masked(c.qe.attributes, c.qe_identity.attributes_mask) == c.qe_identity.attributes
        ),
        lambda p, c: f"{c.qe_identity.attributes.hex()} {c.qe_identity.attributes_mask.hex()}",
        lambda c: c.qe.attributes.hex(),
    ),
    Rule(
        "T7",
        Reason.QE_SIGNER,
        lambda p, c: c.qe.mrsigner == c.qe_identity.mrsigner,
        lambda p, c: c.qe_identity.mrsigner.hex(),
        lambda c: c.qe.mrsigner.hex(),
    ),
    Rule(
        "T7",
        Reason.QE_PRODUCT,
        lambda p, c: c.qe.isvprodid == c.qe_identity.isvprodid,
        lambda p, c: str(c.qe_identity.isvprodid),
        lambda c: str(c.qe.isvprodid),
    ),
    Rule(
        "T7",
        Reason.QE_NOT_SUPPORTED,
        lambda p, c: c.evaluation.launch.qe is not None,
        lambda p, c: "a level of the QE identity",
        lambda c: f"ISVSVN {c.qe.isvsvn}",
    ),
    Rule(
        "T9",
        Reason.UNKNOWN_MODULE,
        lambda p, c: all(rated.module is not None for rated in c.evaluation.both),
        lambda p, c: f"a version of {', '.join(map(str, sorted(c.tcb_info.modules))) or '0'}",
        lambda c: c.module_versions,
    ),
    Rule(
        "T9",
        Reason.MODULE_SIGNER,
        lambda p, c: c.body.mrsigner_seam == c.module.mrsigner,
        lambda p, c: c.module.mrsigner.hex(),
        lambda c: c.body.mrsigner_seam.hex(),
    ),
    Rule(
        "T9",
        Reason.SEAM_ATTRIBUTES,
        lambda p, c: c.body.seam_attributes == _NOTHING == c.module.attributes,
        lambda p, c: f"{_NOTHING.hex()}, which Intel says is {c.module.attributes.hex()}",
        lambda c: c.body.seam_attributes.hex(),
    ),
    Rule(
        "T10",
        Reason.MODULE_NOT_SUPPORTED,
        lambda p, c: all(x.module is None or x.module_rated for x in c.evaluation.both),
        lambda p, c: "a level of the TDX module's identity",
        lambda c: c.module_versions,
    ),
    Rule(
        "T10",
        Reason.TCB_NOT_SUPPORTED,
        lambda p, c: all(rated.platform is not None for rated in c.evaluation.both),
        lambda p, c: f"a level of TCB info {c.tcb_info.issue.evaluation}",
        lambda c: c.tcb,
    ),
    Rule(
        "T11",
        Reason.TCB_STATUS_NOT_ACCEPTED,
        lambda p, c: c.evaluation.status is None or c.evaluation.status in p.statuses,
        lambda p, c: words(frozenset(p.statuses)),
        lambda c: str(c.evaluation.status),
    ),
    Rule(
        "T11",
        Reason.ADVISORY_NOT_ACCEPTED,
        lambda p, c: p.advisories.issuperset(c.evaluation.advisories),
        lambda p, c: f"none but {words(p.advisories)}",
        lambda c: words(frozenset(c.evaluation.advisories)),
    ),
    Rule(
        "T11",
        Reason.EVALUATION_TOO_OLD,
        lambda p, c: min(c.evaluations) >= p.evaluation,
        lambda p, c: f"at least {p.evaluation}",
        lambda c: "TCB info {}, QE identity {}".format(*c.evaluations),
    ),
    Rule(
        "T11",
        Reason.TCB_DATE_TOO_OLD,
        lambda p, c: c.evaluation.date is None or c.evaluation.date >= p.tcb_date,
        lambda p, c: f"at least {p.tcb_date.isoformat()}",
        lambda c: c.evaluation.date.isoformat() if c.evaluation.date else "none",
    ),
    Rule(
        "T12",
        Reason.TD_DEBUG,
        lambda p, c: not c.debuggable,
        lambda p, c: "no TD under debug",
        lambda c: ", ".join(f"{name} {value}" for name, value in c.debuggable.items()) or "none",
    ),
    Rule(
        "T12",
        Reason.TD_ATTRIBUTES_UNKNOWN,
        lambda p, c: not c.unknown_attributes,
        lambda p, c: "no unknown bits",
        lambda c: f"0x{c.unknown_attributes:x}",
    ),
    Rule(
        "T12",
        Reason.TD_ALLOWS_TOO_MUCH,
        lambda p, c: c.named_attributes <= p.td_allows | p.td_requires,
        lambda p, c: f"at most {words(frozenset(p.td_allows | p.td_requires))}",
        lambda c: words(frozenset(c.named_attributes)),
    ),
    Rule(
        "T12",
        Reason.TD_REQUIRES_TOO_LITTLE,
        lambda p, c: c.named_attributes >= p.td_requires,
        lambda p, c: f"at least {words(frozenset(p.td_requires))}",
        lambda c: words(frozenset(c.named_attributes)),
    ),
    Rule(
        "T12",
        Reason.XFAM_NOT_ACCEPTED,
        lambda p, c: (
            masked(c.body.xfam, p.xfam) == c.body.xfam
            and masked(c.body.xfam, XFAM_ALWAYS) == XFAM_ALWAYS
        ),
        lambda p, c: f"{XFAM_ALWAYS.hex()} and at most {p.xfam.hex()}",
        lambda c: c.body.xfam.hex(),
    ),
    Rule(
        "T13",
        Reason.UNKNOWN_SERVICE_TD,
        lambda p, c: c.service_tds <= p.service_tds,
        lambda p, c: any_hex(p.service_tds),
        lambda c: any_hex(c.service_tds) or "none",
    ),
    Rule(
        "T13",
        Reason.UNKNOWN_DEVICES,
        lambda p, c: c.devices <= p.devices,
        lambda p, c: any_hex(p.devices),
        lambda c: any_hex(c.devices) or "none",
    ),
    Rule(
        "T14",
        Reason.UNKNOWN_MEASUREMENT,
        lambda p, c: any(c.body.mrtd == image.mrtd for image in p.images),
        lambda p, c: any_hex(frozenset(image.mrtd for image in p.images)),
        lambda c: c.body.mrtd.hex(),
    ),
    Rule(  # An unknown MRTD is the rule before; no RTMRs go with it.
        "T14",
        Reason.UNKNOWN_RTMRS,
        lambda p, c: (
            all(c.body.mrtd != image.mrtd for image in p.images)
            or any(image.accepts(c.body.mrtd, c.rtmrs) for image in p.images)
        ),
        lambda p, c: " or ".join(
            " ".join("any" if rtmr is None else rtmr.hex() for rtmr in image.rtmrs)
            for image in p.images
            if image.mrtd == c.body.mrtd
        ),
        lambda c: " ".join(rtmr.hex() for rtmr in c.rtmrs),
    ),
    Rule(
        "T14",
        Reason.UNKNOWN_CONFIG_ID,
        lambda p, c: c.body.mrconfigid in p.config_ids,
        lambda p, c: any_hex(p.config_ids),
        lambda c: c.body.mrconfigid.hex(),
    ),
    Rule(
        "T14",
        Reason.UNKNOWN_OWNER,
        lambda p, c: c.body.mrowner in p.owners,
        lambda p, c: any_hex(p.owners),
        lambda c: c.body.mrowner.hex(),
    ),
    Rule(
        "T14",
        Reason.UNKNOWN_OWNER_CONFIG,
        lambda p, c: c.body.mrownerconfig in p.owner_configs,
        lambda p, c: any_hex(p.owner_configs),
        lambda c: c.body.mrownerconfig.hex(),
    ),
    Rule(
        "T14",
        Reason.UNKNOWN_SEAM_MODULE,
        lambda p, c: p.seam_modules is None or c.body.mrseam in p.seam_modules,
        lambda p, c: any_hex(p.seam_modules or frozenset()),
        lambda c: c.body.mrseam.hex(),
    ),
)
