# SPDX-License-Identifier: Apache-2.0
"""The first and the last moment of everything that is in force for a time (rules T3 to T5).

A certificate is valid at both ends of its life (RFC 5280 §4.1.2.5). A list or a document is in
force from its first moment on, and is replaced at its next update.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from attest import Reason
from lab.mocktsm.intel_collateral import dates, qe_identity, tcb_info
from lab.mocktsm.intel_pki import (
    OTHER_ROOT,
    PLATFORM_CA,
    ROOT,
    Signer,
    crl,
    pck_ca_certificate,
    pck_certificate,
    pem,
    root_certificate,
)
from lab.mocktsm.tdx_quote import pck_chain
from tests.attest.tdx.case import NOW, TdxCase, collated, quoted

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
FROM_NOW = NOW, NOW + DAY
UNTIL_NOW = NOW - DAY, NOW
Life = tuple[datetime, datetime]


def with_pck(life: Life) -> TdxCase:
    return quoted(chain=pck_chain(pck_certificate(life=life)))


def with_crl(signer: Signer, life: Life) -> TdxCase:
    member = "root_ca_crl" if signer is ROOT else "pck_crl"
    return collated(**{member: crl(signer, life=life).hex()})


def reasons(case: TdxCase) -> list[Reason]:
    return [finding.reason for finding in case.refusal().findings]


@pytest.mark.parametrize("life", [FROM_NOW, UNTIL_NOW])
def test_a_certificate_is_valid_at_both_ends_of_its_life(life: Life) -> None:
    assert with_pck(life).verify().expires <= life[1]


def test_a_certificate_is_not_valid_outside_its_life() -> None:
    assert reasons(with_pck((NOW + SECOND, NOW + DAY))) == [Reason.NOT_YET_VALID]
    assert reasons(with_pck((NOW - DAY, NOW - SECOND))) == [Reason.EXPIRED]


@pytest.mark.parametrize("signer", [ROOT, PLATFORM_CA])
def test_a_list_is_in_force_from_its_first_moment_until_its_next_update(signer: Signer) -> None:
    assert with_crl(signer, FROM_NOW).verify().expires == NOW + DAY
    assert reasons(with_crl(signer, (NOW + SECOND, NOW + DAY))) == [Reason.CRL_STALE]
    assert reasons(with_crl(signer, UNTIL_NOW)) == [Reason.CRL_STALE]


def with_tcb(life: Life) -> TdxCase:
    return collated(tcb=tcb_info(**dates(life)))


def with_qe(life: Life) -> TdxCase:
    return collated(qe=qe_identity(**dates(life)))


@pytest.mark.parametrize("make", [with_tcb, with_qe])
def test_a_document_is_in_force_from_its_issue_until_its_next_update(make: object) -> None:
    assert callable(make)
    assert make(FROM_NOW).verify().expires == NOW + DAY
    assert reasons(make((NOW + SECOND, NOW + DAY))) == [Reason.COLLATERAL_NOT_YET_ISSUED]
    assert reasons(make(UNTIL_NOW)) == [Reason.COLLATERAL_EXPIRED]


def test_the_issuer_of_the_pck_crl_is_vouched_for_by_the_root() -> None:
    """Another certificate of the PCK's CA, with its name and its key, but not from the root."""
    copied = pck_ca_certificate(signer=OTHER_ROOT)
    case = collated(pck_crl_issuer_chain=pem(copied, root_certificate()))
    assert reasons(case) == [Reason.PCK_CRL_ISSUER]
