# SPDX-License-Identifier: Apache-2.0
"""Rules for an SEV-SNP report whose predicate has several parts, each part by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attest import Reason, SnpEndorsements
from attest.snp.certificate import Vek, parse_vek
from attest.snp.claims import Claims
from attest.snp.key_kind import KeyKind
from attest.snp.policy import AbiFloor, FirmwareFloor
from attest.snp.product import ProductLine
from attest.snp.report import parse_report
from attest.snp.rules import PRODUCT_RULES, RULES
from lab.mocktsm import MockSnp
from tests.attest.case import good

CASE = good()
REPORT = parse_report(CASE.evidence.report)


def vek() -> Vek:
    assert isinstance(CASE.endorsements, SnpEndorsements)
    return parse_vek(CASE.endorsements.vek)


def holds(reason: Reason, claims: Claims) -> bool:
    """Whether the rule with this reason holds for the claims."""
    (rule,) = (rule for rule in RULES if rule.reason is reason)
    return rule.holds(CASE.snp_policy, claims)


@pytest.mark.parametrize("change", [{"struct_version": 1}, {"product_name": "Turin"}])
def test_a_vek_is_of_its_issuers_line_in_name_and_structure(change: dict[str, object]) -> None:
    good_claims = Claims(REPORT, vek(), ProductLine.MILAN)
    assert holds(Reason.VEK_PRODUCT_MISMATCH, good_claims)
    other = Claims(REPORT, replace(vek(), **change), ProductLine.MILAN)  # type: ignore[arg-type]
    assert not holds(Reason.VEK_PRODUCT_MISMATCH, other)


@pytest.mark.parametrize("policy", [0x10000, 0x30000 | 1 << 26, 0x30000 | 1 << 63])
def test_bit_17_of_a_guests_policy_is_set_and_the_reserved_ones_are_not(policy: int) -> None:
    claims = Claims(replace(REPORT, policy=policy), vek(), ProductLine.MILAN)
    assert not holds(Reason.GUEST_POLICY_RESERVED, claims)


CLAIMS = Claims(REPORT, vek(), ProductLine.MILAN)
EXACT: dict[Reason, dict[str, object]] = {
    Reason.PLATFORM_LACKS: {"platform_has": CLAIMS.platform},
    Reason.GUEST_ALLOWS_TOO_MUCH: {"guest_allows": CLAIMS.permissions},
    Reason.GUEST_REQUIRES_TOO_LITTLE: {"guest_requires": CLAIMS.requirements},
    Reason.GUEST_SVN_TOO_OLD: {"guest_svn": REPORT.guest_svn},
    Reason.ABI_TOO_OLD: {"abi": AbiFloor(major=CLAIMS.abi[0], minor=CLAIMS.abi[1])},
}


@pytest.mark.parametrize("reason", EXACT)
def test_a_floor_is_itself_enough(reason: Reason) -> None:
    policy = replace(CASE.snp_policy, **EXACT[reason])  # type: ignore[arg-type]  # test data
    (rule,) = (rule for rule in RULES if rule.reason is reason)
    assert rule.holds(policy, CLAIMS)


def test_the_firmware_of_the_floor_is_new_enough() -> None:
    major, minor, build = CLAIMS.firmware
    firmware = FirmwareFloor(major=major, minor=minor, build=build)
    product = replace(CASE.snp_policy.products[0], firmware=firmware)
    (rule,) = (rule for rule in PRODUCT_RULES if rule.reason is Reason.FIRMWARE_TOO_OLD)
    assert rule.holds(product, CLAIMS)
    assert not rule.holds(replace(product, firmware=replace(firmware, build=build + 1)), CLAIMS)


@pytest.mark.parametrize("kind", KeyKind)
@pytest.mark.parametrize("line", ProductLine)
def test_a_listed_chip_is_accepted_whatever_its_key(line: str, kind: KeyKind) -> None:
    case = good(line=line, kind=kind)
    assert case.snp_policy.chips == frozenset({MockSnp(line=line).chip_id})
    case.verify()
    case.snp(chips=frozenset({b"\x01" * 64, MockSnp(line=line).chip_id})).verify()


@pytest.mark.parametrize("chip_id", [bytes(64), b"\x01" * 64], ids=["none", "another"])
def test_under_a_list_a_vlek_report_names_a_chip_on_it(chip_id: bytes) -> None:
    case = good(kind=KeyKind.VLEK, report={"chip_id": chip_id})
    assert [finding.reason for finding in case.refusal().findings] == [Reason.CHIP_NOT_LISTED]
    case.snp(chips=None).verify()


def test_under_a_list_no_chip_may_hide_even_where_hiding_is_accepted() -> None:
    case = good(report={"chip_id": bytes(64)}).snp(masked_chip_id=True)
    assert [finding.reason for finding in case.refusal().findings] == [Reason.CHIP_NOT_LISTED]


def test_on_turin_eight_bytes_and_zeros_are_the_chip() -> None:
    turin = MockSnp(line=ProductLine.TURIN)
    assert turin.chip_id == turin.hwid + bytes(56)
    longer = turin.hwid + b"\x01" * 56
    case = good(line=ProductLine.TURIN).snp(chips=frozenset({longer}))
    assert [finding.reason for finding in case.refusal().findings] == [Reason.CHIP_NOT_LISTED]
