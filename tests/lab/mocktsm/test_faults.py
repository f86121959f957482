# SPDX-License-Identifier: Apache-2.0
"""Each named fault of evidence is found by its rule's reason, and nothing else is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from attest import Evidence, Refused, VerifiedGuest, verify
from attest.endorsements import Endorsements
from attest.statement import (
    PRODUCT,
    Platform,
    Statement,
    Variant,
    report_data,
    write_statement,
)
from lab.mocktsm import MockSnp, MockTdx, SnpFault, TdxFault, mock_policy, roots_of
from lab.mocktsm.snp_faults import SNP_FAULTS, snp_endorsements, snp_report
from lab.mocktsm.tdx_faults import TDX_FAULTS, tdx_endorsements

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LIFE = NOW - timedelta(days=1), NOW + timedelta(days=29)
DIGESTS: dict[str, Any] = {
    "model": b"\x01" * 32,
    "prompts": b"\x02" * 32,
    "configuration": b"\x03" * 32,
}


def statement(platform: Platform) -> bytes:
    return write_statement(
        Statement(
            product=PRODUCT,
            variant=Variant.MOCK,
            platform=platform,
            key_configs=(b"a key",),
            not_before=int(NOW.timestamp()) - 60,
            not_after=int(NOW.timestamp()) + 60,
            epoch=1,
            lacking=(),
            receipt_key=bytes(32),
            checkpoint=None,
            model=DIGESTS["model"],
            prompts=DIGESTS["prompts"],
            configuration=DIGESTS["configuration"],
        )
    )


def verified(
    platform: MockSnp | MockTdx, said: bytes, report: bytes, endorsements: Endorsements
) -> VerifiedGuest:
    kind = Platform.SEV_SNP if isinstance(platform, MockSnp) else Platform.TDX
    return verify(
        Evidence(platform=kind, statement=said, report=report),
        endorsements,
        mock_policy(platform=platform, max_life_s=3600, **DIGESTS),
        roots=roots_of(platform),
        now=NOW,
    )


def snp(platform: MockSnp, fault: SnpFault | None) -> VerifiedGuest:
    said = statement(Platform.SEV_SNP)
    data = report_data(said)
    report = platform.report(data) if fault is None else snp_report(platform, fault, data)
    return verified(platform, said, report, snp_endorsements(platform, fault, LIFE))


def tdx(platform: MockTdx, fault: TdxFault | None) -> VerifiedGuest:
    said = statement(Platform.TDX)
    data = report_data(said)
    quote = platform.quote(data, None if fault is None else TDX_FAULTS[fault].quote(platform))
    return verified(platform, said, quote, tdx_endorsements(platform, fault, LIFE))


@pytest.mark.parametrize("version", [2, 3, 4, 5])
@pytest.mark.parametrize("line", ["Milan", "Genoa", "Turin"])
def test_a_chip_in_good_order_is_accepted(line: str, version: int) -> None:
    if (line, version) != ("Turin", 2):
        assert snp(MockSnp(line=line, version=version), None).product_line == line


@pytest.mark.parametrize("version", [4, 5])
def test_a_platform_in_good_order_is_accepted(version: int) -> None:
    assert tdx(MockTdx(version=version), None).tcb_status == "UpToDate"


@pytest.mark.parametrize("line", ["Milan", "Turin"])
@pytest.mark.parametrize("fault", SnpFault)
def test_a_fault_of_sev_snp_is_found_and_nothing_else(fault: SnpFault, line: str) -> None:
    spoil = SNP_FAULTS[fault]
    platform = MockSnp(line=line, version=max(3, spoil.version), kind=spoil.kind)
    with pytest.raises(Refused) as refused:
        snp(platform, fault)
    assert {finding.reason for finding in refused.value.findings} == spoil.reasons


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("fault", TdxFault)
def test_a_fault_of_tdx_is_found_and_nothing_else(fault: TdxFault, version: int) -> None:
    spoil = TDX_FAULTS[fault]
    platform = MockTdx(version=max(version, spoil.version))
    with pytest.raises(Refused) as refused:
        tdx(platform, fault)
    assert {finding.reason for finding in refused.value.findings} == spoil.reasons


def test_every_fault_is_minted_and_every_rule_has_one() -> None:
    assert SNP_FAULTS.keys() == set(SnpFault)
    assert TDX_FAULTS.keys() == set(TdxFault)
    assert {spoil.rule for spoil in SNP_FAULTS.values()} == {f"S{n}" for n in range(1, 19)}
    assert {spoil.rule for spoil in TDX_FAULTS.values()} == {f"T{n}" for n in range(1, 16)}
