# SPDX-License-Identifier: Apache-2.0
"""Rules for an SEV-SNP report whose predicate has several parts, each part by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attest import Reason, SnpEndorsements
from attest.snp.certificate import Vek, parse_vek
from attest.snp.claims import Claims
from attest.snp.product import ProductLine
from attest.snp.report import parse_report
from attest.snp.rules import RULES
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
