# SPDX-License-Identifier: Apache-2.0
"""For each reason, the one thing to break in a good case so that exactly it is found.

A change to the report is made before the mock chip signs it, so that nothing else is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from attest import Reason, Roots, Stage
from attest.evidence import TdxEndorsements
from attest.snp.key_kind import KeyKind
from attest.snp.policy import (
    AbiFloor,
    FirmwareFloor,
    PlatformBit,
    Requirement,
    TcbFloor,
)
from attest.snp.product import ProductLine
from attest.snp.report import VMPL_HOST
from attest.snp.tcb import tcb
from attest.statement import Platform, Variant
from lab.mocktsm.pki import Signer, ark, crl, issuer
from tests.attest.case import NOW, NOW_S, STATEMENT, Case, good

MILAN = ProductLine.MILAN
DAY = timedelta(days=1)
FRESH = NOW - DAY, NOW + DAY
TOO_HIGH = TcbFloor(fmc=0, boot_loader=4, tee=0, snp=0x19, microcode=0)
NEWER = tcb(MILAN, boot_loader=5, snp=0x18, microcode=0xDB).raw
OLDER = tcb(MILAN, boot_loader=3, snp=0x18, microcode=0xDB).raw
WITH_RESERVED = bytes([4, 0, 1, 0, 0, 0, 0x18, 0xDB])
POLICY = 0x30000


def flip(data: bytes, offset: int) -> bytes:
    """The data with one bit changed."""
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]


def stated(**changes: object) -> Case:
    """A case whose guest says something else of itself."""
    return good(statement=replace(STATEMENT, **changes))  # type: ignore[arg-type]  # test data


def reported(**changes: int | bytes) -> Case:
    """A case whose chip reports something else."""
    return good(report=changes)


def tdx() -> Case:
    case = good()
    return replace(case, evidence=replace(case.evidence, platform=Platform.TDX))


def malformed_statement() -> Case:
    case = good()
    return replace(case, evidence=replace(case.evidence, statement=b"{}"))


def foreign_vek() -> Case:
    return good().endorsed(vek=flip(good_vek(), len(good_vek()) - 1))


def good_vek() -> bytes:
    endorsements = good().endorsed().endorsements
    return endorsements.vek if not isinstance(endorsements, TdxEndorsements) else b""


def another_report() -> Case:
    """A genuine report, over another guest's statement."""
    case, other = good(), good(statement=replace(STATEMENT, epoch=8))
    return replace(case, evidence=replace(case.evidence, report=other.evidence.report))


F, C, R, B, S = Stage.FORMAT, Stage.CHAIN, Stage.RULES, Stage.BINDING, Stage.STATEMENT

