# SPDX-License-Identifier: Apache-2.0
"""What a device must be told so that it accepts a mock guest, and only as a mock."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attest.policy import Policy, StatementPolicy, write_policy
from attest.roots import Roots
from attest.snp.key_kind import KeyKind
from attest.snp.policy import (
    AbiFloor,
    FirmwareFloor,
    Permission,
    PlatformBit,
    ProductPolicy,
    SnpPolicy,
    TcbFloor,
)
from attest.statement import PRODUCT, Variant
from attest.tdx.policy import TdAttribute, TdImage, TdxPolicy
from attest.tdx.status import TcbStatus
from lab.mocktsm.intel_collateral import DATE, EVALUATION
from lab.mocktsm.intel_pki import mock_intel_roots
from lab.mocktsm.pki import mock_roots
from lab.mocktsm.snp import FIRMWARE, MITIGATIONS, MOCK_CSP_ID, MockSnp
from lab.mocktsm.tdx import MockTdx
from lab.mocktsm.tdx_quote import XFAM

Mock = MockSnp | MockTdx


def roots_of(platform: Mock) -> Roots:
    """The mock authorities above a platform, to be passed as ``roots``."""
    return mock_roots(platform.line) if isinstance(platform, MockSnp) else mock_intel_roots()


def mock_policy(
    *,
    platform: Mock,
    model: bytes,
    prompts: bytes,
    configuration: bytes,
    max_life_s: int,
    lacking: frozenset[str] = frozenset(),
) -> Policy:
    """A strict policy for exactly this mock guest; the digests are SHA-256."""
    statement = StatementPolicy(
        products=frozenset({PRODUCT}),
        variants=frozenset({Variant.MOCK}),
        life_s=max_life_s,
        models=frozenset({model}),
        prompts=frozenset({prompts}),
        configurations=frozenset({configuration}),
        lacking=lacking,
    )
    return Policy(
        snp=_snp_policy(platform) if isinstance(platform, MockSnp) else None,
        tdx=_tdx_policy(platform) if isinstance(platform, MockTdx) else None,
        statement=statement,
    )


def mock_policy_mapping(
    *,
    platform: Mock,
    model: bytes,
    prompts: bytes,
    configuration: bytes,
    max_life_s: int,
    lacking: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """`mock_policy` in the form of a trust file, which `attest.read_policy` reads."""
    policy = mock_policy(
        platform=platform,
        model=model,
        prompts=prompts,
        configuration=configuration,
        max_life_s=max_life_s,
        lacking=lacking,
    )
    return write_policy(policy)


def _snp_policy(platform: MockSnp) -> SnpPolicy:
    versions = {component.value: svn for component, svn in platform.tcb.versions.items()}
    floor = TcbFloor(**dict.fromkeys(TcbFloor.__dataclass_fields__, 0) | versions)
    major, minor, build = FIRMWARE
    product = ProductPolicy(
        line=platform.line,
        reported_tcb=floor,
        committed_tcb=floor,
        launch_tcb=floor,
        firmware=FirmwareFloor(major=major, minor=minor, build=build),
        mitigations=MITIGATIONS if platform.version == 5 else 0,
    )
    return SnpPolicy(
        versions=frozenset({platform.version}),
        keys=frozenset({platform.kind}),
        csp_ids=frozenset({MOCK_CSP_ID} if platform.kind is KeyKind.VLEK else ()),
        masked_chip_id=False,
        chips=frozenset({platform.chip_id}),
        require_crl=False,
        products=(product,),
        vmpls=frozenset({0}),
        abi=AbiFloor(major=0, minor=0),
        guest_allows=frozenset({Permission.SMT}),
        guest_requires=frozenset(),
        platform_has=frozenset({PlatformBit.ALIAS_CHECK}),
        platform_lacks=frozenset(),
        guest_svn=0,
        measurements=frozenset({platform.measurement}),
        host_data=frozenset({bytes(32)}),
        family_ids=frozenset({bytes(16)}),
        image_ids=frozenset({bytes(16)}),
        id_keys=frozenset({bytes(48)}),
        author_keys=frozenset({bytes(48)}),
    )


def _tdx_policy(platform: MockTdx) -> TdxPolicy:
    zero = frozenset({bytes(48)})
    rtmrs = {f"rtmr{n}": rtmr for n, rtmr in enumerate(platform.rtmrs)}
    return TdxPolicy(
        versions=frozenset({platform.version}),
        body_types=frozenset({platform.body_type}),
        trailing_bytes=False,
        ppids=frozenset({platform.ppid}),
        statuses=frozenset({TcbStatus.UP_TO_DATE}),
        advisories=frozenset(),
        evaluation=EVALUATION,
        tcb_date=datetime.fromisoformat(DATE),
        td_allows=frozenset(),
        td_requires=frozenset({TdAttribute.SEPT_VE_DISABLE}),
        xfam=XFAM,
        service_tds=zero,
        devices=frozenset(),
        images=(TdImage(mrtd=platform.mrtd, **rtmrs),),
        config_ids=zero,
        owners=zero,
        owner_configs=zero,
        seam_modules=None,
    )
