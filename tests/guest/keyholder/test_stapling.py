# SPDX-License-Identifier: Apache-2.0
"""What is stapled: the host's certificate or the operator's, if it is the report's; or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from attest import FormatError
from attest.endorsements import SnpEndorsements, TdxEndorsements
from attest.snp.certtable import VCEK_GUID, VLEK_GUID
from attest.snp.key_kind import KeyKind
from attest.snp.tcb import Tcb
from attest.statement import Platform
from guest.keyholder.stapling import UnendorsedError, choose_endorsements
from lab.mocktsm import MockSnp, MockTdx, TdxFault
from lab.mocktsm.pki import crl
from lab.mocktsm.sev_guest import certificate_table, encode_table
from lab.mocktsm.tdx_faults import tdx_endorsements

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LIFE = NOW - timedelta(days=1), NOW + timedelta(days=29)
LAST_YEAR = NOW - timedelta(days=365), NOW - timedelta(days=335)

CHIP = MockSnp()
REPORT = CHIP.report(bytes(64))
TABLE = certificate_table(CHIP, CHIP.certificate)
OLDER = CHIP.vek(Tcb(CHIP.line, bytes(8)))
CRL = crl(CHIP.line, life=LIFE)
BUNDLE = SnpEndorsements(vek=CHIP.certificate, crl=CRL)

TD = MockTdx()
QUOTE = TD.quote(bytes(64))
COLLATERAL = tdx_endorsements(TD, None, LIFE)


def snp(
    auxblob: bytes = b"", bundle: SnpEndorsements | TdxEndorsements | None = None
) -> SnpEndorsements:
    chosen = choose_endorsements(Platform.SEV_SNP, REPORT, auxblob, bundle)
    assert isinstance(chosen, SnpEndorsements)
    return chosen


def tdx(bundle: SnpEndorsements | TdxEndorsements | None) -> TdxEndorsements:
    chosen = choose_endorsements(Platform.TDX, QUOTE, b"", bundle)
    assert isinstance(chosen, TdxEndorsements)
    return chosen


def test_the_hosts_certificate_is_enough() -> None:
    assert snp(TABLE) == SnpEndorsements(vek=CHIP.certificate, crl=None)


def test_the_hosts_certificate_goes_before_the_operators() -> None:
    reissued = CHIP.vek(CHIP.tcb, life=LIFE)
    assert snp(TABLE, SnpEndorsements(vek=reissued, crl=CRL)) == BUNDLE


@pytest.mark.parametrize(
    "table",
    [
        b"",
        encode_table({VCEK_GUID: OLDER}),
        encode_table({VCEK_GUID: MockSnp(seed="another").certificate}),
        encode_table({VCEK_GUID: b"no certificate"}),
        encode_table({VLEK_GUID: CHIP.certificate}),
    ],
    ids=["none", "of-another-tcb", "of-another-chip", "no-certificate", "in-another-place"],
)
def test_where_the_host_has_none_the_operators_is_used(table: bytes) -> None:
    assert snp(table, BUNDLE) == BUNDLE
    with pytest.raises(UnendorsedError, match="certificate"):
        snp(table)


@pytest.mark.parametrize("vek", [OLDER, MockSnp(kind=KeyKind.VLEK).certificate])
def test_an_operators_certificate_of_another_key_is_not_stapled(vek: bytes) -> None:
    with pytest.raises(UnendorsedError, match="certificate"):
        snp(b"", SnpEndorsements(vek=vek, crl=None))


def test_the_operators_list_goes_with_the_hosts_certificate() -> None:
    assert snp(TABLE, SnpEndorsements(vek=OLDER, crl=CRL)) == BUNDLE


def test_a_stale_list_is_stapled_because_a_guest_has_no_clock_to_trust() -> None:
    stale = crl(CHIP.line, life=LAST_YEAR)
    assert snp(TABLE, SnpEndorsements(vek=OLDER, crl=stale)).crl == stale


def test_the_certificate_of_a_chip_that_is_masked_is_told_by_its_tcb() -> None:
    report = CHIP.report(bytes(64), chip_id=bytes(64))
    assert choose_endorsements(Platform.SEV_SNP, report, TABLE, None) == SnpEndorsements(
        vek=CHIP.certificate, crl=None
    )


@pytest.mark.parametrize("kind", list(KeyKind))
@pytest.mark.parametrize("line", ["Milan", "Genoa", "Turin"])
def test_each_kind_of_key_is_known(line: str, kind: KeyKind) -> None:
    chip = MockSnp(line=line, kind=kind)
    report, table = chip.report(bytes(64)), certificate_table(chip, chip.certificate)
    chosen = choose_endorsements(Platform.SEV_SNP, report, table, None)
    assert chosen == SnpEndorsements(vek=chip.certificate, crl=None)


@pytest.mark.parametrize(
    "bundle",
    [SnpEndorsements(vek=b"no", crl=None), SnpEndorsements(vek=CHIP.certificate, crl=b"no")],
    ids=["vek", "crl"],
)
def test_a_malformed_bundle_is_told(bundle: SnpEndorsements) -> None:
    with pytest.raises(FormatError):
        snp(b"", bundle)


def test_a_malformed_table_is_told() -> None:
    with pytest.raises(FormatError, match="certificate table"):
        snp(TABLE[:-1], BUNDLE)


def test_collateral_of_the_platform_is_stapled() -> None:
    assert tdx(COLLATERAL) == COLLATERAL


def test_expired_collateral_is_stapled_because_a_guest_has_no_clock_to_trust() -> None:
    expired = tdx_endorsements(TD, None, LAST_YEAR)
    assert tdx(expired) == expired


@pytest.mark.parametrize("fault", [TdxFault.OTHER_FMSPC, TdxFault.OTHER_PCE])
def test_collateral_of_another_platform_is_not_stapled(fault: TdxFault) -> None:
    with pytest.raises(UnendorsedError, match="FMSPC"):
        tdx(tdx_endorsements(TD, fault, LIFE))


def test_malformed_collateral_is_told() -> None:
    with pytest.raises(FormatError, match="collateral"):
        tdx(TdxEndorsements(collateral=b"{}"))


@pytest.mark.parametrize("bundle", [None, BUNDLE], ids=["none", "of-the-other-platform"])
def test_without_collateral_there_is_nothing_for_a_quote(bundle: SnpEndorsements | None) -> None:
    with pytest.raises(UnendorsedError, match="TDX"):
        tdx(bundle)


def test_collateral_is_nothing_for_a_report() -> None:
    with pytest.raises(UnendorsedError, match="TDX"):
        snp(TABLE, COLLATERAL)
