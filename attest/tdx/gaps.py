# SPDX-License-Identifier: Apache-2.0
"""What a policy for TDX may leave open, a row each. Debugging and a revoked platform never are."""

from __future__ import annotations

from collections.abc import Iterator

from attest.gaps import Gap, GapRule
from attest.tdx.policy import TdAttribute, TdxPolicy
from attest.tdx.tcb_info import TcbStatus

ABI = "Intel 348551"  # TDX module ABI specification
DCAP = "Intel TDX DCAP Quoting Library API"

RULES: tuple[GapRule[TdxPolicy], ...] = (
    GapRule(
        "tdx-status",
        "tdx.statuses",
        lambda p: bool(p.statuses - {TcbStatus.UP_TO_DATE}),
        "a platform is accepted whose updates or settings Intel finds wanting",
        (DCAP,),
    ),
    GapRule(
        "tdx-advisory",
        "tdx.advisories",
        lambda p: bool(p.advisories),
        "a platform is accepted to which a security advisory of Intel applies",
        (DCAP,),
    ),
    GapRule(
        "tdx-trailing-bytes",
        "tdx.trailing_bytes",
        lambda p: p.trailing_bytes,
        "bytes that nobody signed may follow the quote, so that it has more than one spelling",
        (DCAP,),
    ),
    GapRule(
        "tdx-migratable",
        "tdx.td_allows",
        lambda p: TdAttribute.MIGRATABLE in p.td_allows,
        "the TD may be moved to another platform, which nobody has verified",
        (ABI,),
    ),
    GapRule(
        "tdx-perfmon",
        "tdx.td_allows",
        lambda p: TdAttribute.PERFMON in p.td_allows,
        "the TD may use the processor's performance counters",
        (ABI,),
    ),
    GapRule(
        "tdx-sept-ve",
        "tdx.td_requires",
        lambda p: TdAttribute.SEPT_VE_DISABLE not in p.td_requires,
        "the host may take a page away and so raise an exception inside the TD at any access",
        (ABI,),
    ),
)


def tdx_gaps(policy: TdxPolicy) -> Iterator[Gap]:
    """What the policy leaves open, in the order of the table."""
    return (rule.gap for rule in RULES if rule.is_open(policy))
