# SPDX-License-Identifier: Apache-2.0
"""Linting a policy: every gap of it, the platform's (`attest.snp.gaps`) and the statement's."""

from __future__ import annotations

from attest.gaps import Gap, GapRule
from attest.policy import Policy, StatementPolicy
from attest.snp.gaps import snp_gaps
from attest.statement import Variant

KEY_LIFE_S = 3600

STATEMENT_RULES: tuple[GapRule[StatementPolicy], ...] = (
    GapRule(
        "not-production",
        "statement.variants",
        lambda p: bool(p.variants - {Variant.PRODUCTION}),
        "an image whose operator can look into it, or a mock, is accepted",
        (),
    ),
    GapRule(
        "key-life",
        "statement.life_s",
        lambda p: p.life_s > KEY_LIFE_S,
        f"keys may live longer than {KEY_LIFE_S} s, so that a stolen one is of use for longer",
        (),
    ),
)


def lint(policy: Policy) -> tuple[Gap, ...]:
    """Everything that the policy leaves open, in the order of the tables."""
    statement = (rule.gap for rule in STATEMENT_RULES if rule.is_open(policy.statement))
    return (*snp_gaps(policy.snp), *statement)
