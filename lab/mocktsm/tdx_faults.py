# SPDX-License-Identifier: Apache-2.0
"""TDX evidence that is wrong in one thing: for each rule T1 to T15 at least one named fault.

A quote, a certificate or a document is changed before it is signed, so that a verifier finds what
`TdxSpoil.reasons` says and nothing else; a forgery is signed by somebody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from attest.endorsements import TdxEndorsements
from attest.findings import Reason
from lab.mocktsm.intel_collateral import (
    DATE,
    OLD_DATE,
    OLD_SGX,
    OLD_TDX,
    dates,
    level,
    platform_tcb,
    qe_identity,
    sign_document,
    tcb_info,
)
from lab.mocktsm.intel_pki import (
    OTHER_ROOT,
    PLATFORM_CA,
    PROCESSOR_CA,
    ROOT,
    Life,
    Signer,
    crl,
    pck_ca_certificate,
    pem,
    root_certificate,
    tcb_signer_certificate,
)
from lab.mocktsm.tdx import MockTdx, Parts
from lab.mocktsm.tdx_quote import SEPT_VE_DISABLE, TEE_TCB_SVN, pck_chain

PAST: Life = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
FUTURE: Life = datetime(2044, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ONES = b"\x01" * 48
OLD_SVN = bytes([11, 1, 2]) + bytes(13)
IMPOSTOR = Signer(PLATFORM_CA.name, "impostor")  # has the CA's name and another key


class TdxFault(StrEnum):
    """What is wrong."""

    UNKNOWN_VERSION = "unknown-version"
    OTHER_KEY_TYPE = "other-key-type"
    OTHER_TEE_TYPE = "other-tee-type"
    OTHER_VENDOR = "other-vendor"
    TRAILING_BYTES = "trailing-bytes"
    NO_PCK_CHAIN = "no-pck-chain"
    OTHER_ROOT = "other-root"
    FORGED_CA = "forged-ca"
    FORGED_PCK = "forged-pck"
    PCK_NOT_YET_VALID = "pck-not-yet-valid"
    PCK_EXPIRED = "pck-expired"
    FORGED_ROOT_CRL = "forged-root-crl"
    CA_REVOKED = "ca-revoked"
    OTHER_CA_CRL = "other-ca-crl"
    FORGED_PCK_CRL = "forged-pck-crl"
    STALE_PCK_CRL = "stale-pck-crl"
    PCK_REVOKED = "pck-revoked"
    MALFORMED_COLLATERAL = "malformed-collateral"
    OTHER_COLLATERAL_VERSION = "other-collateral-version"
    OTHER_COLLATERAL_ROOT = "other-collateral-root"
    OTHER_COLLATERAL_SIGNER = "other-collateral-signer"
    FORGED_TCB_INFO = "forged-tcb-info"
    FORGED_QE_IDENTITY = "forged-qe-identity"
    COLLATERAL_NOT_YET_ISSUED = "collateral-not-yet-issued"
    COLLATERAL_EXPIRED = "collateral-expired"
    OTHER_FMSPC = "other-fmspc"
    OTHER_PCE = "other-pce"
    OTHER_PLATFORM = "other-platform"
    FORGED_QE_REPORT = "forged-qe-report"
    UNBOUND_KEY = "unbound-key"
    QE_MISCSELECT = "qe-miscselect"
    QE_DEBUG = "qe-debug"
    OTHER_QE_SIGNER = "other-qe-signer"
    OTHER_QE_PRODUCT = "other-qe-product"
    UNSUPPORTED_QE = "unsupported-qe"
    KEY_OFF_CURVE = "key-off-curve"
    FORGED_QUOTE = "forged-quote"
    UNKNOWN_MODULE = "unknown-module"
    OTHER_MODULE_SIGNER = "other-module-signer"
    SEAM_ATTRIBUTES = "seam-attributes"
    UNSUPPORTED_MODULE = "unsupported-module"
    UNSUPPORTED_TCB = "unsupported-tcb"
    RELAUNCH_ADVISED = "relaunch-advised"
    STALE_TCB = "stale-tcb"
    HARDENING_NEEDED = "hardening-needed"
    OLD_EVALUATION = "old-evaluation"
    OLD_TCB_DATE = "old-tcb-date"
    DEBUG = "debug"
    MIGRATABLE = "migratable"
    PERFMON = "perfmon"
    UNKNOWN_ATTRIBUTE = "unknown-attribute"
    SEPT_VE_ENABLED = "sept-ve-enabled"
    OTHER_XFAM = "other-xfam"
    SERVICE_TD = "service-td"
    OTHER_BODY = "other-body"
    OTHER_MEASUREMENT = "other-measurement"
    OTHER_REGISTER = "other-register"
    OTHER_CONFIG_ID = "other-config-id"
    OTHER_OWNER = "other-owner"
    OTHER_OWNER_CONFIG = "other-owner-config"
    WRONG_REPORT_DATA = "wrong-report-data"


@dataclass(frozen=True, slots=True)
class TdxSpoil:
    """How one fault is minted, and what a verifier finds.

    Attributes:
        rule: of the verifier's, that it breaks.
        reasons: all that is found.
        quote: arguments of `lab.mocktsm.tdx_quote.quote` to set.
        collateral: arguments of `lab.mocktsm.intel_collateral.collateral_members` to set, for
            collateral of that platform that is otherwise in force during the life given.
        version: of the quote, at least.
    """

    rule: str
    reasons: frozenset[Reason]
    quote: Callable[[MockTdx], Parts] = lambda _: {}
    collateral: Callable[[MockTdx, Life], Parts] = lambda _, __: {}
    version: int = 4


def tdx_endorsements(platform: MockTdx, fault: TdxFault | None, life: Life) -> TdxEndorsements:
    """The platform's collateral, in force during ``life``."""
    changes = {} if fault is None else TDX_FAULTS[fault].collateral(platform, life)
    return TdxEndorsements(collateral=platform.collateral(life, changes))


