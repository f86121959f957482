# SPDX-License-Identifier: Apache-2.0
"""SEV-SNP evidence that is wrong in one thing: for each rule S1 to S18 at least one named fault.

A report is changed before the chip signs it and a certificate or list before its authority does,
so that a verifier finds what `SnpSpoil.reasons` says and nothing else. The exceptions are the
forgeries, which are changed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from attest.endorsements import SnpEndorsements
from attest.findings import Reason
from attest.snp.key_kind import KeyKind
from attest.snp.product import ProductLine
from attest.snp.report import VMPL_HOST
from attest.snp.tcb import Tcb, tcb
from lab.mocktsm.pki import ASK_SERIALS, Signer, ark, crl, issuer
from lab.mocktsm.snp import CPUIDS, FIRMWARE, POLICY, MockSnp

Life = tuple[datetime, datetime]
Values = Mapping[str, int | bytes]

MASKED_CHIP_KEY = 1 << 1
SIGNED_WITH_VLEK = 1 << 2
MALFORMED_AT = 0x04C  # a reserved byte
MEASUREMENT_AT = 0x090

_PAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
_FUTURE = datetime(2044, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


class SnpFault(StrEnum):
    """What is wrong."""

    RESERVED_BYTE = "reserved-byte"
    UNKNOWN_VERSION = "unknown-version"
    NO_SIGNATURE_ALGORITHM = "no-signature-algorithm"
    OTHER_SIGNING_KEY = "other-signing-key"
    MASKED_CHIP_KEY = "masked-chip-key"
    UNKNOWN_PRODUCT = "unknown-product"
    OTHER_PRODUCT = "other-product"
    VEK_OF_OTHER_PRODUCT = "vek-of-other-product"
    MALFORMED_VEK = "malformed-vek"
    FORGED_VEK = "forged-vek"
    VEK_NOT_YET_VALID = "vek-not-yet-valid"
    VEK_EXPIRED = "vek-expired"
    FORGED_CRL = "forged-crl"
    STALE_CRL = "stale-crl"
    ISSUER_REVOKED = "issuer-revoked"
    FORGED_REPORT = "forged-report"
    VEK_OF_OTHER_TCB = "vek-of-other-tcb"
    TCB_RESERVED = "tcb-reserved"
    MASKED_CHIP_ID = "masked-chip-id"
    OTHER_CHIP = "other-chip"
    UNLISTED_CHIP = "unlisted-chip"
    OTHER_CLOUD = "other-cloud"
    TCB_ORDER = "tcb-order"
    STALE_TCB = "stale-tcb"
    POLICY_RESERVED = "policy-reserved"
    DEBUG = "debug"
    MIGRATABLE = "migratable"
    MIGRATION_AGENT = "migration-agent"
    CXL_ALLOWED = "cxl-allowed"
    HOST_REPORT = "host-report"
    OTHER_VMPL = "other-vmpl"
    NO_ALIAS_CHECK = "no-alias-check"
    NO_MITIGATION = "no-mitigation"
    OLD_FIRMWARE = "old-firmware"
    OTHER_MEASUREMENT = "other-measurement"
    OTHER_HOST_DATA = "other-host-data"
    OTHER_FAMILY = "other-family"
    OTHER_IMAGE = "other-image"
    OTHER_ID_KEY = "other-id-key"
    OTHER_AUTHOR_KEY = "other-author-key"
    WRONG_REPORT_DATA = "wrong-report-data"


def _nothing(_: MockSnp) -> dict[str, Any]:
    return {}


def _as_is(data: bytes) -> bytes:
    return data


@dataclass(frozen=True, slots=True)
class SnpSpoil:
    """How one fault is minted, and what a verifier finds.

    Attributes:
        rule: of the verifier's, that it breaks.
        reasons: all that is found.
        report: fields to set before the report is signed.
        report_after: applied to the signed report.
        vek: arguments of `lab.mocktsm.pki.vek_certificate` to set.
        vek_after: applied to the certificate.
        crl: a revocation list to staple, in force during the life given.
        kind: of the key that signs.
        version: of the report, at least.
    """

    rule: str
    reasons: frozenset[Reason]
    report: Callable[[MockSnp], Values] = _nothing
    report_after: Callable[[bytes], bytes] = _as_is
    vek: Callable[[MockSnp], Mapping[str, Any]] = _nothing
    vek_after: Callable[[bytes], bytes] = _as_is
    crl: Callable[[ProductLine, Life], bytes] | None = None
    kind: KeyKind = KeyKind.VCEK
    version: int = 2


def snp_report(chip: MockSnp, fault: SnpFault, report_data: bytes) -> bytes:
    """The chip's report over 64 bytes, with the fault in it."""
    spoil = SNP_FAULTS[fault]
    return spoil.report_after(chip.report(report_data, **spoil.report(chip)))


