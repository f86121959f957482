# SPDX-License-Identifier: Apache-2.0
"""What a policy leaves open: each row for one change of a policy that leaves nothing open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from attest.lint import STATEMENT_RULES, lint
from attest.policy import Policy, StatementPolicy
from attest.snp.floors import (
    FLOORS,
    GENOA_B2,
    Floor,
    Processor,
    below,
    floors_of,
    highest,
    mitigations,
)
from attest.snp.gaps import RULES
from attest.snp.key_kind import KeyKind
from attest.snp.policy import (
    AbiFloor,
    FirmwareFloor,
    Permission,
    PlatformBit,
    ProductPolicy,
    Requirement,
    SnpPolicy,
    TcbFloor,
)
from attest.snp.product import PRODUCTS, Component, ProductLine, line_of
from attest.statement import PRODUCT, Variant
from attest.tdx.collateral import parse_collateral
from attest.tdx.gaps import RECOVERED, RECOVERY, RECOVERY_DATE
from attest.tdx.gaps import RULES as TDX_RULES
from attest.tdx.policy import TdAttribute, TdImage, TdxPolicy
from attest.tdx.status import TcbStatus
from tests.attest.tdx.evidence import bundles

DIGEST = frozenset({bytes(32)})


def tcb(line: ProductLine, **changes: int) -> TcbFloor:
    svns = {component.value: svn for component, svn in highest(line).items()}
    return TcbFloor(**dict.fromkeys(TcbFloor.__dataclass_fields__, 0) | svns | changes)


def product(line: ProductLine) -> ProductPolicy:
    return ProductPolicy(
        line=line,
        reported_tcb=tcb(line),
        committed_tcb=tcb(line),
        launch_tcb=tcb(line),
        firmware=FirmwareFloor(major=1, minor=55, build=0),
        mitigations=mitigations(line),
    )


SNP = SnpPolicy(
    versions=frozenset({5}),
    keys=frozenset({KeyKind.VCEK}),
    csp_ids=frozenset(),
    masked_chip_id=False,
    chips=frozenset({b"\x01" * 64}),
    require_crl=True,
    products=(product(ProductLine.GENOA),),
    vmpls=frozenset({0}),
    abi=AbiFloor(major=1, minor=55),
    guest_allows=frozenset(),
    guest_requires=frozenset(Requirement),
    platform_has=frozenset({PlatformBit.ALIAS_CHECK, PlatformBit.IOMMU_WRITE_SAFE}),
    platform_lacks=frozenset({PlatformBit.SMT}),
    guest_svn=0,
    measurements=frozenset({bytes(48)}),
    host_data=DIGEST,
    family_ids=frozenset({bytes(16)}),
    image_ids=frozenset({bytes(16)}),
    id_keys=frozenset({bytes(48)}),
    author_keys=frozenset({bytes(48)}),
)
TDX = TdxPolicy(
    versions=frozenset({5}),
    body_types=frozenset({3}),
    trailing_bytes=False,
    ppids=frozenset({bytes(16)}),
    statuses=frozenset({TcbStatus.UP_TO_DATE}),
    advisories=frozenset(),
    evaluation=RECOVERY,
    tcb_date=RECOVERY_DATE,
    td_allows=frozenset({TdAttribute.PKS}),
    td_requires=frozenset({TdAttribute.SEPT_VE_DISABLE}),
    xfam=bytes(8),
    service_tds=frozenset({bytes(48)}),
    devices=frozenset({bytes(48)}),
    images=(TdImage(**dict.fromkeys(TdImage.__dataclass_fields__, bytes(48))),),
    config_ids=frozenset({bytes(48)}),
    owners=frozenset({bytes(48)}),
    owner_configs=frozenset({bytes(48)}),
    seam_modules=None,
)
CLOSED = Policy(
    snp=SNP,
    tdx=TDX,
    statement=StatementPolicy(
        products=frozenset({PRODUCT}),
        variants=frozenset({Variant.PRODUCTION}),
        life_s=3600,
        models=DIGEST,
        prompts=DIGEST,
        configurations=DIGEST,
        lacking=frozenset(),
    ),
)


def snp(**changes: object) -> Callable[[], Policy]:
    return lambda: replace(CLOSED, snp=replace(SNP, **changes))  # type: ignore[arg-type]  # by name


def tdx(**changes: object) -> Callable[[], Policy]:
    return lambda: replace(CLOSED, tdx=replace(TDX, **changes))  # type: ignore[arg-type]  # by name


def statement(**changes: object) -> Callable[[], Policy]:
    told = CLOSED.statement
    return lambda: replace(CLOSED, statement=replace(told, **changes))  # type: ignore[arg-type]  # by name


def with_product(line: ProductLine, **changes: object) -> Callable[[], Policy]:
    return snp(products=(replace(product(line), **changes),))  # type: ignore[arg-type]  # by name


OPENED: dict[str, Callable[[], Policy]] = {
    "alias-check": snp(platform_has=frozenset({PlatformBit.IOMMU_WRITE_SAFE})),
    "iommu": snp(platform_has=frozenset({PlatformBit.ALIAS_CHECK})),
    "smt": snp(guest_allows=frozenset({Permission.SMT})),
    "cxl": snp(guest_allows=frozenset({Permission.CXL})),
    "ciphertext-hiding": snp(guest_requires=frozenset(Requirement) - {"ciphertext-hiding"}),
    "page-swap": snp(guest_requires=frozenset(Requirement) - {"page-swap-disabled"}),
    "power-reading": snp(guest_requires=frozenset(Requirement) - {"rapl-disabled"}),
    "milan": snp(products=(product(ProductLine.MILAN),)),
    "report-version-2": snp(versions=frozenset({2, 5})),
    "no-crl": snp(require_crl=False),
    "vlek": snp(keys=frozenset(KeyKind), csp_ids=frozenset({"CN=cloud"})),
    "masked-chip": snp(masked_chip_id=True),
    "any-chip": snp(chips=None),
    "vmpl": snp(vmpls=frozenset({0, 1})),
    "tdx-any-platform": tdx(ppids=None),
    "tdx-status": tdx(statuses=frozenset({TcbStatus.UP_TO_DATE, TcbStatus.SW_HARDENING_NEEDED})),
    "tdx-advisory": tdx(advisories=frozenset({"INTEL-SA-00828"})),
    "tdx-rtmr0": tdx(images=(replace(TDX.images[0], rtmr0=None),)),
    "tdx-trailing-bytes": tdx(trailing_bytes=True),
    "tdx-migratable": tdx(td_allows=frozenset({TdAttribute.MIGRATABLE})),
    "tdx-perfmon": tdx(td_allows=frozenset({TdAttribute.PERFMON})),
    "tdx-stale-evaluation": tdx(evaluation=RECOVERY - 1),
    "tdx-stale-tcb": tdx(tcb_date=RECOVERY_DATE - timedelta(days=1)),
    "tdx-body-1.0": tdx(body_types=frozenset({2, 3})),
    "tdx-body-extended": tdx(body_types=frozenset({3, 4})),
    "tdx-service-td": tdx(service_tds=frozenset({bytes(48), b"\x01" * 48})),
    "tdx-devices": tdx(devices=frozenset({b"\x01" * 48})),
    "tdx-sept-ve": tdx(td_requires=frozenset()),
    "not-production": statement(variants=frozenset({Variant.PRODUCTION, Variant.MOCK})),
    "key-life": statement(life_s=3601),
    "lacking": statement(lacking=frozenset({"own-user"})),
}


def test_a_policy_can_leave_nothing_open() -> None:
    assert lint(CLOSED) == ()


def test_a_platform_that_is_refused_has_no_gap() -> None:
    assert lint(replace(tdx(trailing_bytes=True)(), tdx=None)) == ()
    assert lint(replace(snp(require_crl=False)(), snp=None)) == ()


@pytest.mark.parametrize("rule", OPENED)
def test_what_is_left_open_is_told(rule: str) -> None:
    assert [gap.rule for gap in lint(OPENED[rule]())] == [rule]


def test_every_row_is_tested() -> None:
    rules = (
        {row.rule for row in RULES}
        | {row.rule for row in TDX_RULES}
        | {row.rule for row in STATEMENT_RULES}
    )
    assert rules == OPENED.keys()


@pytest.mark.parametrize("floor", FLOORS, ids=lambda f: f"{f.line}-{f.advisory}")
def test_an_advisory_is_open_one_below_its_floor(floor: Floor) -> None:
    for component, svn in floor.on(None).items():
        changes = {
            name: tcb(floor.line, **{component.value: svn - 1})
            for name in ("reported_tcb", "committed_tcb", "launch_tcb")
        }
        found = lint(with_product(floor.line, **changes)())
        assert ("stale-tcb", floor.references) in [(gap.rule, gap.references) for gap in found]


@pytest.mark.parametrize("floor", FLOORS, ids=lambda f: f"{f.line}-{f.advisory}")
def test_an_advisory_is_open_without_its_mitigation_bit(floor: Floor) -> None:
    found = lint(with_product(floor.line, mitigations=0)())
    told = [gap.references for gap in found if gap.rule == "mitigation"]
    assert (floor.references in told) == (floor.mitigation is not None)


@pytest.mark.parametrize("name", ["committed_tcb", "launch_tcb"])
def test_a_way_back_to_older_firmware_is_told(name: str) -> None:
    found = lint(with_product(ProductLine.GENOA, **{name: tcb(ProductLine.GENOA, snp=0)})())
    assert [(gap.rule, gap.where) for gap in found] == [
        ("rollback", f"snp.products, Genoa, {name}")
    ]


@pytest.mark.parametrize("line", ProductLine)
def test_the_highest_floors_close_every_row(line: ProductLine) -> None:
    assert floors_of(line)
    assert list(below(line, highest(line))) == []
    assert list(below(line, {})) == [floor for floor in floors_of(line) if floor.on(None)]


def test_a_floor_names_what_its_line_has_and_where_it_was_read() -> None:
    for floor in FLOORS:
        assert floor.svns.keys() <= set(filter(None, PRODUCTS[floor.line].tcb))
        assert floor.on(None) or floor.mitigation is not None
        for cpu in floor.microcode:
            assert line_of(PRODUCTS[floor.line].family, cpu.model) is floor.line
        assert floor.source
        assert floor.cve.startswith("CVE-")
        assert floor.advisory.startswith("AMD-SB-")
        assert all(0 < svn <= 0xFF for svn in floor.on(None).values())
    assert len({(f.line, f.advisory) for f in FLOORS}) == len(FLOORS)


def test_milans_mitigation_bits_are_those_of_the_bulletins() -> None:
    assert mitigations(ProductLine.MILAN) == 0b10110
    assert highest(ProductLine.MILAN) == {Component.MICROCODE: 0xD1, Component.SNP: 0x1D}


def test_on_one_processor_its_own_microcode_counts() -> None:
    genoa = ProductLine.GENOA
    svns = {Component.SNP: 0x1B, Component.MICROCODE: 0x51}
    assert [floor.advisory for floor in below(genoa, svns)] == [
        "AMD-SB-3019",
        "AMD-SB-3020",
        "AMD-SB-3027",
    ]
    assert list(below(genoa, svns, GENOA_B2)) == []
    assert list(below(genoa, svns | {Component.MICROCODE: 0x50}, GENOA_B2)) != []


def test_of_a_processor_that_no_row_names_the_microcode_is_not_judged() -> None:
    bergamo = Processor(0xA0, 2)
    svns = {Component.SNP: 0x1B, Component.MICROCODE: 0}
    assert list(below(ProductLine.GENOA, svns, bergamo)) == []
    assert list(below(ProductLine.GENOA, svns | {Component.SNP: 0x1A}, bergamo)) != []


def test_the_recovery_is_the_last_that_is_in_the_evidence() -> None:
    documents = [parse_collateral(bundle.collateral).tcb_info for bundle in bundles().values()]
    last = max(documents, key=lambda document: document.issue.evaluation)
    assert last.issue.evaluation == RECOVERY
    assert last.levels[0].rating.date == RECOVERY_DATE
    assert set(last.levels[1].rating.advisories) <= set(RECOVERED)


@pytest.mark.parametrize("name", [TdAttribute.MIGRATABLE, TdAttribute.PERFMON])
def test_what_is_demanded_is_left_open_as_well(name: TdAttribute) -> None:
    policy = tdx(td_requires=frozenset({name, TdAttribute.SEPT_VE_DISABLE}))()
    assert [gap.rule for gap in lint(policy)] == [f"tdx-{name}"]