BREAKS: dict[Reason, tuple[Stage, Callable[[], Case]]] = {
    Reason.UNSUPPORTED_PLATFORM: (F, tdx),
    Reason.ENDORSEMENTS_MISMATCH: (
        F,
        lambda: replace(good(), endorsements=TdxEndorsements(collateral=b"{}")),
    ),
    Reason.MALFORMED_STATEMENT: (F, malformed_statement),
    Reason.MALFORMED_REPORT: (F, lambda: good(change=lambda data: data + b"\x00")),
    Reason.UNSUPPORTED_REPORT_VERSION: (F, lambda: reported(version=6)),
    Reason.UNSUPPORTED_PRODUCT: (F, lambda: reported(cpuid_family=0x1A, cpuid_model=0x50)),
    Reason.MALFORMED_VEK: (F, lambda: good().endorsed(vek=good_vek() + b"\x00")),
    Reason.MALFORMED_CRL: (F, lambda: good().endorsed(crl=b"\x30\x00")),
    Reason.UNKNOWN_ISSUER: (C, lambda: replace(good(), roots=Roots(amd=()))),
    Reason.VEK_SIGNATURE: (C, foreign_vek),
    Reason.NOT_YET_VALID: (C, lambda: replace(good(), now=datetime(2025, 12, 31, tzinfo=UTC))),
    Reason.EXPIRED: (C, lambda: replace(good(), now=datetime(2033, 1, 2, tzinfo=UTC))),
    Reason.CRL_REQUIRED: (C, lambda: good().snp(require_crl=True)),
    Reason.CRL_SIGNATURE: (
        C,
        lambda: good().endorsed(
            crl=crl(
                MILAN, life=FRESH, signer=Signer(ark(MILAN).name, issuer(MILAN, KeyKind.VCEK).key)
            )
        ),
    ),
    Reason.CRL_STALE: (C, lambda: good().endorsed(crl=crl(MILAN, life=(NOW - 2 * DAY, NOW)))),
    Reason.REVOKED: (
        C,
        lambda: good().endorsed(crl=crl(MILAN, life=FRESH, revoked=(0x10001,))),
    ),
    Reason.REPORT_SIGNATURE: (
        Stage.SIGNATURE,
        lambda: good(change=lambda data: flip(data, 0x090)),
    ),
    Reason.REPORT_VERSION_NOT_ACCEPTED: (R, lambda: good().snp(versions=frozenset({5}))),
    Reason.SIGNING_KEY_MISMATCH: (R, lambda: reported(flags=1 << 2)),
    Reason.SIGNING_KEY_NOT_ACCEPTED: (
        R,
        lambda: good().snp(keys=frozenset({KeyKind.VLEK}), csp_ids=frozenset({"a cloud"})),
    ),
    Reason.CHIP_KEY_MASKED: (R, lambda: reported(flags=1 << 1)),
    Reason.PRODUCT_MISMATCH: (R, lambda: reported(cpuid_model=0x11)),
    Reason.VEK_PRODUCT_MISMATCH: (R, lambda: good(vek={"product_name": "Genoa"})),
    Reason.PRODUCT_NOT_ACCEPTED: (R, lambda: good().product(line=ProductLine.GENOA)),
    Reason.TCB_MISMATCH: (R, lambda: good(vek={"tcb": NEWER})),
    Reason.TCB_RESERVED: (R, lambda: reported(current_tcb=WITH_RESERVED)),
    Reason.CHIP_ID_MASKED: (R, lambda: reported(chip_id=bytes(64)).snp(chips=None)),
    Reason.CHIP_ID_MISMATCH: (R, lambda: reported(chip_id=b"\x01" * 64).snp(chips=None)),
    Reason.CHIP_NOT_LISTED: (R, lambda: good().snp(chips=frozenset({b"\x01" * 64}))),
    Reason.UNKNOWN_CSP: (
        R,
        lambda: good(kind=KeyKind.VLEK).snp(csp_ids=frozenset({"another cloud"})),
    ),
    Reason.TCB_ORDER: (R, lambda: reported(launch_tcb=NEWER)),
    Reason.REPORTED_TCB_TOO_OLD: (R, lambda: good().product(reported_tcb=TOO_HIGH)),
    Reason.COMMITTED_TCB_TOO_OLD: (R, lambda: good().product(committed_tcb=TOO_HIGH)),
    Reason.LAUNCH_TCB_TOO_OLD: (R, lambda: good().product(launch_tcb=TOO_HIGH)),
    Reason.GUEST_POLICY_RESERVED: (R, lambda: reported(policy=POLICY | 1 << 26)),
    Reason.DEBUG_ALLOWED: (R, lambda: reported(policy=POLICY | 1 << 19)),
    Reason.MIGRATION_ALLOWED: (R, lambda: reported(policy=POLICY | 1 << 18)),
    Reason.MIGRATION_AGENT: (R, lambda: reported(report_id_ma=b"\x01" * 32)),
    Reason.ABI_TOO_OLD: (R, lambda: good().snp(abi=AbiFloor(major=0, minor=1))),
    Reason.GUEST_ALLOWS_TOO_MUCH: (R, lambda: good().snp(guest_allows=frozenset())),
    Reason.GUEST_REQUIRES_TOO_LITTLE: (
        R,
        lambda: good().snp(guest_requires=frozenset({Requirement.CIPHERTEXT_HIDING})),
    ),
    Reason.HOST_REPORT: (R, lambda: reported(vmpl=VMPL_HOST)),
    Reason.VMPL_NOT_ACCEPTED: (R, lambda: reported(vmpl=1)),
    Reason.PLATFORM_LACKS: (R, lambda: reported(platform_info=0x05)),
    Reason.PLATFORM_FORBIDDEN: (
        R,
        lambda: good().snp(platform_lacks=frozenset({PlatformBit.SMT})),
    ),
    Reason.MITIGATION_MISSING: (
        R,
        lambda: good(version=5, report={"launch_mit_vector": 0b01}).product(mitigations=0b11),
    ),
    Reason.FIRMWARE_TOO_OLD: (
        R,
        lambda: good().product(firmware=FirmwareFloor(major=1, minor=55, build=30)),
    ),
    Reason.UNKNOWN_MEASUREMENT: (R, lambda: reported(measurement=b"\x01" * 48)),
    Reason.UNKNOWN_HOST_DATA: (R, lambda: reported(host_data=b"\x01" * 32)),
    Reason.GUEST_SVN_TOO_OLD: (R, lambda: good().snp(guest_svn=1)),
    Reason.UNKNOWN_FAMILY: (R, lambda: reported(family_id=b"\x01" * 16)),
    Reason.UNKNOWN_IMAGE: (R, lambda: reported(image_id=b"\x01" * 16)),
    Reason.UNTRUSTED_ID_KEY: (R, lambda: reported(id_key_digest=b"\x01" * 48)),
    Reason.UNTRUSTED_AUTHOR_KEY: (
        R,
        lambda: reported(flags=1, author_key_digest=b"\x01" * 48),
    ),
    Reason.REPORT_DATA_MISMATCH: (B, another_report),
    Reason.PLATFORM_MISMATCH: (B, lambda: stated(platform=Platform.TDX)),
    Reason.WRONG_PRODUCT: (S, lambda: stated(product="saleroom")),
    Reason.VARIANT_NOT_ACCEPTED: (S, lambda: stated(variant=Variant.RESEARCH)),
    Reason.STATEMENT_NOT_YET_VALID: (S, lambda: stated(not_before=NOW_S + 1)),
    Reason.STATEMENT_EXPIRED: (S, lambda: stated(not_after=NOW_S)),
    Reason.STATEMENT_LIFE_TOO_LONG: (S, lambda: stated(not_after=NOW_S - 60 + 3601)),
    Reason.UNKNOWN_MODEL: (S, lambda: stated(model=b"\x01" * 32)),
    Reason.UNKNOWN_PROMPTS: (S, lambda: stated(prompts=b"\x01" * 32)),
    Reason.UNKNOWN_CONFIGURATION: (S, lambda: stated(configuration=b"\x01" * 32)),
    Reason.LACKING_NOT_ACCEPTED: (S, lambda: stated(lacking=("own-user",))),
}
