# SPDX-License-Identifier: Apache-2.0
"""What a policy for TDX may leave open, a row each. Debugging and a revoked platform never are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from attest.gaps import Gap, GapRule
from attest.tdx.policy import TdAttribute, TdxPolicy
from attest.tdx.status import TcbStatus

ABI = "Intel 348551"  # TDX module ABI specification
DCAP = "Intel TDX DCAP Quoting Library API"
LINUX = "Linux, arch/x86/coco/tdx/tdx.c"
TDVF = "Intel TDX Virtual Firmware Design Guide"
BADAML = "BadAML, CCS 2025"
MIGRATION = ("CVE-2025-30513", "INTEL-TA-01397")

# The last of Intel's TCB recoveries whose documents are in tests/vectors/tdx-evidence: its number,
# the date of its levels, and the advisories that they give for the level before it.
RECOVERY = 18
RECOVERY_DATE = datetime(2024, 11, 13, tzinfo=UTC)
RECOVERED = (
    "CVE-2024-27457",
    *("INTEL-SA-01036", "INTEL-SA-01079", "INTEL-SA-01099", "INTEL-SA-01103", "INTEL-SA-01111"),
)

_NOTHING = bytes(48)

RULES: tuple[GapRule[TdxPolicy], ...] = (
    GapRule(
        "tdx-any-platform",
        "tdx.ppids",
        lambda p: p.ppids is None,
        "any platform of Intel's is trusted, also one whose owner reads its memory's bus or took a "
        "key from it: WireTap, TEE.fail",
        ("TOB-WAPI-10",),
    ),
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
        "tdx-stale-evaluation",
        "tdx.evaluation",
        lambda p: p.evaluation < RECOVERY,
        f"collateral older than Intel's recovery {RECOVERY} calls a platform UpToDate that is open "
        "to TDXdown and whatever else that recovery closed",
        RECOVERED,
    ),
    GapRule(
        "tdx-stale-tcb",
        "tdx.tcb_date",
        lambda p: p.tcb_date < RECOVERY_DATE,
        f"a level older than Intel's recovery of {RECOVERY_DATE:%Y-%m-%d} is accepted where its "
        "status is",
        RECOVERED,
    ),
    GapRule(
        "tdx-body-1.0",
        "tdx.body_types",
        lambda p: 2 in p.body_types,
        "a TD report of TDX 1.0 tells neither which service TDs act on the TD nor which TDX module "
        "runs now",
        (ABI,),
    ),
    GapRule(
        "tdx-body-extended",
        "tdx.body_types",
        lambda p: 4 in p.body_types,
        "a TD may have begun on another platform, which nobody has verified",
        (ABI, *MIGRATION),
    ),
    GapRule(
        "tdx-service-td",
        "tdx.service_tds",
        lambda p: bool(p.service_tds - {_NOTHING}),
        "a service TD may act on the TD from outside, and is as trusted as it",
        (ABI, *MIGRATION),
    ),
    GapRule(
        "tdx-devices",
        "tdx.devices",
        lambda p: bool(p.devices - {_NOTHING}),
        "devices may read and write the TD's memory",
        (ABI,),
    ),
    GapRule(
        "tdx-trailing-bytes",
        "tdx.trailing_bytes",
        lambda p: p.trailing_bytes,
        "bytes that nobody signed may follow the quote, so that it has more than one spelling",
        (DCAP,),
    ),
    GapRule(
        "tdx-rtmr0",
        "tdx.images",
        lambda p: any(image.rtmr0 is None for image in p.images),
        "the host's ACPI tables, its memory map and the firmware's settings may be any: only an "
        "image that runs none of the host's bytecode bears that",
        (TDVF, BADAML),
    ),
    GapRule(
        "tdx-migratable",
        "tdx.td_allows",
        lambda p: TdAttribute.MIGRATABLE in p.td_allows | p.td_requires,
        "the TD may be moved to another platform, which nobody has verified, and older modules let "
        "it become debuggable on the way",
        (ABI, *MIGRATION),
    ),
    GapRule(
        "tdx-perfmon",
        "tdx.td_allows",
        lambda p: TdAttribute.PERFMON in p.td_allows | p.td_requires,
        "the TD may use the processor's performance counters",
        (ABI,),
    ),
    GapRule(
        "tdx-sept-ve",
        "tdx.td_requires",
        lambda p: TdAttribute.SEPT_VE_DISABLE not in p.td_requires,
        "the host may take a page away and so raise an exception inside the TD at any access",
        (ABI, LINUX),
    ),
)


def tdx_gaps(policy: TdxPolicy) -> Iterator[Gap]:
    """What the policy leaves open, in the order of the table."""
    return (rule.gap for rule in RULES if rule.is_open(policy))
