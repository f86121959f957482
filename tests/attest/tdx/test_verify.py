# SPDX-License-Identifier: Apache-2.0
"""`verify_quote` as a whole: what it accepts and what it refuses."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import Evidence, Reason, Refused, Stage, VerifiedGuest, verify
from attest.evidence import Endorsements, SnpEndorsements, TdxEndorsements
from attest.policy import Policy
from attest.result import Notice
from attest.rules import BINDING_RULES, STATEMENT_RULES
from attest.statement import Platform, report_data, write_statement
from attest.tdx.chain import CHAIN_RULES
from attest.tdx.roots import Role
from attest.tdx.rules import RULES, SIGNATURE_RULES
from attest.tdx.status import TcbStatus
from lab.mocktsm.intel_collateral import collateral_members, tcb_info
from lab.mocktsm.intel_pki import (
    LIST_LIFE,
    PLATFORM_CA,
    ROOT,
    TCB_SIGNER,
    Signer,
    certificate,
    crl,
    derive_key,
    mock_intel_roots,
    pck_ca_certificate,
    pck_certificate,
    point,
)
from lab.mocktsm.tdx_quote import ATTESTATION, AUTH_DATA, MOCK_MRTD, TEE_TCB_SVN, pck_chain, quote
from tests.attest.case import STATEMENT
from tests.attest.case import good as good_snp
from tests.attest.tdx.breaks import BREAKS, DAY
from tests.attest.tdx.case import NOW, STRICT, ZEROS, TdxCase, collated, quoted

GOOD = TdxCase()
TABLES = (CHAIN_RULES, SIGNATURE_RULES, RULES)
FORMS = [(2, 4), (2, 5), (3, 5), (4, 5)]


def reasons(case: TdxCase) -> list[Reason]:
    return [finding.reason for finding in case.refusal().findings]


@pytest.mark.parametrize(("body_type", "version"), FORMS)
def test_a_good_quote_is_verified_in_every_form(body_type: int, version: int) -> None:
    case = quoted(body_type=body_type, version=version).under(
        body_types=frozenset({body_type}), devices=frozenset({ZEROS})
    )
    report = case.verify()
    assert (report.platform, report.measurement) == (Platform.TDX, MOCK_MRTD)
    assert (report.tcb_status, report.advisories) == (TcbStatus.UP_TO_DATE, ())
    assert report.product_line == "FMSPC 90c06f000000"
    assert report.report_data == b"\x04" * 64
    assert report.expires == LIST_LIFE[1]


@pytest.mark.parametrize("reason", list(BREAKS))
def test_one_broken_thing_gives_exactly_its_reason(reason: Reason) -> None:
    stage, broken = BREAKS[reason]
    refused = broken().refusal()
    assert [finding.reason for finding in refused.findings] == [reason]
    assert refused.stage is stage
    assert all(finding.wanted and finding.got for finding in refused.findings)
    assert str(refused).isprintable()


def test_every_rule_has_a_reason_and_a_break_of_its_own() -> None:
    found = [rule.reason for table in (*TABLES, BINDING_RULES, STATEMENT_RULES) for rule in table]
    assert len(set(found)) == len(found)
    assert {rule.reason for table in TABLES for rule in table} <= BREAKS.keys()


def test_the_result_says_what_was_checked() -> None:
    checks = GOOD.verify().checks
    assert len(checks) == sum(map(len, TABLES))
    assert {check.rule for check in checks} == {f"T{n}" for n in range(1, 15)}
    assert all(check.got for check in checks)


def test_a_forged_attestation_key_is_refused() -> None:
    """A real chain and QE report around an attacker's key: three published packages accept it."""
    forged = quote(body={"mrtd": b"\x66" * 48}, attestation="an attacker's")
    genuine = quote(body={"mrtd": b"\x66" * 48})
    start = 48 + 584 + 4 + 134
    qe_report = slice(start, start + 384 + 64)
    spliced = forged[: qe_report.start] + genuine[qe_report] + forged[qe_report.stop :]
    assert reasons(TdxCase(quote=spliced)) == [Reason.ATTESTATION_KEY_UNBOUND]


def test_all_64_bytes_of_the_binding_count() -> None:
    """The digest alone is not enough: what follows it must be zero."""
    digest = hashlib.sha256(point(derive_key(ATTESTATION)) + AUTH_DATA).digest()
    case = quoted(qe={"report_data": digest + bytes(31) + b"\x01"})
    assert reasons(case) == [Reason.ATTESTATION_KEY_UNBOUND]


