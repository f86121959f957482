# SPDX-License-Identifier: Apache-2.0
"""Genuine forms that no item of the real evidence has: each must be accepted like the usual one."""

from __future__ import annotations

import pytest

from attest import Reason, Stage
from attest.snp.certificate import STRUCT_VERSION
from attest.snp.key_kind import KeyKind
from attest.snp.roots import PSS_LONG, PSS_SHORT
from lab.mocktsm.der import extension, integer
from tests.attest.case import good

# Line, family, model and stepping, and the product's name in the certificate (AMD 57230, 56860).
PROCESSORS = {
    "Milan-X": ("Milan", 0x19, 0x01, 2, "Milan-B2"),
    "Genoa-X": ("Genoa", 0x19, 0x11, 2, "Genoa-B2"),
    "Bergamo": ("Genoa", 0x19, 0xA0, 2, "Bergamo-A2"),
    "Siena": ("Genoa", 0x19, 0xA0, 1, "Siena"),
    "Turin": ("Turin", 0x1A, 0x02, 1, "Turin-C1"),
    "Turin Dense": ("Turin", 0x1A, 0x11, 0, "Turin"),
}


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("version", [3, 4, 5])
def test_every_processor_of_a_line_is_accepted(name: str, version: int) -> None:
    line, family, model, stepping, product = PROCESSORS[name]
    case = good(
        line=line,
        version=version,
        report={"cpuid_family": family, "cpuid_model": model, "cpuid_stepping": stepping},
        vek={"product_name": product},
    )
    assert case.verify().product_line == line


@pytest.mark.parametrize("kind", list(KeyKind))
@pytest.mark.parametrize("algorithm", [PSS_SHORT, PSS_LONG])
def test_both_encodings_of_the_signature_algorithm_are_accepted(
    kind: KeyKind, algorithm: bytes
) -> None:
    assert good(kind=kind, vek={"algorithm": algorithm}).verify().product_line == "Milan"


@pytest.mark.parametrize(
    "report",
    [
        {"platform_info": 0x65},
        {"platform_info": 0x25 | 1 << 40},
        {"policy": 0x3001F},
        {"guest_svn": 2, "vmpl": 0},
        {"current_build": 40, "current_minor": 56},
    ],
)
def test_what_a_policy_does_not_ask_for_may_differ(report: dict[str, int | bytes]) -> None:
    assert good(report=report).verify().product_line == "Milan"


def test_a_cloud_reports_less_than_it_committed_to_and_that_less_than_it_runs() -> None:
    """As AWS does: reported d9, committed and launch db, current dc."""
    before, committed, current = (
        bytes([4, 0, 0, 0, 0, 0, 0x18, microcode]) for microcode in (0xDB, 0xDC, 0xDD)
    )
    case = good(
        report={
            "reported_tcb": before,
            "committed_tcb": committed,
            "launch_tcb": committed,
            "current_tcb": current,
        }
    )
    assert [note.notice for note in case.verify().notes][:1] == ["provisional-firmware"]


def test_a_certificate_of_a_later_product_is_unsupported_and_not_malformed() -> None:
    """Venice's has a structVersion that is not known, and a TCB of another layout."""
    later = {"drop": STRUCT_VERSION, "extra": extension(STRUCT_VERSION, integer(2))}
    refused = good(vek=later).refusal()
    assert refused.stage is Stage.FORMAT
    assert [finding.reason for finding in refused.findings] == [Reason.UNSUPPORTED_PRODUCT]
