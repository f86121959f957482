# SPDX-License-Identifier: Apache-2.0
"""What a policy for SEV-SNP may leave open, a row each, and what none of ours can.

Rows of advisories with a firmware floor come from `attest.snp.floors`, once for each line that the
policy accepts.
"""

from __future__ import annotations

from collections.abc import Iterator

from attest.gaps import Gap, GapRule
from attest.snp.floors import Floor, below, floors_of
from attest.snp.key_kind import KeyKind
from attest.snp.policy import (
    Permission,
    PlatformBit,
    ProductPolicy,
    Requirement,
    SnpPolicy,
    TcbFloor,
)
from attest.snp.product import ProductLine

ABI = "AMD 56860"
KDS = "AMD 57230"

# What every policy refuses, because the rule for it asks no policy.
CLOSED: tuple[tuple[str, str], ...] = (
    ("debugging", "S12"),
    ("migration, and a migration agent", "S12"),
    ("a report requested by the host", "S13"),
    ("a TCB that is not the key's", "S9"),
    ("a VCEK while the host masks the chip's key", "S2"),
)

RULES: tuple[GapRule[SnpPolicy], ...] = (
    GapRule(
        "alias-check",
        "snp.platform_has",
        lambda p: PlatformBit.ALIAS_CHECK not in p.platform_has,
        "memory modules may lie about their size: BadRAM (ALIAS_CHECK_COMPLETE is not demanded)",
        ("CVE-2024-21944", "AMD-SB-3015"),
    ),
    GapRule(
        "smt",
        "snp.guest_allows",
        lambda p: Permission.SMT in p.guest_allows,
        "a sibling thread of the host may share the guest's core: StackWarp, performance counters",
        ("CVE-2025-29943", "AMD-SB-3027"),
    ),
    GapRule(
        "ciphertext-hiding",
        "snp.guest_requires",
        lambda p: Requirement.CIPHERTEXT_HIDING not in p.guest_requires,
        "the host may read the guest's memory as ciphertext and watch it change: CipherLeaks",
        ("CVE-2020-12966", "AMD-SB-1013", "CVE-2021-46744", "AMD-SB-1033", "AMD-SB-3021"),
    ),
    GapRule(
        "page-swap",
        "snp.guest_requires",
        lambda p: Requirement.PAGE_SWAP_DISABLED not in p.guest_requires,
        "the host may move and swap the guest's pages, which gives a chosen plaintext: Heracles",
        ("AMD-SB-3021",),
    ),
    GapRule(
        "power-reading",
        "snp.guest_requires",
        lambda p: Requirement.RAPL_DISABLED not in p.guest_requires,
        "the host may read how much power the guest's work takes: PLATYPUS, PwrLeak",
        ("CVE-2020-12912", ABI),
    ),
    GapRule(
        "iommu",
        "snp.platform_has",
        lambda p: PlatformBit.IOMMU_WRITE_SAFE not in p.platform_has,
        "a device may write into the guest's memory by way of the IOMMU",
        ("CVE-2023-20585", "AMD-SB-3016"),
    ),
    GapRule(
        "cxl",
        "snp.guest_allows",
        lambda p: Permission.CXL in p.guest_allows,
        "the guest's memory may lie in a CXL device",
        (ABI,),
    ),
    GapRule(
        "milan",
        "snp.products",
        lambda p: p.product(ProductLine.MILAN) is not None,
        "software can read the seed of a Milan chip's VCEK, as a paper shows, and forge any report",
        ("arXiv:2605.12990",),
    ),
    GapRule(
        "report-version-2",
        "snp.versions",
        lambda p: 2 in p.versions,
        "the report does not say which processor it is from, so its key's issuer alone does",
        (ABI,),
    ),
    GapRule(
        "no-crl",
        "snp.require_crl",
        lambda p: not p.require_crl,
        "an intermediate that AMD has revoked, as one of Genoa's is, goes unnoticed",
        (KDS,),
    ),
    GapRule(
        "vlek",
        "snp.keys",
        lambda p: KeyKind.VLEK in p.keys,
        "the key is a cloud's and not a chip's: which machine it was cannot be told",
        (KDS,),
    ),
    GapRule(
        "masked-chip",
        "snp.masked_chip_id",
        lambda p: p.masked_chip_id,
        "the report may hide which chip it is from",
        (ABI,),
    ),
    GapRule(
        "any-chip",
        "snp.chips",
        lambda p: p.chips is None,
        "any chip of AMD's is trusted, also one whose owner reads its memory's bus or took its key "
        "from it: Battering RAM, TEE.fail",
        ("TOB-WAPI-10",),
    ),
    GapRule(
        "vmpl",
        "snp.vmpls",
        lambda p: bool(p.vmpls - {0}),
        "the report may come from a level that another one in the guest controls",
        (ABI,),
    ),
)


def snp_gaps(policy: SnpPolicy) -> Iterator[Gap]:
    """Everything that the policy leaves open, in the order of the tables."""
    yield from (rule.gap for rule in RULES if rule.is_open(policy))
    for product in policy.products:
        yield from _product_gaps(product, f"snp.products, {product.line}")


def _product_gaps(product: ProductPolicy, where: str) -> Iterator[Gap]:
    reported = product.reported_tcb.on(product.line)
    for floor in below(product.line, reported.versions):
        yield Gap("stale-tcb", f"{where}, reported_tcb", _asks(floor), floor.references)
    for floor in floors_of(product.line):
        if floor.mitigation is not None and not product.mitigations >> floor.mitigation & 1:
            means = f"{floor.name}: mitigation bit {floor.mitigation} is not demanded"
            yield Gap("mitigation", f"{where}, mitigations", means, floor.references)
    for name in ("committed_tcb", "launch_tcb"):
        floor_of: TcbFloor = getattr(product, name)
        if not floor_of.on(product.line).covers(reported):
            means = f"{_MEANS[name]}, since its floor is below the reported TCB's"
            yield Gap("rollback", f"{where}, {name}", means, (ABI,))


_MEANS = {
    "committed_tcb": "the host may go back to older firmware",
    "launch_tcb": "the guest may have been launched on older firmware",
}


def _asks(floor: Floor) -> str:
    svns = ", ".join(f"{component} 0x{svn:02x}" for component, svn in floor.on(None).items())
    return f"{floor.name}: a floor of {svns} or more closes it"
