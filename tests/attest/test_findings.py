# SPDX-License-Identifier: Apache-2.0
"""Findings: never none, always with data."""

from __future__ import annotations

import pytest

from attest import AttestError, Finding, FormatError, Reason, Refused, Stage
from attest.findings import Outcome, conclude


def test_a_refusal_has_a_finding() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Refused(Stage.RULES, [])


def test_a_refusal_says_what_was_wanted_and_what_came() -> None:
    finding = Finding(Reason.DEBUG_ALLOWED, "debugging not allowed", "0xb0000")
    refused = Refused(Stage.RULES, [finding])
    assert str(refused) == "rules: debug-allowed: wanted debugging not allowed, got 0xb0000"
    assert (refused.stage, refused.findings) == (Stage.RULES, (finding,))
    assert isinstance(refused, AttestError)


def test_a_format_error_says_where() -> None:
    assert str(FormatError("report", 16, "too short")) == "report: too short at byte 0x10"
    assert str(FormatError("policy.snp", None, "missing")) == "policy.snp: missing"


def test_a_stage_without_findings_goes_on() -> None:
    assert conclude(Stage.RULES, Outcome((), None, ())) == (Outcome((), None, ()),)
