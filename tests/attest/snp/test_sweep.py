# SPDX-License-Identifier: Apache-2.0
"""Every single-bit change of real evidence is refused: the report, its certificate, a CRL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from attest import Refused, SnpEndorsements, amd_roots
from attest.snp.verify import verify_report
from attest.x509 import parse_crl
from tests.attest.snp.evidence import fitting_policy, load, samples

ACCEPTED = {sample.name: sample for sample in samples() if sample.expected["verdict"] == "valid"}
# One for each line and version; a VLEK's report is left out, because its VMPL refuses it anyway.
LINES = ["milan-virtee", "milan-ms-tav", "genoa-ms-tav", "turin-ms-tav"]


def accepted(verify: Callable[[bytes], object], data: bytes) -> bool:
    try:
        verify(data)
    except Refused:
        return False
    return True


def undetected(data: bytes, verify: Callable[[bytes], object], bits: range) -> list[str]:
    """Bits of ``data`` whose change goes unnoticed."""
    found: list[str] = []
    for offset, byte in enumerate(data):
        for bit in bits:
            changed = data[:offset] + bytes([byte ^ 1 << bit]) + data[offset + 1 :]
            if accepted(verify, changed):
                found.append(f"byte 0x{offset:x} bit {bit}")
    return found


def sweep_report(name: str, bits: range) -> list[str]:
    sample, policy = ACCEPTED[name], fitting_policy(ACCEPTED[name])
    return undetected(
        sample.report,
        lambda changed: verify_report(
            changed, sample.endorsements, policy, roots=amd_roots().amd, now=sample.now
        ),
        bits,
    )


def sweep_certificate(name: str, bits: range) -> list[str]:
    sample, policy = ACCEPTED[name], fitting_policy(ACCEPTED[name])
    return undetected(
        sample.endorsements.vek,
        lambda changed: verify_report(
            sample.report,
            SnpEndorsements(vek=changed, crl=None),
            policy,
            roots=amd_roots().amd,
            now=sample.now,
        ),
        bits,
    )


def test_no_byte_of_a_report_can_change() -> None:
    assert sweep_report("turin-ms-tav", range(3, 4)) == []


def test_no_byte_of_a_certificate_can_change() -> None:
    assert sweep_certificate("turin-ms-tav", range(3, 4)) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", LINES)
def test_no_bit_of_a_report_can_change(name: str) -> None:
    assert sweep_report(name, range(8)) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", LINES)
def test_no_bit_of_a_certificate_can_change(name: str) -> None:
    assert sweep_certificate(name, range(8)) == []


@pytest.mark.slow
def test_no_bit_of_a_crl_can_change() -> None:
    sample, crl = ACCEPTED["milan-virtee"], load("crl/milan.der")
    policy = replace(fitting_policy(sample), require_crl=True)
    now = parse_crl(crl).this_update + timedelta(days=1)
    assert (
        undetected(
            crl,
            lambda changed: verify_report(
                sample.report,
                replace(sample.endorsements, crl=changed),
                policy,
                roots=amd_roots().amd,
                now=now,
            ),
            range(8),
        )
        == []
    )