def snp_vek(chip: MockSnp, fault: SnpFault) -> bytes:
    """The certificate of the key that signs the chip's report, with the fault in it."""
    spoil = SNP_FAULTS[fault]
    reported = spoil.report(chip).get("reported_tcb")
    level = Tcb(chip.line, reported) if isinstance(reported, bytes) else chip.tcb
    return spoil.vek_after(chip.vek(level, **spoil.vek(chip)))


def snp_endorsements(chip: MockSnp, fault: SnpFault | None, life: Life) -> SnpEndorsements:
    """The certificate of the chip's key and a revocation list in force during ``life``."""
    if fault is None:
        return SnpEndorsements(vek=chip.certificate, crl=crl(chip.line, life=life))
    made = SNP_FAULTS[fault].crl or (lambda line, life: crl(line, life=life))
    return SnpEndorsements(vek=snp_vek(chip, fault), crl=made(chip.line, life))


def flip(data: bytes, offset: int) -> bytes:
    """The data with one bit changed."""
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]


def _spoil(rule: str, *reasons: Reason, **how: Any) -> SnpSpoil:
    return SnpSpoil(rule, frozenset(reasons), **how)


def _set(rule: str, reason: Reason, **fields: int | bytes) -> SnpSpoil:
    """Fields of the report that are the same on every chip."""
    return _spoil(rule, reason, report=lambda _: fields)


def _another(line: ProductLine) -> ProductLine:
    return ProductLine.GENOA if line is ProductLine.MILAN else ProductLine.MILAN


def _elsewhere(chip: MockSnp) -> MockSnp:
    """Another chip of the same line."""
    return MockSnp(line=chip.line, version=chip.version, seed=f"not {chip.seed}")


def _cpuid(line: ProductLine) -> Values:
    names = ("cpuid_family", "cpuid_model", "cpuid_stepping")
    return dict(zip(names, CPUIDS[line], strict=True))


def _newer(chip: MockSnp) -> bytes:
    """The chip's TCB with the next version of the SNP firmware."""
    levels = {component.value: svn for component, svn in chip.tcb.versions.items()}
    return tcb(chip.line, **(levels | {"snp": levels["snp"] + 1})).raw


def _older(chip: MockSnp) -> Values:
    raw = bytes(max(0, svn - 1) for svn in chip.tcb.raw)
    return dict.fromkeys(("current_tcb", "committed_tcb", "reported_tcb", "launch_tcb"), raw)


def _reserved(chip: MockSnp) -> Values:
    raw = bytearray(chip.tcb.raw)
    raw[5] = 1  # reserved on every line
    return {"current_tcb": bytes(raw)}


def _impostor(line: ProductLine) -> Signer:
    """Has the ARK's name and another key."""
    return Signer(ark(line).name, issuer(line, KeyKind.VCEK).key)


