# SPDX-License-Identifier: Apache-2.0
"""Every single-bit change of real SEV-SNP evidence is refused, and of what it is verified with.

A report of each line and version, its certificate, the authorities of a caller's own root, AMD's
CRL, and Azure's HCL report. The quick tests change one bit of every fifth byte, the slow ones every
bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from attest import SnpEndorsements, amd_roots
from attest.azure import parse_hcl, verify_hcl
from attest.snp.policy import SnpPolicy
from attest.snp.report import parse_report
from attest.snp.roots import load_root
from attest.snp.verify import verify_report
from attest.x509 import parse_crl
from tests.attest import test_azure
from tests.attest.bits import ALL, undetected
from tests.attest.snp.evidence import Sample, fitting_policy, load, samples

SAMPLES = {sample.name: sample for sample in samples()}
# One for each line, version and kind of key. The VLEK's report was asked for at VMPL 1.
LINES = ["milan-virtee", "milan-ms-tav", "milan-vlek-trustee", "genoa-ms-tav", "turin-ms-tav"]
DEPTHS = [
    pytest.param(5, range(3, 4), id="quick"),
    pytest.param(1, ALL, id="whole", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
]
DEPTH = pytest.mark.parametrize(("step", "bits"), DEPTHS)
NAMES = pytest.mark.parametrize("name", LINES)


def policy_for(sample: Sample) -> SnpPolicy:
    vmpl = parse_report(sample.report).vmpl
    return replace(fitting_policy(sample), vmpls=frozenset({vmpl}))


def verifier(
    sample: Sample, policy: SnpPolicy, now: datetime
) -> Callable[[bytes, SnpEndorsements], object]:
    """Accepts the sample as it is, which is seen to first."""

    def verify(report: bytes, endorsements: SnpEndorsements) -> object:
        return verify_report(report, endorsements, policy, roots=amd_roots().amd, now=now)

    verify(sample.report, sample.endorsements)
    return verify


@DEPTH
@NAMES
def test_no_bit_of_a_report_can_change(name: str, step: int, bits: range) -> None:
    sample = SAMPLES[name]
    verify = verifier(sample, policy_for(sample), sample.now)
    found = undetected(
        sample.report, lambda data: verify(data, sample.endorsements), step=step, bits=bits
    )
    assert found == []


@DEPTH
@NAMES
def test_no_bit_of_a_certificate_can_change(name: str, step: int, bits: range) -> None:
    sample = SAMPLES[name]
    verify = verifier(sample, policy_for(sample), sample.now)
    found = undetected(
        sample.endorsements.vek,
        lambda data: verify(sample.report, SnpEndorsements(vek=data, crl=None)),
        step=step,
        bits=bits,
    )
    assert found == []


@DEPTH
def test_no_bit_of_a_crl_can_change(step: int, bits: range) -> None:
    sample, crl = SAMPLES["milan-virtee"], load("crl/milan.der")
    endorsed = replace(sample, endorsements=replace(sample.endorsements, crl=crl))
    now = parse_crl(crl).this_update + timedelta(days=1)
    verify = verifier(endorsed, replace(policy_for(sample), require_crl=True), now)
    found = undetected(
        crl,
        lambda data: verify(sample.report, replace(sample.endorsements, crl=data)),
        step=step,
        bits=bits,
    )
    assert found == []


@DEPTH
@pytest.mark.parametrize("part", ["ark", "ask", "asvk"])
def test_no_bit_of_an_authority_can_change(part: str, step: int, bits: range) -> None:
    root = amd_roots().amd[0]
    assert root.asvk is not None
    ders = {
        "ark": root.ark.certificate.der,
        "ask": root.ask.certificate.der,
        "asvk": root.asvk.certificate.der,
    }

    def load_changed(data: bytes) -> object:
        return load_root(root.line, **(ders | {part: data}))

    load_changed(ders[part])
    assert undetected(ders[part], load_changed, step=step, bits=bits) == []


@DEPTH
def test_no_bit_of_an_hcl_report_can_change(step: int, bits: range) -> None:
    data, vek = test_azure.load("milan-v3/hcl.bin"), test_azure.certificate("milan-v3")
    report = parse_hcl(data).report
    sample = replace(SAMPLES["milan-azure-trustee"], report=report)
    policy = fitting_policy(sample)

    def verify(changed: bytes) -> object:
        endorsements = SnpEndorsements(vek=vek, crl=None)
        return verify_hcl(changed, endorsements, policy, roots=amd_roots().amd, now=sample.now)

    verify(data)
    assert undetected(data, verify, step=step, bits=bits) == []
