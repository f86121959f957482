# SPDX-License-Identifier: Apache-2.0
"""Every single-bit change of a whole evidence object is refused, whatever it hits.

The object is the mock platform's, with the endorsements stapled to it. A change may break the
format, a certificate, a signature, the statement's binding; none may go unnoticed.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from attest import parse_evidence, write_evidence
from tests.attest.bits import ALL, undetected
from tests.attest.case import good

DEPTHS = [
    pytest.param(29, range(0, 8, 5), id="quick"),
    pytest.param(1, ALL, id="whole", marks=[pytest.mark.sweep, pytest.mark.timeout(3600)]),
]


@pytest.mark.parametrize(("step", "bits"), DEPTHS)
def test_no_bit_of_an_evidence_object_can_change(step: int, bits: range) -> None:
    case = good()
    data = write_evidence(case.evidence, case.endorsements)

    def verify(changed: bytes) -> object:
        evidence, endorsements = parse_evidence(changed)
        return replace(case, evidence=evidence, endorsements=endorsements).verify()

    verify(data)
    assert undetected(data, verify, step=step, bits=bits) == []


def test_no_bit_of_a_statement_can_change() -> None:
    case = good()

    def verify(changed: bytes) -> object:
        return replace(case, evidence=replace(case.evidence, statement=changed)).verify()

    verify(case.evidence.statement)
    assert undetected(case.evidence.statement, verify, bits=range(2, 3)) == []
