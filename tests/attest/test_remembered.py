# SPDX-License-Identifier: Apache-2.0
"""What is remembered changes no verdict: each thing that may differ is looked at again.

Every case is verified first, so that all that can be remembered is. Then one thing is changed, and
the reason must be the one that it would have been the first time.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

import attest
from attest import FormatError, Reason, Refused, Roots
from attest.findings import Stage
from attest.remembered import REMEMBERED, forget
from attest.roots import intel_roots
from attest.snp.product import ProductLine
from attest.snp.roots import Authority, verify_pss
from attest.tdx.quote import parse_quote
from attest.tdx.roots import Role, load_intel_root, parse_holder, verify_p256
from attest.x509 import parse_crl
from lab.mocktsm.intel_pki import (
    OTHER_ROOT,
    PCK,
    PLATFORM_CA,
    ROOT,
    crl,
    pck_certificate,
    root_certificate,
)
from lab.mocktsm.pki import VCEK_LIFE
from lab.mocktsm.pki import crl as amd_crl
from tests.attest.case import Case, good
from tests.attest.tdx.breaks import flip
from tests.attest.tdx.case import NOW, TdxCase, collated

MILAN = ProductLine.MILAN
DAY = timedelta(days=1)
A_MONTH = NOW - DAY, NOW + 30 * DAY
CHAIN, STALE = Stage.CHAIN, Reason.CRL_STALE

# Remembered too, and not of evidence: constants of the specifications, layouts, policies, roots.
OF_OTHER_THINGS = {
    "attest.closed._hints",
    "attest.der.dotted",
    "attest.layout._cells",
    "attest.layout._reading",
    "attest.policy.policy_digest",
    "attest.roots.amd_roots",
    "attest.roots.intel_roots",
    "attest.roots.pinned_roots",
    "attest.snp.policy._floor",
}


def with_list(*revoked: int, **changes: Any) -> Case:
    """A case with a CRL, which the policy wants."""
    data = amd_crl(MILAN, revoked=revoked, **changes)
    return good().endorsed(crl=data).snp(require_crl=True)


def other_key(case: Case) -> Case:
    """The same names, but the ASK has the ASVK's key."""
    (root,) = case.roots.amd
    if root.asvk is None:
        raise TypeError("wanted a root with an ASVK")
    certificate = replace(root.ask.certificate, spki=root.asvk.certificate.spki)
    ask = Authority(certificate, root.asvk.key)
    return replace(case, roots=Roots(amd=(replace(root, ask=ask),)))


def changed_report(case: Case, offset: int) -> Case:
    return replace(case, evidence=replace(case.evidence, report=flip(case.evidence.report, offset)))


def reasons(case: Case) -> tuple[Stage, list[Reason]]:
    refused = case.refusal()
    return refused.stage, [finding.reason for finding in refused.findings]


SNP_CHANGES: dict[str, tuple[Callable[[], Case], Stage, Reason]] = {
    "root": (lambda: other_key(good()), Stage.CHAIN, Reason.VEK_SIGNATURE),
    "clock": (lambda: replace(good(), now=VCEK_LIFE[1] + DAY), Stage.CHAIN, Reason.EXPIRED),
    "clock before": (
        lambda: replace(good(), now=VCEK_LIFE[0] - DAY),
        Stage.CHAIN,
        Reason.NOT_YET_VALID,
    ),
    "no CRL": (lambda: good().snp(require_crl=True), Stage.CHAIN, Reason.CRL_REQUIRED),
    "CRL": (lambda: with_list(0x10001), Stage.CHAIN, Reason.REVOKED),
    "CRL of another key": (
        lambda: good().endorsed(crl=flip(amd_crl(MILAN), len(amd_crl(MILAN)) - 1)),
        Stage.CHAIN,
        Reason.CRL_SIGNATURE,
    ),
    "CRL's clock": (lambda: replace(with_list(life=A_MONTH), now=NOW + 31 * DAY), CHAIN, STALE),
    "report": (
        lambda: changed_report(good(), 0x50),
        Stage.SIGNATURE,
        Reason.REPORT_SIGNATURE,
    ),
}


@pytest.mark.parametrize("name", SNP_CHANGES)
def test_a_changed_part_of_snp_evidence_is_seen(name: str) -> None:
    change, stage, reason = SNP_CHANGES[name]
    for _ in range(2):
        good().verify()
        with_list(life=A_MONTH).verify()
        assert reasons(change()) == (stage, [reason])