SNP_FAULTS: dict[SnpFault, SnpSpoil] = {
    SnpFault.RESERVED_BYTE: _spoil(
        "S1", Reason.MALFORMED_REPORT, report_after=lambda data: flip(data, MALFORMED_AT)
    ),
    SnpFault.UNKNOWN_VERSION: _set("S1", Reason.UNSUPPORTED_REPORT_VERSION, version=6),
    SnpFault.NO_SIGNATURE_ALGORITHM: _set("S1", Reason.MALFORMED_REPORT, signature_algo=0),
    SnpFault.OTHER_SIGNING_KEY: _set("S2", Reason.SIGNING_KEY_MISMATCH, flags=SIGNED_WITH_VLEK),
    SnpFault.MASKED_CHIP_KEY: _set("S2", Reason.CHIP_KEY_MASKED, flags=MASKED_CHIP_KEY),
    SnpFault.UNKNOWN_PRODUCT: _spoil(
        "S3",
        Reason.UNSUPPORTED_PRODUCT,
        report=lambda _: {"cpuid_family": 0x1A, "cpuid_model": 0x50},
        version=3,
    ),
    SnpFault.OTHER_PRODUCT: _spoil(
        "S3", Reason.PRODUCT_MISMATCH, report=lambda c: _cpuid(_another(c.line)), version=3
    ),
    SnpFault.VEK_OF_OTHER_PRODUCT: _spoil(
        "S3", Reason.VEK_PRODUCT_MISMATCH, vek=lambda c: {"product_name": str(_another(c.line))}
    ),
    SnpFault.MALFORMED_VEK: _spoil(
        "S4", Reason.MALFORMED_VEK, vek_after=lambda data: data + b"\x00"
    ),
    SnpFault.FORGED_VEK: _spoil(
        "S5", Reason.VEK_SIGNATURE, vek_after=lambda data: flip(data, len(data) - 1)
    ),
    SnpFault.VEK_NOT_YET_VALID: _spoil("S6", Reason.NOT_YET_VALID, vek=lambda _: {"life": _FUTURE}),
    SnpFault.VEK_EXPIRED: _spoil("S6", Reason.EXPIRED, vek=lambda _: {"life": _PAST}),
    SnpFault.FORGED_CRL: _spoil(
        "S7",
        Reason.CRL_SIGNATURE,
        crl=lambda line, life: crl(line, life=life, signer=_impostor(line)),
    ),
    SnpFault.STALE_CRL: _spoil(
        "S7",
        Reason.CRL_STALE,
        crl=lambda line, life: crl(line, life=(life[0] - _DAY, life[0])),
    ),
    SnpFault.ISSUER_REVOKED: _spoil(
        "S7",
        Reason.REVOKED,
        crl=lambda line, life: crl(line, life=life, revoked=(ASK_SERIALS[line],)),
    ),
    SnpFault.FORGED_REPORT: _spoil(
        "S8", Reason.REPORT_SIGNATURE, report_after=lambda data: flip(data, MEASUREMENT_AT)
    ),
    SnpFault.VEK_OF_OTHER_TCB: _spoil("S9", Reason.TCB_MISMATCH, vek=lambda c: {"tcb": _newer(c)}),
    SnpFault.TCB_RESERVED: _spoil("S9", Reason.TCB_RESERVED, report=_reserved),
    SnpFault.MASKED_CHIP_ID: _spoil(
        "S10",
        Reason.CHIP_ID_MASKED,
        Reason.CHIP_NOT_LISTED,
        report=lambda _: {"chip_id": bytes(64)},
    ),
    SnpFault.OTHER_CHIP: _spoil(
        "S10",
        Reason.CHIP_ID_MISMATCH,
        Reason.CHIP_NOT_LISTED,
        report=lambda c: {"chip_id": _elsewhere(c).chip_id},
    ),
    SnpFault.UNLISTED_CHIP: _spoil(
        "S10",
        Reason.CHIP_NOT_LISTED,
        report=lambda c: {"chip_id": _elsewhere(c).chip_id},
        vek=lambda c: {"identity": _elsewhere(c).hwid},
    ),
    SnpFault.OTHER_CLOUD: _spoil(
        "S10",
        Reason.UNKNOWN_CSP,
        vek=lambda _: {"identity": "CN=cc-other.example"},
        kind=KeyKind.VLEK,
    ),
    SnpFault.TCB_ORDER: _spoil("S11", Reason.TCB_ORDER, report=lambda c: {"launch_tcb": _newer(c)}),
    SnpFault.STALE_TCB: _spoil(
        "S11",
        Reason.REPORTED_TCB_TOO_OLD,
        Reason.COMMITTED_TCB_TOO_OLD,
        Reason.LAUNCH_TCB_TOO_OLD,
        report=_older,
    ),
    SnpFault.POLICY_RESERVED: _set("S12", Reason.GUEST_POLICY_RESERVED, policy=POLICY | 1 << 26),
    SnpFault.DEBUG: _set("S12", Reason.DEBUG_ALLOWED, policy=POLICY | 1 << 19),
    SnpFault.MIGRATABLE: _set("S12", Reason.MIGRATION_ALLOWED, policy=POLICY | 1 << 18),
    SnpFault.MIGRATION_AGENT: _set("S12", Reason.MIGRATION_AGENT, report_id_ma=b"\x01" * 32),
    SnpFault.CXL_ALLOWED: _set("S12", Reason.GUEST_ALLOWS_TOO_MUCH, policy=POLICY | 1 << 21),
    SnpFault.HOST_REPORT: _set("S13", Reason.HOST_REPORT, vmpl=VMPL_HOST),
    SnpFault.OTHER_VMPL: _set("S13", Reason.VMPL_NOT_ACCEPTED, vmpl=1),
    SnpFault.NO_ALIAS_CHECK: _set("S14", Reason.PLATFORM_LACKS, platform_info=0x05),
    SnpFault.NO_MITIGATION: _spoil(
        "S15", Reason.MITIGATION_MISSING, report=lambda _: {"launch_mit_vector": 1}, version=5
    ),
    SnpFault.OLD_FIRMWARE: _set(
        "S16",
        Reason.FIRMWARE_TOO_OLD,
        current_build=FIRMWARE[2] - 1,
        committed_build=FIRMWARE[2] - 1,
    ),
    SnpFault.OTHER_MEASUREMENT: _set("S17", Reason.UNKNOWN_MEASUREMENT, measurement=b"\x01" * 48),
    SnpFault.OTHER_HOST_DATA: _set("S17", Reason.UNKNOWN_HOST_DATA, host_data=b"\x01" * 32),
    SnpFault.OTHER_FAMILY: _set("S17", Reason.UNKNOWN_FAMILY, family_id=b"\x01" * 16),
    SnpFault.OTHER_IMAGE: _set("S17", Reason.UNKNOWN_IMAGE, image_id=b"\x01" * 16),
    SnpFault.OTHER_ID_KEY: _set("S17", Reason.UNTRUSTED_ID_KEY, id_key_digest=b"\x01" * 48),
    SnpFault.OTHER_AUTHOR_KEY: _set(
        "S17", Reason.UNTRUSTED_AUTHOR_KEY, flags=1, author_key_digest=b"\x01" * 48
    ),
    SnpFault.WRONG_REPORT_DATA: _set("S18", Reason.REPORT_DATA_MISMATCH, report_data=bytes(64)),
}
