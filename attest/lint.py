# SPDX-License-Identifier: Apache-2.0
"""Linting a policy: every gap of it, those of the platforms it has and those of the statement."""

from __future__ import annotations

from attest.gaps import Gap, GapRule
from attest.policy import Policy, StatementPolicy
from attest.snp.gaps import snp_gaps
from attest.snp.policy import SnpPolicy
from attest.statement import Variant
from attest.tdx.gaps import tdx_gaps
from attest.tdx.policy import TdxPolicy

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
    GapRule(
        "lacking",
        "statement.lacking",
        lambda p: bool(p.lacking),
        "a guest is accepted that says itself that isolation or a setting of its kernel is missing",
        (),
    ),
)


def lint(policy: Policy) -> tuple[Gap, ...]:
    """Everything that the policy leaves open, in the order of the tables."""
    statement = (rule.gap for rule in STATEMENT_RULES if rule.is_open(policy.statement))
    return (*platform_gaps(policy.snp, policy.tdx), *statement)


def platform_gaps(snp: SnpPolicy | None, tdx: TdxPolicy | None) -> tuple[Gap, ...]:
    """What the parts for the platforms leave open; a part that is None refuses and has no gap."""
    of_snp = () if snp is None else snp_gaps(snp)
    of_tdx = () if tdx is None else tdx_gaps(tdx)
    return (*of_snp, *of_tdx)
