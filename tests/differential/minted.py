# SPDX-License-Identifier: Apache-2.0
"""Evidence with another meaning, signed by mock authorities that every peer is told to believe.

For SEV-SNP: every line, version and key in good order, and on one version of each line every fault
that the mock knows. For TDX: both versions in good order and with every fault, and TCB levels of
every status in every part. What only a policy of ours refuses is good evidence here, for every
policy is the widest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

from attest.errors import FormatError
from attest.evidence import SnpEndorsements
from attest.snp.key_kind import KeyKind
from attest.snp.product import ProductLine
from attest.snp.tcb import tcb
from attest.tdx.status import PART_STATUSES, PLATFORM_STATUSES
from lab.mocktsm.intel_collateral import (
    DATE,
    GOOD_SGX,
    GOOD_TDX,
    OLD_DATE,
    OLD_SGX,
    OLD_TDX,
    QE_LEVELS,
    collateral,
    level,
    module,
    platform_tcb,
    qe_identity,
    tcb_info,
)
from lab.mocktsm.intel_pki import LIST_LIFE
from lab.mocktsm.pki import mock_roots
from lab.mocktsm.snp import MockSnp
from lab.mocktsm.snp_faults import SNP_FAULTS, snp_endorsements, snp_report
from lab.mocktsm.tdx import MockTdx
from lab.mocktsm.tdx_faults import TDX_FAULTS, tdx_endorsements
from lab.mocktsm.tdx_quote import quote
from tests.attest.case import NOW, Case, good
from tests.attest.tdx.case import TdxCase
from tests.differential.items import Item, Origin, SnpItem, TdxItem
from tests.differential.renamed import ROOT, renamed_collateral, renamed_quote

GOOD = {
    ("Milan", 2, KeyKind.VCEK),
    *product(("Milan", "Genoa", "Turin"), (3, 4, 5), (KeyKind.VCEK, KeyKind.VLEK)),
}
FAULTY = (("Milan", 2), ("Milan", 3), ("Genoa", 4), ("Turin", 5))
REPORT_DATA = bytes(range(64))
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
OLDER = tcb(ProductLine.MILAN, boot_loader=3, snp=0x17, microcode=0xD2).raw
NEWER = tcb(ProductLine.MILAN, boot_loader=5, snp=0x19, microcode=0xDC).raw

# Fields that no reason of ours is about, or of which a change is no fault.
SNP_CHANGES: dict[str, dict[str, int | bytes]] = {
    "a provisional firmware": {"current_tcb": NEWER, "current_build": 30},
    "committed above reported": {"committed_tcb": NEWER, "current_tcb": NEWER},
    "launched at an older level": {"launch_tcb": OLDER},
    "committed below reported": {"committed_tcb": OLDER},
    "a committed build above the current one": {"committed_build": 31},
    "IOMMU write safe": {"platform_info": 0x65},
    "TIO": {"platform_info": 0xA5},
    "an unknown platform bit": {"platform_info": 0x125},
    "CXL allowed": {"policy": 0x230000},
    "every requirement": {"policy": 0x3D30000},
    "page swap disabled": {"policy": 0x2030000},
    "policy bit 17 clear": {"policy": 0x10000},
    "VMPL 3": {"vmpl": 3},
    "VMPL 4": {"vmpl": 4},
    "key 2": {"flags": 2 << 2},
    "key 7, none": {"flags": 7 << 2},
    "a reserved flag": {"flags": 1 << 5},
    "algorithm 0": {"signature_algo": 0},
    "Milan model 0": {"cpuid_model": 0},
    "Milan stepping 0": {"cpuid_stepping": 0},
}


def snp_minted() -> Iterator[SnpItem]:
    """Good ones, broken ones, and ones with an unusual field."""
    for line, version, kind in sorted(GOOD):
        yield _snp(f"{line} v{version} {kind}", good(line=line, version=version, kind=kind))
    for model in (0xA0, 0x1F):
        case = good(line="Genoa", report={"cpuid_model": model})
        yield _snp(f"Genoa model 0x{model:x}", case)
    yield _snp("Turin model 0x11", good(line="Turin", version=5, report={"cpuid_model": 0x11}))
    for name, changes in SNP_CHANGES.items():
        yield _snp(name, good(report=changes))
    yield from _snp_faults()
    yield _snp("serial 1", good(vek={"serial": 1}))
    yield _snp("productName Milan-B1", good(vek={"product_name": "Milan-B1"}))
    yield _snp("productName Milan-C9", good(vek={"product_name": "Milan-C9"}))
    yield _snp(
        "the last second", replace(good(), now=NOW.replace(year=2033, month=1, day=1, hour=0))
    )


def _snp_faults() -> Iterator[SnpItem]:
    for line, version in FAULTY:
        for fault, spoil in SNP_FAULTS.items():
            if version < spoil.version:
                continue
            chip = MockSnp(line=line, version=version, kind=spoil.kind)
            given = snp_endorsements(chip, fault, (NOW - DAY, NOW + DAY))
            yield SnpItem(
                name=f"{line} v{version}: {fault}",
                origin=Origin.MINTED,
                report=snp_report(chip, fault, REPORT_DATA),
                vek=given.vek,
                crl=given.crl,
                now=NOW,
                roots=mock_roots(line).amd,
            )


def _snp(name: str, case: Case) -> SnpItem:
    endorsements = case.endorsements
    if not isinstance(endorsements, SnpEndorsements):
        raise TypeError(name)
    return SnpItem(
        name=name,
        origin=Origin.MINTED,
        report=case.evidence.report,
        vek=endorsements.vek,
        crl=endorsements.crl,
        now=case.now,
        roots=case.roots.amd,
    )


def tdx_minted() -> Iterator[TdxItem]:
    """Good ones, broken ones, ones at the edge of a window, and every rating."""
    for body_type in (2, 3, 4):
        yield _tdx(f"body type {body_type}", TdxCase(quote=quote(body_type=body_type)))
    yield _tdx("version 5 with body type 2", TdxCase(quote=quote(version=5)))
    for version, (fault, spoil) in product((4, 5), TDX_FAULTS.items()):
        if version >= spoil.version:
            platform = MockTdx(version=version)
            made = platform.quote(REPORT_DATA, spoil.quote(platform))
            given = tdx_endorsements(platform, fault, LIST_LIFE).collateral
            yield _tdx(f"v{version}: {fault}", TdxCase(quote=made, collateral=given))
    for name, when in (
        ("before the lists", NOW.replace(year=2026, month=5, day=19)),
        ("at nextUpdate", NOW.replace(month=6, day=19, hour=0)),
        ("a second before nextUpdate", NOW.replace(month=6, day=19, hour=0) - SECOND),
        ("long after", NOW.replace(year=2027)),
        ("before the PCK", NOW.replace(year=2025)),
    ):
        yield _tdx(name, replace(TdxCase(), now=when))
    ending = qe_identity(nextUpdate="2026-06-01T12:00:00Z")
    yield _tdx("QE identity at its nextUpdate", TdxCase(collateral=collateral(qe=ending)))
    yield from _ratings()


def _ratings() -> Iterator[TdxItem]:
    """Each status of the platform with each of the module and of the quoting enclave, and SVN2."""
    newer, older = bytes([7, 1, 4]), bytes([5, 1, 4])
    for platform, part, enclave in product(
        sorted(PLATFORM_STATUSES), sorted(PART_STATUSES), sorted(PART_STATUSES)
    ):
        for seam in (older, bytes([5, 0, 4])):
            name = f"platform {platform}, module {part}, QE {enclave}, SVN {seam.hex()}"
            svns = {"tee_tcb_svn": seam.ljust(16, b"\x00")}
            yield _rated(name, platform, part, enclave, svns)
    for platform, part in product(sorted(PLATFORM_STATUSES), sorted(PART_STATUSES)):
        svns = {"tee_tcb_svn": older.ljust(16, b"\x00"), "tee_tcb_svn2": newer.ljust(16, b"\x00")}
        name = f"platform {platform}, module {part}, updated"
        yield _rated(name, platform, part, "UpToDate", svns)


def _rated(name: str, platform: str, part: str, enclave: str, body: dict[str, bytes]) -> TdxItem:
    modules = [
        module(
            "TDX_01",
            level("UpToDate", DATE, {"isvsvn": 7}),
            level(part, OLD_DATE, {"isvsvn": 5}, "INTEL-SA-00002"),
        )
    ]
    enclaves = [level(enclave, OLD_DATE, {"isvsvn": 4}), *QE_LEVELS[2:]]
    levels = [
        level("UpToDate", DATE, platform_tcb(b"\x09", GOOD_TDX, 13)),
        level(platform, DATE, platform_tcb(GOOD_SGX, GOOD_TDX, 13), "INTEL-SA-00001"),
        level("OutOfDate", OLD_DATE, platform_tcb(OLD_SGX, OLD_TDX, 13)),
    ]
    given = collateral(
        tcb=tcb_info(tcbLevels=levels, tdxModuleIdentities=modules),
        qe=qe_identity(tcbLevels=enclaves),
    )
    made = quote(body_type=3 if "tee_tcb_svn2" in body else 2, body=body)
    return _tdx(name, TdxCase(quote=made, collateral=given))


def _tdx(name: str, case: TdxCase) -> TdxItem:
    """The case under a root that every peer takes."""
    try:
        made = renamed_quote(case.quote)
    except FormatError:
        made = case.quote
    is_object = isinstance(json.loads(case.collateral), dict)
    return TdxItem(
        name=name,
        origin=Origin.MINTED,
        quote=made,
        collateral=renamed_collateral(case.collateral) if is_object else case.collateral,
        now=case.now,
        root=ROOT,
    )


def minted() -> Iterator[Item]:
    """All of them."""
    yield from snp_minted()
    yield from tdx_minted()