def test_the_signature_is_over_every_byte_before_it() -> None:
    for body_type, version in FORMS[:3]:
        parts: dict[str, Any] = {"body_type": body_type, "version": version}
        first = 48 if version == 4 else 54
        for offset in (28, 47, first, first + 583):
            data = quote(**parts)
            changed = data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]
            assert reasons(TdxCase(quote=changed)) == [Reason.QUOTE_SIGNATURE]


def test_all_malformed_parts_come_at_once() -> None:
    case = replace(quoted(chain="", after=b"\x01"), collateral=b"")
    assert reasons(case) == [
        Reason.TRAILING_BYTES,
        Reason.MALFORMED_PCK_CHAIN,
        Reason.MALFORMED_COLLATERAL,
    ]


def test_all_findings_of_a_stage_come_at_once() -> None:
    refused = quoted(body={"mrowner": b"\x01" * 48, "td_attributes": b"\x01" + bytes(7)}).refusal()
    assert [finding.reason for finding in refused.findings] == [
        Reason.TD_DEBUG,
        Reason.TD_REQUIRES_TOO_LITTLE,
        Reason.UNKNOWN_OWNER,
    ]


def test_zeros_may_follow_a_quote_and_anything_where_the_policy_says_so() -> None:
    assert quoted(after=bytes(3065)).verify().notes == ()
    notes = quoted(after=b"\x01" * 39).under(trailing_bytes=True).verify().notes
    assert [note.notice for note in notes] == [Notice.TRAILING_BYTES]


def test_a_module_updated_under_the_td_is_noted() -> None:
    newer = bytes([13]) + TEE_TCB_SVN[1:]
    notes = quoted(body_type=3, body={"tee_tcb_svn2": newer}).verify().notes
    assert [(n.notice, n.got) for n in notes] == [
        (Notice.MODULE_UPDATED, "version 1 SVN 11 then version 1 SVN 13")
    ]


def test_service_tds_of_body_type_4_count_each() -> None:
    for name in ("mrservicetd", "init_service_td", "service_td"):
        case = quoted(body_type=4, body={name: b"\x01" * 48})
        case = case.under(body_types=frozenset({4}), devices=frozenset({ZEROS}))
        assert reasons(case) == [Reason.UNKNOWN_SERVICE_TD]
        case.under(service_tds=frozenset({ZEROS, b"\x01" * 48})).verify()


@pytest.mark.parametrize("name", ["init_service_td_attributes", "service_td_attributes"])
def test_a_service_td_under_debug_is_a_td_under_debug(name: str) -> None:
    case = quoted(body_type=4, body={name: b"\x01" + bytes(7)})
    case = case.under(body_types=frozenset({4}), devices=frozenset({ZEROS}))
    assert reasons(case) == [Reason.TD_DEBUG]


def test_registers_of_two_images_do_not_mix() -> None:
    (image,) = STRICT.images
    other = replace(image, mrtd=b"\x01" * 48, rtmr1=b"\x02" * 48)
    case = quoted(body={"mrtd": other.mrtd}).under(images=(image, other))
    assert reasons(case) == [Reason.UNKNOWN_RTMRS]
    quoted(body={"mrtd": other.mrtd, "rtmr1": other.rtmr1}).under(images=(image, other)).verify()


def test_rtmr0_may_be_left_open_and_no_other_register() -> None:
    (image,) = STRICT.images
    opened = (replace(image, rtmr0=None),)
    quoted(body={"rtmr0": b"\x01" * 48}).under(images=opened).verify()
    for name in ("rtmr1", "rtmr2", "rtmr3"):
        case = quoted(body={name: b"\x01" * 48}).under(images=opened)
        assert reasons(case) == [Reason.UNKNOWN_RTMRS]
    case = quoted(body={"rtmr0": b"\x01" * 48, "rtmr3": b"\x01" * 48}).under(images=opened)
    (finding,) = case.refusal().findings
    assert finding.wanted.startswith("any ")


@pytest.mark.parametrize("signer", [PLATFORM_CA, TCB_SIGNER])
def test_whoever_the_root_revokes_is_refused(signer: Signer) -> None:
    case = collated(root_ca_crl=crl(ROOT, revoked=(signer.serial,)).hex())
    assert reasons(case) == [Reason.REVOKED]


def test_a_serial_number_in_the_other_list_means_nothing() -> None:
    collated(pck_crl=crl(PLATFORM_CA, revoked=(TCB_SIGNER.serial,)).hex()).verify()


def test_another_certificate_of_the_same_ca_will_do() -> None:
    """The CA's certificate in the quote need not be the one in the collateral, if the key is."""
    again = certificate(ROOT, PLATFORM_CA, Role.PCK_CA, life=(NOW - DAY, NOW + 400 * DAY))
    assert again != pck_ca_certificate()
    quoted(chain=pck_chain(pck_certificate(), again)).verify()