def quote_with(offset: int) -> TdxCase:
    """A good quote with one bit changed."""
    case = TdxCase()
    return replace(case, quote=flip(case.quote, offset))


SIGNED_BYTES = len(parse_quote(TdxCase().quote).signed)
QE_REPORT = SIGNED_BYTES + 4 + 134

TDX_CHANGES: dict[str, tuple[Callable[[], TdxCase], Stage, list[Reason]]] = {
    "root": (
        lambda: TdxCase(roots=(load_intel_root(root_certificate(OTHER_ROOT)),)),
        Stage.CHAIN,
        [Reason.UNKNOWN_ISSUER],
    ),
    "clock": (
        lambda: TdxCase(now=NOW + 400 * DAY),
        Stage.CHAIN,
        [Reason.CRL_STALE, Reason.COLLATERAL_EXPIRED],
    ),
    "clock before": (
        lambda: TdxCase(now=NOW - 60 * DAY),
        Stage.CHAIN,
        [Reason.CRL_STALE, Reason.COLLATERAL_NOT_YET_ISSUED],
    ),
    "PCK CRL": (
        lambda: collated(pck_crl=crl(PLATFORM_CA, revoked=(PCK.serial,)).hex()),
        Stage.CHAIN,
        [Reason.REVOKED],
    ),
    "root CRL": (
        lambda: collated(root_ca_crl=crl(ROOT, revoked=(PLATFORM_CA.serial,)).hex()),
        Stage.CHAIN,
        [Reason.REVOKED],
    ),
    "CRL of another key": (
        lambda: collated(root_ca_crl=crl(OTHER_ROOT).hex()),
        Stage.CHAIN,
        [Reason.ROOT_CRL_SIGNATURE],
    ),
    "QE report": (
        lambda: quote_with(QE_REPORT + 0x40),
        Stage.SIGNATURE,
        [Reason.QE_REPORT_SIGNATURE],
    ),
    "authentication data": (
        lambda: quote_with(QE_REPORT + 384 + 64 + 2),
        Stage.SIGNATURE,
        [Reason.ATTESTATION_KEY_UNBOUND],
    ),
    "quote": (lambda: quote_with(0x1C), Stage.SIGNATURE, [Reason.QUOTE_SIGNATURE]),
}


@pytest.mark.parametrize("name", TDX_CHANGES)
def test_a_changed_part_of_tdx_evidence_is_seen(name: str) -> None:
    change, stage, wanted = TDX_CHANGES[name]
    for _ in range(2):
        TdxCase().verify()
        with pytest.raises(Refused) as caught:
            change().verify()
        assert caught.value.stage is stage
        assert [finding.reason for finding in caught.value.findings] == wanted


def test_a_certificate_is_read_for_each_role_by_itself() -> None:
    der = pck_certificate()
    parse_holder(der, Role.END, "test")
    with pytest.raises(FormatError, match="its role"):
        parse_holder(der, Role.PCK_CA, "test")


def test_what_does_not_hold_is_not_remembered() -> None:
    root = intel_roots().intel[0].holder.certificate
    forget()
    with pytest.raises(Refused):
        other_key(good()).verify()
    assert verify_pss.cache_info().currsize == 0
    with pytest.raises(InvalidSignature):
        verify_p256(root.spki, b"\x30\x00", b"")
    assert verify_p256.cache_info().currsize == 0
    for _ in range(2):
        with pytest.raises(FormatError):
            parse_crl(b"\x30\x00")
    assert parse_crl.cache_info().currsize == 0


def test_it_can_all_be_forgotten() -> None:
    good().verify()
    TdxCase().verify()
    assert any(function.cache_info().currsize for function in REMEMBERED)
    forget()
    assert not any(function.cache_info().currsize for function in REMEMBERED)


def caches() -> Iterator[tuple[str, Any]]:
    """Every function of `attest` that remembers, by its name."""
    for module in pkgutil.walk_packages(attest.__path__, "attest."):
        for value in vars(importlib.import_module(module.name)).values():
            if hasattr(value, "cache_info"):
                yield f"{value.__module__}.{value.__name__}", value


def test_nothing_else_is_remembered_and_all_of_it_is_bounded() -> None:
    found = dict(caches())
    of_evidence = {f"{f.__module__}.{f.__name__}" for f in REMEMBERED}
    assert set(found) - OF_OTHER_THINGS == of_evidence
    assert of_evidence <= {name for name, f in found.items() if f.cache_info().maxsize}
