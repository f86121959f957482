# SPDX-License-Identifier: Apache-2.0
"""For each reason, the one thing to break in a good case so that exactly it is found.

A change is made before the mock Intel or the mock quoting enclave signs, so that nothing else is
wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from attest import Reason, Stage
from attest.roots import intel_roots
from lab.mocktsm.intel_collateral import (
    OLD_DATE,
    OLD_SGX,
    OLD_TDX,
    level,
    platform_tcb,
    qe_identity,
    sign_document,
    tcb_info,
)
from lab.mocktsm.intel_pki import (
    OTHER_ROOT,
    PCK,
    PLATFORM_CA,
    PROCESSOR_CA,
    Signer,
    crl,
    pck_ca_certificate,
    pck_certificate,
    pem,
    root_certificate,
    tcb_signer_certificate,
)
from lab.mocktsm.tdx_quote import SEPT_VE_DISABLE, pck_chain, quote
from tests.attest.tdx.case import NOW, TdxCase, collated, quoted

DAY = timedelta(days=1)
ONES = b"\x01" * 48
IMPOSTOR = "impostor"


def flip(data: bytes, offset: int) -> bytes:
    """The data with one bit changed."""
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]


def changed(*, body_type: int, at: int, to: int) -> TdxCase:
    """A case whose quote has another byte in one place."""
    data = quote(body_type=body_type)
    return TdxCase(quote=data[:at] + bytes([to]) + data[at + 1 :])


def attributes(*bits: int) -> TdxCase:
    """A case whose TD has more attributes."""
    value = int.from_bytes(SEPT_VE_DISABLE, "little") | sum(1 << bit for bit in bits)
    return quoted(body={"td_attributes": value.to_bytes(8, "little")})


def extended(**body: int | bytes) -> TdxCase:
    """A case with a body of type 4, which the policy lists."""
    case = quoted(body_type=4, body=body)
    return case.under(body_types=frozenset({4}), devices=frozenset({bytes(48)}))


def platform_level(status: str, date: str, *advisories: str) -> TdxCase:
    """A case whose platform is rated so."""
    tcb = platform_tcb(OLD_SGX, OLD_TDX, 13)
    return collated(tcb=tcb_info(tcbLevels=[level(status, date, tcb, *advisories)]))


F, C, G, R = Stage.FORMAT, Stage.CHAIN, Stage.SIGNATURE, Stage.RULES

BREAKS: dict[Reason, tuple[Stage, Callable[[], TdxCase]]] = {
    Reason.MALFORMED_QUOTE: (F, lambda: quoted(header={"vendor": bytes(16)})),
    Reason.UNSUPPORTED_QUOTE_VERSION: (F, lambda: quoted(version=3)),
    Reason.UNSUPPORTED_PLATFORM: (F, lambda: quoted(header={"tee_type": 0})),
    Reason.UNSUPPORTED_KEY_TYPE: (F, lambda: quoted(header={"key_type": 3})),
    Reason.UNSUPPORTED_BODY_TYPE: (F, lambda: changed(body_type=3, at=48, to=1)),
    Reason.UNSUPPORTED_CERTIFICATION: (F, lambda: changed(body_type=2, at=48 + 584 + 132, to=7)),
    Reason.TRAILING_BYTES: (F, lambda: quoted(after=bytes(8) + b"\x01")),
    Reason.MALFORMED_PCK_CHAIN: (F, lambda: quoted(chain=pem(pck_certificate()))),
    Reason.MALFORMED_COLLATERAL: (F, lambda: TdxCase(collateral=b"{}")),
    Reason.UNSUPPORTED_COLLATERAL: (F, lambda: collated(tcb=tcb_info(id="SGX"))),
    Reason.UNKNOWN_ISSUER: (C, lambda: TdxCase(roots=intel_roots().intel)),
    Reason.PCK_CA_SIGNATURE: (
        C,
        lambda: quoted(chain=pck_chain(ca=pck_ca_certificate(signer=OTHER_ROOT))),
    ),
    Reason.PCK_SIGNATURE: (
        C,
        lambda: quoted(chain=pck_chain(pck_certificate(ca=Signer(PLATFORM_CA.name, IMPOSTOR)))),
    ),
    Reason.NOT_YET_VALID: (
        C,
        lambda: quoted(chain=pck_chain(pck_certificate(life=(NOW + DAY, NOW + 2 * DAY)))),
    ),
    Reason.EXPIRED: (
        C,
        lambda: quoted(chain=pck_chain(pck_certificate(life=(NOW - 2 * DAY, NOW - DAY)))),
    ),
    Reason.ROOT_CRL_SIGNATURE: (C, lambda: collated(root_ca_crl=crl(OTHER_ROOT).hex())),
    Reason.PCK_CRL_ISSUER: (
        C,
        lambda: collated(
            pck_crl_issuer_chain=pem(pck_ca_certificate(PROCESSOR_CA), root_certificate()),
            pck_crl=crl(PROCESSOR_CA).hex(),
        ),
    ),
    Reason.PCK_CRL_SIGNATURE: (
        C,
        lambda: collated(pck_crl=crl(Signer(PLATFORM_CA.name, IMPOSTOR)).hex()),
    ),
    Reason.CRL_STALE: (
        C,
        lambda: collated(pck_crl=crl(PLATFORM_CA, life=(NOW - 2 * DAY, NOW)).hex()),
    ),
    Reason.REVOKED: (
        C,
        lambda: collated(pck_crl=crl(PLATFORM_CA, revoked=(5, PCK.serial)).hex()),
    ),
    Reason.COLLATERAL_ROOT: (
        C,
        lambda: collated(
            tcb_info_issuer_chain=pem(tcb_signer_certificate(), root_certificate(OTHER_ROOT))
        ),
    ),
    Reason.COLLATERAL_SIGNER: (
        C,
        lambda: collated(
            qe_identity_issuer_chain=pem(tcb_signer_certificate(OTHER_ROOT), root_certificate())
        ),
    ),
    Reason.TCB_INFO_SIGNATURE: (
        C,
        lambda: collated(tcb_info_signature=sign_document(tcb_info() + " ")),
    ),
    Reason.QE_IDENTITY_SIGNATURE: (
        C,
        lambda: collated(qe_identity_signature=sign_document(qe_identity() + " ")),
    ),
    Reason.COLLATERAL_NOT_YET_ISSUED: (
        C,
        lambda: collated(tcb=tcb_info(issueDate="2026-06-01T12:00:01Z")),
    ),
    Reason.COLLATERAL_EXPIRED: (
        C,
        lambda: collated(qe=qe_identity(nextUpdate="2026-06-01T12:00:00Z")),
    ),
    Reason.QE_REPORT_SIGNATURE: (G, lambda: quoted(pck=Signer(PCK.name, IMPOSTOR))),
    Reason.ATTESTATION_KEY_UNBOUND: (G, lambda: quoted(qe={"report_data": b"\x01" * 64})),
    Reason.ATTESTATION_KEY_INVALID: (G, lambda: quoted(attestation_key=b"\x01" * 64)),
    Reason.QUOTE_SIGNATURE: (
        G,
        lambda: quoted(change_signed=lambda data: flip(data, len(data) - 1)),
    ),
    Reason.QUOTE_VERSION_NOT_ACCEPTED: (R, lambda: quoted().under(versions=frozenset({5}))),
    Reason.BODY_TYPE_NOT_ACCEPTED: (
        R,
        lambda: quoted(body_type=4).under(devices=frozenset({bytes(48)})),
    ),
    Reason.FMSPC_MISMATCH: (C, lambda: collated(tcb=tcb_info(fmspc="90c06f000001"))),
    Reason.PCEID_MISMATCH: (C, lambda: collated(tcb=tcb_info(pceId="0001"))),
    Reason.QE_MISCSELECT: (R, lambda: quoted(qe={"miscselect": b"\x01\x00\x00\x00"})),
    Reason.QE_ATTRIBUTES: (R, lambda: quoted(qe={"attributes": b"\x17" + bytes(15)})),
    Reason.QE_SIGNER: (R, lambda: quoted(qe={"mrsigner": b"\x01" * 32})),
    Reason.QE_PRODUCT: (R, lambda: quoted(qe={"isvprodid": 1})),
    Reason.QE_NOT_SUPPORTED: (R, lambda: quoted(qe={"isvsvn": 1})),
    Reason.UNKNOWN_MODULE: (
        R,
        lambda: quoted(body={"tee_tcb_svn": bytes([11, 2, 4]) + bytes(13)}),
    ),
    Reason.MODULE_SIGNER: (R, lambda: quoted(body={"mrsigner_seam": ONES})),
    Reason.SEAM_ATTRIBUTES: (R, lambda: quoted(body={"seam_attributes": b"\x01" + bytes(7)})),
    Reason.MODULE_NOT_SUPPORTED: (
        R,
        lambda: quoted(body={"tee_tcb_svn": bytes([1, 1, 4]) + bytes(13)}),
    ),
    Reason.TCB_NOT_SUPPORTED: (
        R,
        lambda: quoted(body={"tee_tcb_svn": bytes([11, 1, 1]) + bytes(13)}),
    ),
    Reason.TCB_STATUS_NOT_ACCEPTED: (R, lambda: platform_level("SWHardeningNeeded", OLD_DATE)),
    Reason.ADVISORY_NOT_ACCEPTED: (
        R,
        lambda: platform_level("UpToDate", OLD_DATE, "INTEL-SA-00615"),
    ),
    Reason.EVALUATION_TOO_OLD: (R, lambda: collated(qe=qe_identity(tcbEvaluationDataNumber=16))),
    Reason.TCB_DATE_TOO_OLD: (R, lambda: platform_level("UpToDate", "2024-03-12T00:00:00Z")),
    Reason.TD_DEBUG: (R, lambda: attributes(0)),
    Reason.TD_ATTRIBUTES_UNKNOWN: (R, lambda: attributes(40)),
    Reason.TD_ALLOWS_TOO_MUCH: (R, lambda: attributes(63)),
    Reason.TD_REQUIRES_TOO_LITTLE: (R, lambda: quoted(body={"td_attributes": bytes(8)})),
    Reason.XFAM_NOT_ACCEPTED: (R, lambda: quoted(body={"xfam": b"\xe7\x02\x0e" + bytes(5)})),
    Reason.UNKNOWN_SERVICE_TD: (R, lambda: quoted(body_type=3, body={"mrservicetd": ONES})),
    Reason.UNKNOWN_DEVICES: (R, lambda: extended(devices=ONES)),
    Reason.UNKNOWN_MEASUREMENT: (R, lambda: quoted(body={"mrtd": ONES})),
    Reason.UNKNOWN_RTMRS: (R, lambda: quoted(body={"rtmr2": ONES})),
    Reason.UNKNOWN_CONFIG_ID: (R, lambda: quoted(body={"mrconfigid": ONES})),
    Reason.UNKNOWN_OWNER: (R, lambda: quoted(body={"mrowner": ONES})),
    Reason.UNKNOWN_OWNER_CONFIG: (R, lambda: quoted(body={"mrownerconfig": ONES})),
    Reason.PLATFORM_NOT_LISTED: (R, lambda: quoted().under(ppids=frozenset({bytes(16)}))),
    Reason.UNKNOWN_SEAM_MODULE: (R, lambda: quoted().under(seam_modules=frozenset({ONES}))),
}