def test_the_windows_begin_inclusive_and_end_exclusive() -> None:
    begin, end = LIST_LIFE
    assert replace(GOOD, now=begin).verify().expires == end
    assert reasons(replace(GOOD, now=end)) == [Reason.CRL_STALE, Reason.COLLATERAL_EXPIRED]
    before = begin.replace(day=19)
    assert reasons(replace(GOOD, now=before)) == [
        Reason.CRL_STALE,
        Reason.COLLATERAL_NOT_YET_ISSUED,
    ]


def test_a_time_without_a_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="time zone"):
        replace(GOOD, now=NOW.replace(tzinfo=None)).verify()


@given(data=st.binary(max_size=6000), material=st.binary(max_size=600))
def test_any_bytes_are_refused(data: bytes, material: bytes) -> None:
    refused = TdxCase(quote=data, collateral=material).refusal()
    assert refused.stage is Stage.FORMAT


@given(offset=st.integers(0, 5000), value=st.binary(min_size=1, max_size=4))
def test_a_changed_quote_is_refused_or_the_same(offset: int, value: bytes) -> None:
    data = GOOD.quote
    changed = data[:offset] + value + data[offset + len(value) :]
    try:
        report = replace(GOOD, quote=changed).verify()
    except Refused:
        return
    assert report.report_data == b"\x04" * 64
    assert changed.rstrip(b"\x00") == data.rstrip(b"\x00")


@given(name=st.sampled_from(sorted(collateral_members())), offset=st.integers(0, 20000))
def test_a_changed_member_is_refused(name: str, offset: int) -> None:
    members = collateral_members()
    text = members[name]
    at = offset % len(text)
    changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
    with pytest.raises(Refused):
        replace(GOOD, collateral=json.dumps(members | {name: changed}).encode()).verify()


TDX_STATEMENT = replace(STATEMENT, platform=Platform.TDX)


def evidence(statement: Any = TDX_STATEMENT, **body: bytes) -> Evidence:
    written = write_statement(statement)
    data = {"report_data": report_data(written)} | body
    return Evidence(platform=Platform.TDX, statement=written, report=quote(body=data))


def verify_guest(
    given_evidence: Evidence, endorsements: Endorsements | None = None, **policies: Any
) -> VerifiedGuest:
    policy = Policy(
        **{"snp": None, "tdx": STRICT, "statement": good_snp().policy.statement} | policies
    )
    return verify(
        given_evidence,
        endorsements or TdxEndorsements(collateral=GOOD.collateral),
        policy,
        roots=mock_intel_roots(),
        now=NOW,
    )


def refusal(*args: Any, **kwargs: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        verify_guest(*args, **kwargs)
    return caught.value


def test_a_guest_on_tdx_is_verified() -> None:
    guest = verify_guest(evidence())
    assert (guest.platform, guest.statement) == (Platform.TDX, TDX_STATEMENT)
    assert (guest.tcb_status, guest.advisories) == (TcbStatus.UP_TO_DATE, ())
    assert guest.key_configs == STATEMENT.key_configs
    assert guest.expires == datetime.fromtimestamp(STATEMENT.not_after, UTC)
    assert len(guest.checks) == sum(map(len, (*TABLES, BINDING_RULES, STATEMENT_RULES)))


def test_a_quote_over_another_statement_is_refused() -> None:
    refused = refusal(evidence(report_data=b"\x05" * 64))
    assert [f.reason for f in refused.findings] == [Reason.REPORT_DATA_MISMATCH]
    assert refused.stage is Stage.BINDING


def test_a_statement_of_another_platform_is_refused() -> None:
    refused = refusal(evidence(STATEMENT))
    assert [f.reason for f in refused.findings] == [Reason.PLATFORM_MISMATCH]


def test_a_policy_without_the_platform_refuses_it() -> None:
    refused = refusal(evidence(), tdx=None, snp=good_snp().policy.snp)
    assert [(f.reason, f.wanted, f.got) for f in refused.findings] == [
        (Reason.UNSUPPORTED_PLATFORM, "sev-snp", "tdx")
    ]


def test_endorsements_of_the_other_platform_are_refused() -> None:
    refused = refusal(evidence(), SnpEndorsements(vek=b"\x30", crl=None))
    assert [f.reason for f in refused.findings] == [Reason.ENDORSEMENTS_MISMATCH]


def test_collateral_that_is_older_than_the_policy_wants_is_refused() -> None:
    case = collated(tcb=tcb_info(tcbEvaluationDataNumber=16))
    assert reasons(case) == [Reason.EVALUATION_TOO_OLD]