def _spoil(rule: str, *reasons: Reason, **how: Any) -> TdxSpoil:
    return TdxSpoil(rule, frozenset(reasons), **how)


def _quote(rule: str, reason: Reason, **parts: Any) -> TdxSpoil:
    """Arguments that are the same on every platform."""
    return _spoil(rule, reason, quote=lambda _: parts)


def _body(rule: str, reason: Reason, **fields: int | bytes) -> TdxSpoil:
    return _quote(rule, reason, body=fields)


def _collateral(rule: str, reason: Reason, parts: Callable[[Life], Parts]) -> TdxSpoil:
    return _spoil(rule, reason, collateral=lambda _, life: parts(life))


def _chain(rule: str, reason: Reason, pck: Callable[[MockTdx], bytes], **others: bytes) -> TdxSpoil:
    """A quote with another PCK certificate, or another certificate above it."""
    return _spoil(rule, reason, quote=lambda p: {"chain": pck_chain(pck(p), **others)})


def _own(platform: MockTdx) -> bytes:
    return platform.certificate()


def _elsewhere(platform: MockTdx) -> Parts:
    """Another platform has the same TD, and quotes it with keys of its own."""
    other = MockTdx(version=platform.version, seed=f"not {platform.seed}")
    return {
        "pck": other.pck,
        "chain": pck_chain(other.certificate()),
        "attestation": f"attestation key {other.seed}",
    }


def _tcb(life: Life, **changes: Any) -> Parts:
    return {"tcb": tcb_info(**dates(life) | changes)}


def _qe(life: Life, **changes: Any) -> Parts:
    return {"qe": qe_identity(**dates(life) | changes)}


def _rated(status: str, date: str, *advisories: str) -> Callable[[MockTdx, Life], Parts]:
    """The platform is rated so."""
    tcb = platform_tcb(OLD_SGX, OLD_TDX, 13)
    return lambda _, life: _tcb(life, tcbLevels=[level(status, date, tcb, *advisories)])


def _crl(signer: Signer, life: Life, *revoked: int) -> str:
    return crl(signer, revoked=revoked, life=life).hex()


def _before(life: Life) -> Life:
    """A life that ends where this one begins."""
    return life[0] - DAY, life[0]


