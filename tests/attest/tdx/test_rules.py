# SPDX-License-Identifier: Apache-2.0
"""Rules for a TDX quote whose predicate has several parts, each part by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attest import Reason
from attest.result import Notice
from attest.tdx.status import TcbStatus
from lab.mocktsm.intel_collateral import DATE, level, module, platform_tcb, qe_identity, tcb_info
from lab.mocktsm.intel_pki import PckValues, pck_certificate
from lab.mocktsm.tdx_quote import pck_chain
from tests.attest.tdx.case import TdxCase, collated, quoted

TOO_HIGH = {"isvsvn": 250}


def reasons(case: TdxCase) -> list[Reason]:
    return [finding.reason for finding in case.refusal().findings]


@pytest.mark.parametrize("xfam", ["0000000000000000", "0100000000000000", "e502060000000000"])
def test_a_td_has_x87_and_sse(xfam: str) -> None:
    """Bits 0 and 1 of XFAM are always set: a quote without them is none of a TDX module."""
    assert reasons(quoted(body={"xfam": bytes.fromhex(xfam)})) == [Reason.XFAM_NOT_ACCEPTED]


def test_what_is_not_rated_at_all_has_no_date_either() -> None:
    """No part has a level: each is said to have none, and no date is too old."""
    tcb = tcb_info(
        tcbLevels=[level("UpToDate", DATE, platform_tcb(b"\xff" * 16, b"\xff" * 16, 250))],
        tdxModuleIdentities=[module("TDX_01", level("UpToDate", DATE, TOO_HIGH))],
    )
    case = collated(tcb=tcb, qe=qe_identity(tcbLevels=[level("UpToDate", DATE, TOO_HIGH)]))
    wanted = {Reason.QE_NOT_SUPPORTED, Reason.MODULE_NOT_SUPPORTED, Reason.TCB_NOT_SUPPORTED}
    assert set(reasons(case)) == wanted


def notices(case: TdxCase) -> list[Notice]:
    return [note.notice for note in case.verify().notes]


def test_what_is_not_up_to_date_is_noted_where_a_policy_accepts_it() -> None:
    case = quoted(qe={"isvsvn": 3}).under(
        statuses=frozenset({TcbStatus.OUT_OF_DATE}), advisories=frozenset({"INTEL-SA-00003"})
    )
    assert notices(case) == [Notice.TCB_NOT_UP_TO_DATE]


@pytest.mark.parametrize("body_type", [2, 3])
def test_a_good_td_is_accepted_without_a_note(body_type: int) -> None:
    assert notices(quoted(body_type=body_type)) == []


def test_a_listed_platform_is_accepted() -> None:
    ours = PckValues().ppid
    quoted().under(ppids=frozenset({ours})).verify()
    quoted().under(ppids=frozenset({bytes(16), ours})).verify()


def test_the_ppid_is_the_one_that_intel_certified() -> None:
    """Another platform's quote, all of it genuine, is that platform's."""
    other = replace(PckValues(), ppid=b"\x01" * 16)
    case = quoted(chain=pck_chain(pck_certificate(other)))
    assert reasons(case.under(ppids=frozenset({PckValues().ppid}))) == [Reason.PLATFORM_NOT_LISTED]
    case.under(ppids=frozenset({other.ppid})).verify()
