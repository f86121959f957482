# SPDX-License-Identifier: Apache-2.0
"""From claims to evidence, with an operator's bundle that is there, is not, or is another file."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attest import SnpEndorsements, parse_evidence
from attest.endorsements import (
    ENDORSEMENTS_MAX_BYTES,
    Endorsements,
    TdxEndorsements,
    write_endorsements,
)
from attest.statement import Platform, parse_statement
from guest.keyholder.__main__ import _endorsements
from guest.keyholder.attesting import AttestationError, Claims, Failure, attest
from guest.sectors import SECTOR_BYTES
from guest.settings import StaplingSettings, write_sections
from lab.mocktsm import FaultPlan, MockSnp, MockTdx, MockTsm
from lab.mocktsm.pki import crl
from lab.mocktsm.tdx_faults import tdx_endorsements
from tests.guest.keyholder.hall import IDENTITY, NO_BUNDLE

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LIFE = NOW - timedelta(days=1), NOW + timedelta(days=29)
CLAIMS = Claims(epoch=1, not_before=0, not_after=60, key_configs=(b"a key",), receipt_key=bytes(32))
COLLATERAL = tdx_endorsements(MockTdx(), None, LIFE)
LATER = tdx_endorsements(MockTdx(), None, (NOW, NOW + timedelta(days=30)))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "endorsements.json"


def attested(
    platform: MockSnp | MockTdx, bundle: Path | None, **faults: int | str
) -> tuple[Platform, Endorsements]:
    """The platform that the evidence is of, and what is stapled to it."""
    plan = FaultPlan({name.replace("_", "-"): times for name, times in faults.items()})
    stapling = NO_BUNDLE if bundle is None else StaplingSettings(endorsements=str(bundle))
    written = attest(MockTsm(platform, plan), IDENTITY, stapling, CLAIMS)
    evidence, endorsements = parse_evidence(written)
    assert parse_statement(evidence.statement).platform is evidence.platform
    return evidence.platform, endorsements


def failure(
    platform: MockSnp | MockTdx, bundle: Path | None, **faults: int | str
) -> AttestationError:
    with pytest.raises(AttestationError) as caught:
        attested(platform, bundle, **faults)
    return caught.value


def test_sev_snp_needs_no_bundle() -> None:
    wanted = SnpEndorsements(vek=MockSnp().certificate, crl=None)
    assert attested(MockSnp(), None) == (Platform.SEV_SNP, wanted)


def test_a_bundle_makes_up_for_a_host_without_certificates(bundle: Path) -> None:
    chip = MockSnp()
    wanted = SnpEndorsements(vek=chip.certificate, crl=crl(chip.line, life=LIFE))
    bundle.write_bytes(write_endorsements(wanted))
    assert attested(chip, bundle, no_certificates=1) == (Platform.SEV_SNP, wanted)
    assert failure(chip, None, no_certificates=1).code is Failure.UNENDORSED


@pytest.mark.parametrize("version", [4, 5])
def test_tdx_takes_its_collateral_from_the_bundle(version: int, bundle: Path) -> None:
    bundle.write_bytes(write_endorsements(COLLATERAL))
    assert attested(MockTdx(version=version), bundle) == (Platform.TDX, COLLATERAL)


def test_the_bundle_is_read_anew_each_time(bundle: Path) -> None:
    for current in (COLLATERAL, LATER):
        bundle.write_bytes(write_endorsements(current))
        assert attested(MockTdx(), bundle) == (Platform.TDX, current)


def test_tdx_without_a_bundle_has_no_evidence() -> None:
    assert failure(MockTdx(), None).code is Failure.UNENDORSED


def test_a_bundle_of_the_other_platform_endorses_nothing(bundle: Path) -> None:
    bundle.write_bytes(write_endorsements(COLLATERAL))
    assert failure(MockSnp(), bundle).code is Failure.UNENDORSED


@pytest.mark.parametrize("platform", [MockSnp(), MockTdx()], ids=["snp", "tdx"])
def test_a_bundle_that_is_configured_must_be_there(
    platform: MockSnp | MockTdx, bundle: Path
) -> None:
    assert failure(platform, bundle).code is Failure.BUNDLE


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", write_endorsements(COLLATERAL) + b"\n", b" " * (ENDORSEMENTS_MAX_BYTES + 2)],
    ids=["empty", "other", "not-canonical", "long"],
)
def test_another_file_is_no_bundle(content: bytes, bundle: Path) -> None:
    bundle.write_bytes(content)
    error = failure(MockTdx(), bundle)
    assert error.code is Failure.BUNDLE
    assert "endorsements" in str(error)


def test_a_folder_is_no_bundle(tmp_path: Path) -> None:
    error = failure(MockTdx(), tmp_path)
    assert error.code is Failure.BUNDLE
    assert "not a regular file" in str(error)


@pytest.fixture
def on_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is a file here is a disk."""
    monkeypatch.setattr(stat, "S_ISREG", lambda _: False)
    monkeypatch.setattr(stat, "S_ISBLK", lambda _: True)


@pytest.mark.usefixtures("on_disks")
def test_a_bundle_on_a_disk_is_filled_up_to_whole_sectors(bundle: Path) -> None:
    written = write_endorsements(COLLATERAL)
    bundle.write_bytes(written + bytes(-len(written) % SECTOR_BYTES))
    assert attested(MockTdx(), bundle) == (Platform.TDX, COLLATERAL)


@pytest.mark.usefixtures("on_disks")
def test_a_disk_that_is_filled_up_otherwise_is_no_bundle(bundle: Path) -> None:
    written = write_endorsements(COLLATERAL)
    for data in (
        written + b"\0",
        bytes(SECTOR_BYTES),
        bytes(ENDORSEMENTS_MAX_BYTES + SECTOR_BYTES),
    ):
        bundle.write_bytes(data)
        error = failure(MockTdx(), bundle)
        assert error.code is Failure.BUNDLE
        assert "endorsements: wanted" in str(error)


@pytest.mark.usefixtures("on_disks")
def test_a_disk_with_something_behind_the_longest_bundle_is_no_bundle(bundle: Path) -> None:
    bundle.write_bytes(b"x" * (ENDORSEMENTS_MAX_BYTES + 1) + bytes(SECTOR_BYTES - 1))
    assert failure(MockTdx(), bundle).code is Failure.BUNDLE


def test_the_keyholder_may_read_the_disk_or_the_folder_that_the_bundle_is_in(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = write_sections(StaplingSettings(endorsements=str(bundle)))
    assert _endorsements(body) == str(bundle.parent)
    monkeypatch.setattr(Path, "is_block_device", lambda _: True)
    assert _endorsements(body) == str(bundle)
    assert _endorsements(write_sections(NO_BUNDLE)) is None


def test_a_pipe_in_the_place_of_the_bundle_holds_nothing_up(bundle: Path) -> None:
    os.mkfifo(bundle)
    assert failure(MockTdx(), bundle).code is Failure.BUNDLE


def test_malformed_collateral_is_not_stapled(bundle: Path) -> None:
    bundle.write_bytes(write_endorsements(TdxEndorsements(collateral=b"{}")))
    assert failure(MockTdx(), bundle).code is Failure.REPORT


def test_a_platform_that_gives_no_report_is_told_apart(bundle: Path) -> None:
    bundle.write_bytes(write_endorsements(COLLATERAL))
    assert failure(MockTdx(), bundle, io_error="always").code is Failure.PLATFORM
    assert failure(MockTdx(), bundle, short_blob=1).code is Failure.REPORT