def _flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _attributes(*bits: int) -> bytes:
    value = int.from_bytes(SEPT_VE_DISABLE, "little") | sum(1 << bit for bit in bits)
    return value.to_bytes(8, "little")


TDX_FAULTS: dict[TdxFault, TdxSpoil] = {
    TdxFault.UNKNOWN_VERSION: _quote("T1", Reason.UNSUPPORTED_QUOTE_VERSION, header={"version": 6}),
    TdxFault.OTHER_KEY_TYPE: _quote("T1", Reason.UNSUPPORTED_KEY_TYPE, header={"key_type": 3}),
    TdxFault.OTHER_TEE_TYPE: _quote("T1", Reason.UNSUPPORTED_PLATFORM, header={"tee_type": 0}),
    TdxFault.OTHER_VENDOR: _quote("T1", Reason.MALFORMED_QUOTE, header={"vendor": bytes(16)}),
    TdxFault.TRAILING_BYTES: _quote("T2", Reason.TRAILING_BYTES, after=b"\x00\x01"),
    TdxFault.NO_PCK_CHAIN: _spoil(
        "T2", Reason.MALFORMED_PCK_CHAIN, quote=lambda p: {"chain": pem(_own(p))}
    ),
    TdxFault.OTHER_ROOT: _chain(
        "T2", Reason.UNKNOWN_ISSUER, _own, root=root_certificate(OTHER_ROOT)
    ),
    TdxFault.FORGED_CA: _chain(
        "T3", Reason.PCK_CA_SIGNATURE, _own, ca=pck_ca_certificate(signer=OTHER_ROOT)
    ),
    TdxFault.FORGED_PCK: _chain("T3", Reason.PCK_SIGNATURE, lambda p: p.certificate(ca=IMPOSTOR)),
    TdxFault.PCK_NOT_YET_VALID: _chain(
        "T3",
        Reason.NOT_YET_VALID,
        lambda p: p.certificate(life=FUTURE),
    ),
    TdxFault.PCK_EXPIRED: _chain("T3", Reason.EXPIRED, lambda p: p.certificate(life=PAST)),
    TdxFault.FORGED_ROOT_CRL: _collateral(
        "T4", Reason.ROOT_CRL_SIGNATURE, lambda life: {"root_ca_crl": _crl(OTHER_ROOT, life)}
    ),
    TdxFault.CA_REVOKED: _collateral(
        "T4",
        Reason.REVOKED,
        lambda life: {"root_ca_crl": _crl(ROOT, life, PLATFORM_CA.serial)},
    ),
    TdxFault.OTHER_CA_CRL: _collateral(
        "T4",
        Reason.PCK_CRL_ISSUER,
        lambda life: {
            "pck_crl_issuer_chain": pem(pck_ca_certificate(PROCESSOR_CA), root_certificate()),
            "pck_crl": _crl(PROCESSOR_CA, life),
        },
    ),
    TdxFault.FORGED_PCK_CRL: _collateral(
        "T4", Reason.PCK_CRL_SIGNATURE, lambda life: {"pck_crl": _crl(IMPOSTOR, life)}
    ),
    TdxFault.STALE_PCK_CRL: _collateral(
        "T4", Reason.CRL_STALE, lambda life: {"pck_crl": _crl(PLATFORM_CA, _before(life))}
    ),
    TdxFault.PCK_REVOKED: _spoil(
        "T4",
        Reason.REVOKED,
        collateral=lambda p, life: {"pck_crl": _crl(PLATFORM_CA, life, p.pck.serial)},
    ),
    TdxFault.MALFORMED_COLLATERAL: _collateral(
        "T5", Reason.MALFORMED_COLLATERAL, lambda life: _tcb(life, fmspc="90c06f")
    ),
    TdxFault.OTHER_COLLATERAL_VERSION: _collateral(
        "T5", Reason.UNSUPPORTED_COLLATERAL, lambda life: _tcb(life, version=2)
    ),
    TdxFault.OTHER_COLLATERAL_ROOT: _collateral(
        "T5",
        Reason.COLLATERAL_ROOT,
        lambda _: {
            "tcb_info_issuer_chain": pem(tcb_signer_certificate(), root_certificate(OTHER_ROOT))
        },
    ),
    TdxFault.OTHER_COLLATERAL_SIGNER: _collateral(
        "T5",
        Reason.COLLATERAL_SIGNER,
        lambda _: {
            "qe_identity_issuer_chain": pem(tcb_signer_certificate(OTHER_ROOT), root_certificate())
        },
    ),
    TdxFault.FORGED_TCB_INFO: _collateral(
        "T5", Reason.TCB_INFO_SIGNATURE, lambda _: {"tcb_info_signature": sign_document("{}")}
    ),
    TdxFault.FORGED_QE_IDENTITY: _collateral(
        "T5", Reason.QE_IDENTITY_SIGNATURE, lambda _: {"qe_identity_signature": sign_document("")}
    ),
    TdxFault.COLLATERAL_NOT_YET_ISSUED: _collateral(
        "T5", Reason.COLLATERAL_NOT_YET_ISSUED, lambda life: _tcb((life[1], life[1] + DAY))
    ),
    TdxFault.COLLATERAL_EXPIRED: _collateral(
        "T5", Reason.COLLATERAL_EXPIRED, lambda life: _qe(_before(life))
    ),
    TdxFault.OTHER_FMSPC: _collateral(
        "T6", Reason.FMSPC_MISMATCH, lambda life: _tcb(life, fmspc="90c06f000001")
    ),
    TdxFault.OTHER_PCE: _collateral(
        "T6", Reason.PCEID_MISMATCH, lambda life: _tcb(life, pceId="0001")
    ),
    TdxFault.OTHER_PLATFORM: _spoil("T6", Reason.PLATFORM_NOT_LISTED, quote=_elsewhere),
    TdxFault.FORGED_QE_REPORT: _spoil(
        "T7",
        Reason.QE_REPORT_SIGNATURE,
        quote=lambda p: {"pck": IMPOSTOR, "chain": pck_chain(_own(p))},
    ),
    TdxFault.UNBOUND_KEY: _quote(
        "T7", Reason.ATTESTATION_KEY_UNBOUND, qe={"report_data": b"\x01" * 64}
    ),
    TdxFault.QE_MISCSELECT: _quote("T7", Reason.QE_MISCSELECT, qe={"miscselect": b"\x01\0\0\0"}),
    TdxFault.QE_DEBUG: _quote("T7", Reason.QE_ATTRIBUTES, qe={"attributes": b"\x17" + bytes(15)}),
    TdxFault.OTHER_QE_SIGNER: _quote("T7", Reason.QE_SIGNER, qe={"mrsigner": b"\x01" * 32}),
    TdxFault.OTHER_QE_PRODUCT: _quote("T7", Reason.QE_PRODUCT, qe={"isvprodid": 1}),
    TdxFault.UNSUPPORTED_QE: _quote("T7", Reason.QE_NOT_SUPPORTED, qe={"isvsvn": 1}),
    TdxFault.KEY_OFF_CURVE: _quote(
        "T8", Reason.ATTESTATION_KEY_INVALID, attestation_key=b"\x01" * 64
    ),
    TdxFault.FORGED_QUOTE: _quote("T8", Reason.QUOTE_SIGNATURE, change_signed=_flip_last),
    TdxFault.UNKNOWN_MODULE: _body(
        "T9", Reason.UNKNOWN_MODULE, tee_tcb_svn=bytes([11, 2, 4]) + bytes(13)
    ),
    TdxFault.OTHER_MODULE_SIGNER: _body("T9", Reason.MODULE_SIGNER, mrsigner_seam=ONES),
    TdxFault.SEAM_ATTRIBUTES: _body(
        "T9", Reason.SEAM_ATTRIBUTES, seam_attributes=b"\x01" + bytes(7)
    ),
    TdxFault.UNSUPPORTED_MODULE: _body(
        "T10", Reason.MODULE_NOT_SUPPORTED, tee_tcb_svn=bytes([1, 1, 4]) + bytes(13)
    ),
    TdxFault.UNSUPPORTED_TCB: _body(
        "T10", Reason.TCB_NOT_SUPPORTED, tee_tcb_svn=bytes([11, 1, 1]) + bytes(13)
    ),
    TdxFault.RELAUNCH_ADVISED: _spoil(
        "T10",
        Reason.TCB_STATUS_NOT_ACCEPTED,
        Reason.ADVISORY_NOT_ACCEPTED,
        Reason.TCB_DATE_TOO_OLD,
        quote=lambda _: {"body": {"tee_tcb_svn": OLD_SVN, "tee_tcb_svn2": TEE_TCB_SVN}},
        version=5,
    ),
    TdxFault.STALE_TCB: _spoil(
        "T11",
        Reason.TCB_STATUS_NOT_ACCEPTED,
        Reason.ADVISORY_NOT_ACCEPTED,
        Reason.TCB_DATE_TOO_OLD,
        quote=lambda _: {"body": {"tee_tcb_svn": OLD_SVN}},
    ),
    TdxFault.HARDENING_NEEDED: _spoil(
        "T11",
        Reason.TCB_STATUS_NOT_ACCEPTED,
        Reason.ADVISORY_NOT_ACCEPTED,
        collateral=_rated("SWHardeningNeeded", DATE, "INTEL-SA-00615"),
    ),
    TdxFault.OLD_EVALUATION: _collateral(
        "T11", Reason.EVALUATION_TOO_OLD, lambda life: _qe(life, tcbEvaluationDataNumber=16)
    ),
    TdxFault.OLD_TCB_DATE: _spoil(
        "T11", Reason.TCB_DATE_TOO_OLD, collateral=_rated("UpToDate", OLD_DATE)
    ),
    TdxFault.DEBUG: _body("T12", Reason.TD_DEBUG, td_attributes=_attributes(0)),
    TdxFault.MIGRATABLE: _body("T12", Reason.TD_ALLOWS_TOO_MUCH, td_attributes=_attributes(29)),
    TdxFault.PERFMON: _body("T12", Reason.TD_ALLOWS_TOO_MUCH, td_attributes=_attributes(63)),
    TdxFault.UNKNOWN_ATTRIBUTE: _body(
        "T12", Reason.TD_ATTRIBUTES_UNKNOWN, td_attributes=_attributes(40)
    ),
    TdxFault.SEPT_VE_ENABLED: _body("T12", Reason.TD_REQUIRES_TOO_LITTLE, td_attributes=bytes(8)),
    TdxFault.OTHER_XFAM: _body("T12", Reason.XFAM_NOT_ACCEPTED, xfam=b"\xe7\x02\x0e" + bytes(5)),
    TdxFault.SERVICE_TD: _spoil(
        "T13",
        Reason.UNKNOWN_SERVICE_TD,
        quote=lambda _: {"body": {"mrservicetd": ONES}},
        version=5,
    ),
    TdxFault.OTHER_BODY: _spoil(
        "T13",
        Reason.BODY_TYPE_NOT_ACCEPTED,
        Reason.UNKNOWN_DEVICES,
        quote=lambda _: {"body_type": 4},
        version=5,
    ),
    TdxFault.OTHER_MEASUREMENT: _body("T14", Reason.UNKNOWN_MEASUREMENT, mrtd=ONES),
    TdxFault.OTHER_REGISTER: _body("T14", Reason.UNKNOWN_RTMRS, rtmr2=ONES),
    TdxFault.OTHER_CONFIG_ID: _body("T14", Reason.UNKNOWN_CONFIG_ID, mrconfigid=ONES),
    TdxFault.OTHER_OWNER: _body("T14", Reason.UNKNOWN_OWNER, mrowner=ONES),
    TdxFault.OTHER_OWNER_CONFIG: _body("T14", Reason.UNKNOWN_OWNER_CONFIG, mrownerconfig=ONES),
    TdxFault.WRONG_REPORT_DATA: _body("T15", Reason.REPORT_DATA_MISMATCH, report_data=bytes(64)),
}
