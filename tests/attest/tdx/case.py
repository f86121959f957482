# SPDX-License-Identifier: Apache-2.0
"""A TDX guest that verifies, and one change at a time to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from attest import Refused
from attest.result import VerifiedReport
from attest.tdx.policy import TdAttribute, TdImage, TdxPolicy
from attest.tdx.roots import IntelRoot
from attest.tdx.status import TcbStatus
from attest.tdx.verify import verify_quote
from lab.mocktsm.intel_collateral import collateral
from lab.mocktsm.intel_pki import mock_intel_roots
from lab.mocktsm.tdx_quote import MOCK_MRTD, MOCK_RTMRS, XFAM, quote

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ZEROS = bytes(48)

STRICT = TdxPolicy(
    versions=frozenset({4, 5}),
    body_types=frozenset({2, 3}),
    trailing_bytes=False,
    ppids=None,
    statuses=frozenset({TcbStatus.UP_TO_DATE}),
    advisories=frozenset(),
    evaluation=17,
    tcb_date=datetime(2024, 3, 13, tzinfo=UTC),
    td_allows=frozenset(),
    td_requires=frozenset({TdAttribute.SEPT_VE_DISABLE}),
    xfam=XFAM,
    service_tds=frozenset({ZEROS}),
    devices=frozenset(),
    images=(
        TdImage(
            mrtd=MOCK_MRTD,
            rtmr0=MOCK_RTMRS[0],
            rtmr1=MOCK_RTMRS[1],
            rtmr2=MOCK_RTMRS[2],
            rtmr3=MOCK_RTMRS[3],
        ),
    ),
    config_ids=frozenset({ZEROS}),
    owners=frozenset({ZEROS}),
    owner_configs=frozenset({ZEROS}),
    seam_modules=None,
)


@dataclass(frozen=True, kw_only=True)
class TdxCase:
    """Everything that a verification takes."""

    quote: bytes = field(default_factory=quote)
    collateral: bytes = field(default_factory=collateral)
    policy: TdxPolicy = STRICT
    roots: tuple[IntelRoot, ...] = field(default_factory=lambda: mock_intel_roots().intel)
    now: datetime = NOW

    def verify(self) -> VerifiedReport:
        return verify_quote(
            self.quote, self.collateral, self.policy, roots=self.roots, now=self.now
        )

    def refusal(self) -> Refused:
        """The refusal that this case ends in."""
        try:
            self.verify()
        except Refused as refused:
            return refused
        raise AssertionError("nothing was refused")

    def under(self, **changes: Any) -> TdxCase:
        """The same under another policy."""
        return replace(self, policy=replace(self.policy, **changes))


def quoted(**parts: Any) -> TdxCase:
    """A case with another quote."""
    return TdxCase(quote=quote(**parts))


def collated(**members: Any) -> TdxCase:
    """A case with other collateral."""
    return TdxCase(collateral=collateral(**members))


def rated(status: TcbStatus, case: TdxCase) -> VerifiedReport:
    """The result under a policy that accepts that rating only, whatever else comes with it."""
    advisories = frozenset(f"INTEL-SA-0000{n}" for n in range(10))
    return case.under(statuses=frozenset({status}), advisories=advisories).verify()
