# SPDX-License-Identifier: Apache-2.0
"""`verify` as a whole: what it accepts, what it refuses, and that nothing but it accepts."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import Reason, Refused, Roots, SnpEndorsements, Stage, VerifiedGuest, amd_roots
from attest.policy import policy_digest
from attest.result import Notice, VerifiedReport, conclude_verification
from attest.rules import BINDING_RULES, STATEMENT_RULES
from attest.snp.key_kind import KeyKind
from attest.snp.policy import TcbFloor
from attest.snp.rules import PRODUCT_RULES, RULES
from attest.statement import Platform
from attest.verify import ROOMS, load
from lab.mocktsm import mock_roots
from lab.mocktsm.pki import crl
from tests.attest.breaks import BREAKS, FRESH, MILAN, NEWER, OLDER
from tests.attest.case import NOW, NOW_S, STATEMENT, good
from tests.attest.log.breaks import BREAKS as LOG_BREAKS
from tests.attest.tdx.breaks import BREAKS as TDX_BREAKS
from tests.attest.tdx.case import STRICT as STRICT_TDX

GOOD = good()
EVERY_PLATFORM = [
    (line, version, kind)
    for line, versions in (("Milan", (2, 3, 4, 5)), ("Genoa", (2, 3, 4, 5)), ("Turin", (3, 4, 5)))
    for version in versions
    for kind in KeyKind
]


@pytest.mark.parametrize(("line", "version", "kind"), EVERY_PLATFORM)
def test_a_good_guest_is_verified_on_every_platform(line: str, version: int, kind: KeyKind) -> None:
    guest = good(line=line, version=version, kind=kind).verify()
    assert (guest.product_line, guest.statement) == (line, STATEMENT)


@pytest.mark.parametrize("reason", list(BREAKS))
def test_one_broken_thing_gives_exactly_its_reason(reason: Reason) -> None:
    stage, broken = BREAKS[reason]
    refused = broken().refusal()
    assert [finding.reason for finding in refused.findings] == [reason]
    assert refused.stage is stage


def test_every_reason_has_its_break() -> None:
    of_azure = {Reason.QUOTE_REQUIRED, Reason.QUOTE_OF_ANOTHER_REPORT}  # in tests.attest.test_azure
    assert BREAKS.keys() | TDX_BREAKS.keys() | LOG_BREAKS.keys() | of_azure == set(Reason)


def test_every_rule_has_a_reason_of_its_own() -> None:
    tables = (RULES, PRODUCT_RULES, BINDING_RULES, STATEMENT_RULES)
    reasons = [rule.reason for table in tables for rule in table]
    assert len(set(reasons)) == len(reasons)


def test_the_result_says_what_was_checked_and_under_which_policy() -> None:
    case = good()
    guest = case.verify()
    tables = (RULES, PRODUCT_RULES, BINDING_RULES, STATEMENT_RULES)
    assert len(guest.checks) == sum(map(len, tables))
    assert ("S13", Reason.VMPL_NOT_ACCEPTED, "VMPL 0x0") in [
        (check.rule, check.reason, check.got) for check in guest.checks
    ]
    assert guest.policy_digest == policy_digest(case.policy)
    assert guest.key_configs == STATEMENT.key_configs
    assert guest.receipt_key == STATEMENT.receipt_key
    assert guest.platform is Platform.SEV_SNP
    assert guest.tcb == "boot_loader 4, tee 0, snp 24, microcode 219"
    assert guest.measurement.hex() == guest.report.measurement.hex()


def test_all_findings_of_a_stage_come_at_once() -> None:
    refused = good(report={"vmpl": 1, "policy": 0xB0000, "host_data": b"\x01" * 32}).refusal()
    assert {finding.reason for finding in refused.findings} == {
        Reason.VMPL_NOT_ACCEPTED,
        Reason.DEBUG_ALLOWED,
        Reason.UNKNOWN_HOST_DATA,
    }
    assert "vmpl-not-accepted: wanted 0, got VMPL 0x1" in str(refused)


def test_all_malformed_parts_come_at_once() -> None:
    case = good(change=lambda data: data[:-1]).endorsed(vek=b"", crl=b"")
    case = replace(case, evidence=replace(case.evidence, statement=b""))
    assert [finding.reason for finding in case.refusal().findings] == [
        Reason.MALFORMED_STATEMENT,
        Reason.MALFORMED_REPORT,
        Reason.MALFORMED_VEK,
        Reason.MALFORMED_CRL,
    ]


@pytest.mark.parametrize(("line", "version", "kind"), EVERY_PLATFORM)
def test_a_perfect_mock_is_refused_under_the_production_roots(
    line: str, version: int, kind: KeyKind
) -> None:
    case = replace(good(line=line, version=version, kind=kind), roots=amd_roots())
    assert [finding.reason for finding in case.refusal().findings] == [Reason.UNKNOWN_ISSUER]


def test_a_mock_that_takes_amds_names_is_refused_under_the_production_roots() -> None:
    """Names are public; only the key makes an issuer."""
    case = good()
    (mock,), pinned = mock_roots("Milan").amd, amd_roots().amd[0]
    certificate = replace(pinned.ask.certificate, subject=mock.ask.certificate.subject)
    named_alike = replace(pinned, ask=replace(pinned.ask, certificate=certificate))
    refused = replace(case, roots=Roots(amd=(named_alike,))).refusal()
    assert [finding.reason for finding in refused.findings] == [Reason.VEK_SIGNATURE]


def test_it_expires_with_the_statement() -> None:
    assert good().verify().expires.timestamp() == STATEMENT.not_after


def test_it_expires_with_the_crl_if_that_ends_first() -> None:
    life = FRESH[0], NOW.replace(hour=12, minute=5)
    assert good().endorsed(crl=crl(MILAN, life=life)).verify().expires == life[1]


def test_the_end_of_the_statement_is_exclusive_and_its_beginning_inclusive() -> None:
    case = good(statement=replace(STATEMENT, not_before=NOW_S, not_after=NOW_S + 1))
    assert case.verify().statement.not_before == NOW_S
    later = replace(case, now=datetime.fromtimestamp(NOW_S + 1, NOW.tzinfo))
    assert [f.reason for f in later.refusal().findings] == [Reason.STATEMENT_EXPIRED]


def test_a_time_without_a_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="time zone"):
        replace(good(), now=NOW.replace(tzinfo=None)).verify()


@pytest.mark.parametrize(
    ("report", "notice"),
    [
        ({"current_tcb": b"\x05\x00\x00\x00\x00\x00\x18\xdb"}, Notice.PROVISIONAL_FIRMWARE),
        ({"platform_info": 0x125}, Notice.UNKNOWN_PLATFORM_BITS),
    ],
)
def test_what_is_accepted_and_worth_knowing_is_noted(
    report: dict[str, int | bytes], notice: Notice
) -> None:
    guest = good(report=report).endorsed(crl=crl(MILAN, life=FRESH)).verify()
    assert [note.notice for note in guest.notes] == [notice]


@pytest.mark.parametrize(
    "changes", [{"committed_tcb": OLDER}, {"committed_tcb": NEWER}, {"launch_tcb": NEWER}]
)
def test_reported_committed_and_current_are_in_order(changes: dict[str, int | bytes]) -> None:
    """Reported is at most committed, and that at most current; launch is at most current."""
    no_floor = TcbFloor(fmc=0, boot_loader=0, tee=0, snp=0, microcode=0)
    refusal = good(report=changes).product(committed_tcb=no_floor).refusal()
    assert [finding.reason for finding in refusal.findings] == [Reason.TCB_ORDER]


@pytest.mark.parametrize("part", ["major", "minor", "build"])
def test_firmware_below_the_version_that_it_committed_to_is_refused(part: str) -> None:
    """No such firmware runs: it would be a rollback, which the commitment rules out."""
    refusal = good(report={f"committed_{part}": 60}).refusal()
    assert [finding.reason for finding in refusal.findings] == [Reason.TCB_ORDER]
    good(report={f"current_{part}": 60}).verify()


def test_keys_may_live_as_long_as_the_policy_says_and_no_longer() -> None:
    life_s = STATEMENT.not_after - STATEMENT.not_before
    good().stated(life_s=life_s).verify()
    refusal = good().stated(life_s=life_s - 1).refusal()
    assert [finding.reason for finding in refusal.findings] == [Reason.STATEMENT_LIFE_TOO_LONG]


def test_a_policy_for_tdx_alone_refuses_sev_snp_by_name() -> None:
    case = good()
    policy = dataclasses.replace(case.policy, snp=None, tdx=STRICT_TDX)
    refusal = dataclasses.replace(case, policy=policy).refusal()
    (finding,) = refusal.findings
    assert (finding.reason, finding.wanted) == (Reason.UNSUPPORTED_PLATFORM, "tdx")


def test_a_missing_crl_is_noted() -> None:
    assert [note.notice for note in good().verify().notes] == [Notice.CRL_NOT_GIVEN]


def test_a_masked_chip_is_noted_where_the_policy_accepts_it() -> None:
    case = good(report={"chip_id": bytes(64)}).snp(masked_chip_id=True, chips=None)
    assert Notice.CHIP_ID_MASKED in [note.notice for note in case.verify().notes]


def test_a_masked_chip_key_does_not_matter_to_a_vlek() -> None:
    case = good(kind=KeyKind.VLEK, report={"flags": 1 << 2 | 1 << 1})
    assert Notice.CHIP_KEY_MASKED in [note.notice for note in case.verify().notes]


@pytest.mark.parametrize("result", [VerifiedGuest, VerifiedReport])
def test_a_result_is_made_by_a_verification_only(result: type[Any]) -> None:
    with pytest.raises(TypeError, match="made by a verification"):
        result()


@pytest.mark.parametrize(
    "again",
    [
        lambda guest: dataclasses.replace(guest, expires=NOW),
        copy.copy,
        copy.deepcopy,
        lambda guest: pickle.loads(pickle.dumps(guest)),
    ],
)
def test_a_result_is_not_made_from_another(again: Any) -> None:
    with pytest.raises((TypeError, ValueError, pickle.PicklingError)):
        again(good().verify())


def test_a_result_has_all_its_fields() -> None:
    with pytest.raises(TypeError, match="VerifiedReport does not have just tcb"):
        conclude_verification(VerifiedReport, tcb="")


def test_a_result_does_not_change() -> None:
    guest = good().verify()
    with pytest.raises(dataclasses.FrozenInstanceError):
        guest.statement = STATEMENT  # type: ignore[misc]  # that it cannot is the point


@given(report=st.binary(max_size=1300), vek=st.binary(max_size=200), crl=st.binary(max_size=200))
def test_any_bytes_are_refused(report: bytes, vek: bytes, crl: bytes) -> None:
    case = replace(GOOD, endorsements=SnpEndorsements(vek=vek, crl=crl))
    case = replace(case, evidence=replace(case.evidence, report=report))
    with pytest.raises(Refused) as caught:
        case.verify()
    assert caught.value.stage is Stage.FORMAT


@pytest.mark.parametrize("platforms", [(), (Platform.TDX,), (Platform.SEV_SNP, Platform.TDX)])
def test_what_a_verification_takes_can_be_imported_in_advance(
    platforms: tuple[Platform, ...],
) -> None:
    load(*platforms)
    assert {ROOMS[platform] for platform in platforms or ROOMS} <= sys.modules.keys()
