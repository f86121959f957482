# SPDX-License-Identifier: Apache-2.0
"""The rules that bind a statement to a report, and those for the statement itself.

A row is a predicate over the policy and the claims, as in `attest.snp.rules`. The statement's rules
mean something only once the report is found to vouch for its exact bytes.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import NamedTuple

from attest.findings import Reason, Rule, any_hex, words
from attest.policy import StatementPolicy
from attest.statement import Platform, Statement


class Told(NamedTuple):
    """A statement that a report vouches for, and the time at which it is judged."""

    statement: Statement
    now_s: int


class Bound(NamedTuple):
    """What binds a statement to a report: 64 bytes, and the platform that both name."""

    digest: bytes
    report_data: bytes
    told: Platform
    platform: Platform


BINDING_RULES: tuple[Rule[None, Bound], ...] = (
    Rule(
        "S18",
        Reason.REPORT_DATA_MISMATCH,
        lambda p, c: compare_digest(c.report_data, c.digest),
        lambda p, c: f"SHA-512 of the statement, {c.digest.hex()}",
        lambda c: c.report_data.hex(),
    ),
    Rule(
        "B1",
        Reason.PLATFORM_MISMATCH,
        lambda p, c: c.told is c.platform,
        lambda p, c: c.platform,
        lambda c: c.told,
    ),
)

STATEMENT_RULES: tuple[Rule[StatementPolicy, Told], ...] = (
    Rule(
        "B2",
        Reason.WRONG_PRODUCT,
        lambda p, c: c.statement.product in p.products,
        lambda p, c: " or ".join(sorted(p.products)),
        lambda c: c.statement.product,
    ),
    Rule(
        "B3",
        Reason.VARIANT_NOT_ACCEPTED,
        lambda p, c: c.statement.variant in p.variants,
        lambda p, c: " or ".join(sorted(p.variants)),
        lambda c: c.statement.variant,
    ),
    Rule(
        "B4",
        Reason.STATEMENT_NOT_YET_VALID,
        lambda p, c: c.statement.not_before <= c.now_s,
        lambda p, c: f"not before {c.statement.not_before}",
        lambda c: str(c.now_s),
    ),
    Rule(
        "B4",
        Reason.STATEMENT_EXPIRED,
        lambda p, c: c.now_s < c.statement.not_after,
        lambda p, c: f"before {c.statement.not_after}",
        lambda c: str(c.now_s),
    ),
    Rule(
        "B5",
        Reason.STATEMENT_LIFE_TOO_LONG,
        lambda p, c: c.statement.not_after - c.statement.not_before <= p.life_s,
        lambda p, c: f"at most {p.life_s} s",
        lambda c: f"{c.statement.not_after - c.statement.not_before} s",
    ),
    Rule(
        "B6",
        Reason.UNKNOWN_MODEL,
        lambda p, c: c.statement.model in p.models,
        lambda p, c: any_hex(p.models),
        lambda c: c.statement.model.hex(),
    ),
    Rule(
        "B6",
        Reason.UNKNOWN_PROMPTS,
        lambda p, c: c.statement.prompts in p.prompts,
        lambda p, c: any_hex(p.prompts),
        lambda c: c.statement.prompts.hex(),
    ),
    Rule(
        "B6",
        Reason.UNKNOWN_CONFIGURATION,
        lambda p, c: c.statement.configuration in p.configurations,
        lambda p, c: any_hex(p.configurations),
        lambda c: c.statement.configuration.hex(),
    ),
    Rule(
        "B7",
        Reason.LACKING_NOT_ACCEPTED,
        lambda p, c: p.lacking.issuperset(c.statement.lacking),
        lambda p, c: words(p.lacking),
        lambda c: words(frozenset(c.statement.lacking)),
    ),
)
