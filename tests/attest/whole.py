# SPDX-License-Identifier: Apache-2.0
"""All that verifying one mock guest takes, as a document that a fresh interpreter can read."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

from attest import Evidence, SnpEndorsements, write_evidence
from attest.evidence import Endorsements, TdxEndorsements
from attest.roots import write_roots
from attest.statement import Platform, report_data, write_statement
from lab.mocktsm import MockSnp, MockTdx, mock_policy_mapping, roots_of
from lab.mocktsm.intel_pki import LIST_LIFE
from tests.attest.case import CONFIGURATION, MODEL, PROMPTS, STATEMENT

NOW = LIST_LIFE[0] + timedelta(minutes=2)
BEGIN = int(NOW.timestamp()) - 60


def whole(platform: Platform) -> dict[str, Any]:
    """The evidence object in base64, the policy and the roots of a trust file, and the time."""
    mock = MockSnp() if platform is Platform.SEV_SNP else MockTdx()
    statement = write_statement(
        replace(STATEMENT, platform=platform, not_before=BEGIN, not_after=BEGIN + 1800)
    )
    endorsements: Endorsements
    if isinstance(mock, MockSnp):
        report = mock.report(report_data(statement))
        endorsements = SnpEndorsements(vek=mock.certificate, crl=None)
    else:
        report = mock.quote(report_data(statement))
        endorsements = TdxEndorsements(collateral=mock.collateral(LIST_LIFE))
    evidence = Evidence(platform=platform, statement=statement, report=report)
    return {
        "evidence": base64.b64encode(write_evidence(evidence, endorsements)).decode("ascii"),
        "policy": mock_policy_mapping(
            platform=mock,
            model=MODEL,
            prompts=PROMPTS,
            configuration=CONFIGURATION,
            max_life_s=1800,
        ),
        "roots": write_roots(roots_of(mock)),
        "now": NOW.isoformat(),
    }
