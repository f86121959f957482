# SPDX-License-Identifier: Apache-2.0
"""Chains: who may issue, over the exact bytes, at the given time, and what a CRL revokes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from attest import Reason, Refused, Roots, SnpEndorsements
from attest.snp.certificate import parse_vek
from attest.snp.chain import verify_chain
from attest.snp.key_kind import KeyKind
from attest.snp.product import ProductLine
from attest.snp.roots import PSS_LONG, PSS_SHORT
from attest.x509 import Crl, parse_crl
from lab.mocktsm import MockSnp, mock_roots
from lab.mocktsm.pki import VCEK_LIFE, crl
from tests.attest.breaks import FRESH, MILAN
from tests.attest.case import NOW, Case, good

SECOND = timedelta(seconds=1)


def reasons(case: Case) -> list[Reason]:
    return [finding.reason for finding in case.refusal().findings]


@pytest.mark.parametrize("algorithm", [PSS_SHORT, PSS_LONG])
def test_both_encodings_of_the_parameters_are_taken(algorithm: bytes) -> None:
    assert good(vek={"algorithm": algorithm}).verify().product_line == "Milan"


@pytest.mark.parametrize(
    "algorithm",
    [
        PSS_SHORT.replace(b"\x02\x01\x30", b"\x02\x01\x20"),  # another salt length
        PSS_SHORT.replace(b"\x04\x02\x02\x05", b"\x04\x02\x01\x05"),  # SHA-256
        bytes.fromhex("300d06092a864886f70d01010c0500"),  # PKCS #1 v1.5 with SHA-384
    ],
)
def test_other_parameters_are_refused(algorithm: bytes) -> None:
    assert reasons(good(vek={"algorithm": algorithm})) == [Reason.VEK_SIGNATURE]


def test_the_two_algorithm_fields_must_agree() -> None:
    case = good(vek={"algorithm": PSS_LONG})
    endorsements = case.endorsements
    assert isinstance(endorsements, SnpEndorsements)
    outer = endorsements.vek.rfind(PSS_LONG)
    vek = bytearray(endorsements.vek)
    vek[outer + len(PSS_LONG) - 1] = 2
    assert reasons(case.endorsed(vek=bytes(vek))) == [Reason.MALFORMED_VEK]


def test_a_vlek_is_not_issued_by_the_ask() -> None:
    (root,) = mock_roots("Milan").amd
    case = replace(good(kind=KeyKind.VLEK), roots=Roots(amd=(replace(root, asvk=root.ask),)))
    assert reasons(case) == [Reason.UNKNOWN_ISSUER]


def test_a_root_without_asvk_vouches_for_no_vlek() -> None:
    (root,) = mock_roots("Milan").amd
    case = replace(good(kind=KeyKind.VLEK), roots=Roots(amd=(replace(root, asvk=None),)))
    assert reasons(case) == [Reason.UNKNOWN_ISSUER]


def test_the_root_of_another_line_does_not_vouch() -> None:
    case = replace(good(line="Genoa"), roots=mock_roots("Milan"))
    assert reasons(case) == [Reason.UNKNOWN_ISSUER]


def test_one_of_several_roots_is_enough() -> None:
    roots = Roots(amd=mock_roots("Genoa").amd + mock_roots("Milan").amd)
    assert replace(good(), roots=roots).verify().product_line == ProductLine.MILAN


def chain_reasons(now: datetime, revocations: Crl | None = None) -> list[Reason]:
    """What is found against the mock VCEK's chain at a time."""
    vek = parse_vek(MockSnp().certificate)
    try:
        verify_chain(vek, revocations, mock_roots("Milan").amd, require_crl=False, now=now)
    except Refused as refused:
        return [finding.reason for finding in refused.findings]
    return []


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        (VCEK_LIFE[0] - SECOND, [Reason.NOT_YET_VALID]),
        (VCEK_LIFE[0], []),
        (VCEK_LIFE[1], []),
        (VCEK_LIFE[1] + SECOND, [Reason.EXPIRED]),
    ],
)
def test_both_ends_of_a_certificates_life_are_within_it(
    now: datetime, wanted: list[Reason]
) -> None:
    assert chain_reasons(now) == wanted


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        (FRESH[0] - SECOND, [Reason.CRL_STALE]),
        (FRESH[0], []),
        (FRESH[1] - SECOND, []),
        (FRESH[1], [Reason.CRL_STALE]),
    ],
)
def test_a_crl_counts_until_the_next_one_is_due(now: datetime, wanted: list[Reason]) -> None:
    assert chain_reasons(now, parse_crl(crl(MILAN, life=FRESH))) == wanted


def test_a_certificate_and_its_issuer_can_both_be_too_old() -> None:
    case = replace(good(), now=NOW.replace(year=2046))
    assert reasons(case) == [Reason.EXPIRED, Reason.EXPIRED, Reason.EXPIRED]


@pytest.mark.parametrize("revoked", [(), (0x10101,), (0x20001, 7)])
def test_a_crl_that_revokes_others_changes_nothing(revoked: tuple[int, ...]) -> None:
    case = good().endorsed(crl=crl(MILAN, life=FRESH, revoked=revoked))
    assert case.snp(require_crl=True).verify().product_line == "Milan"


@pytest.mark.parametrize(
    ("kind", "serial"), [(KeyKind.VCEK, 0x10001), (KeyKind.VLEK, 0x10101), (KeyKind.VCEK, 0x10000)]
)
def test_a_revoked_authority_revokes_what_it_issued(kind: KeyKind, serial: int) -> None:
    case = good(kind=kind).endorsed(crl=crl(MILAN, life=FRESH, revoked=(serial,)))
    assert reasons(case) == [Reason.REVOKED]


def test_serial_number_zero_revokes_nothing() -> None:
    case = good().endorsed(crl=crl(MILAN, life=FRESH, revoked=(0,)))
    assert case.verify().product_line == "Milan"


def test_a_vek_with_a_serial_number_can_be_revoked() -> None:
    case = good(vek={"serial": 9}).endorsed(crl=crl(MILAN, life=FRESH, revoked=(9,)))
    assert reasons(case) == [Reason.REVOKED]


def test_the_crl_of_another_line_is_refused() -> None:
    case = good().endorsed(crl=crl(ProductLine.GENOA, life=FRESH))
    assert reasons(case) == [Reason.CRL_SIGNATURE]
