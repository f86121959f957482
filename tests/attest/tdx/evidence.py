# SPDX-License-Identifier: Apache-2.0
"""The real evidence under tests/vectors/tdx-evidence, and policies made to fit one quote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attest.result import VerifiedReport
from attest.roots import intel_roots
from attest.tdx.certificate import parse_pck_chain
from attest.tdx.policy import TdAttribute, TdImage, TdxPolicy
from attest.tdx.quote import TdReport15, parse_quote
from attest.tdx.status import TcbStatus
from attest.tdx.verify import verify_quote

FOLDER = Path(__file__).parents[2] / "vectors" / "tdx-evidence"
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
ANY_ADVISORY = frozenset(f"INTEL-SA-{number:05d}" for number in range(500, 1400))


@dataclass(frozen=True)
class Bundle:
    """A real quote with real collateral, and what Intel's algorithm makes of them."""

    name: str
    expected: dict[str, Any]
    quote: bytes
    collateral: bytes

    @property
    def now(self) -> datetime:
        """A time within every window."""
        return datetime.fromisoformat(self.expected["at"])

    def verify(self, policy: TdxPolicy) -> VerifiedReport:
        return verify_quote(
            self.quote, self.collateral, policy, roots=intel_roots().intel, now=self.now
        )


def load(name: str) -> bytes:
    """A file among the evidence."""
    return (FOLDER / name).read_bytes()


def bundles() -> dict[str, Bundle]:
    """Every bundle of the manifest, by name."""
    found = {
        row["name"]: Bundle(row["name"], row, load(row["quote"]), load(row["collateral"]))
        for row in MANIFEST["bundles"]
    }
    if not found:
        raise ValueError("no evidence found")
    return found


def permissive(quote: bytes, *, statuses: frozenset[TcbStatus] | None = None) -> TdxPolicy:
    """What a policy can let through at most, for this guest."""
    body = parse_quote(quote).body
    return TdxPolicy(
        versions=frozenset({4, 5}),
        body_types=frozenset({2, 3}),
        trailing_bytes=True,
        ppids=frozenset({ppid(quote)}),
        statuses=statuses or frozenset(TcbStatus) - {TcbStatus.REVOKED},
        advisories=ANY_ADVISORY,
        evaluation=0,
        tcb_date=datetime(2000, 1, 1, tzinfo=UTC),
        td_allows=frozenset(TdAttribute),
        td_requires=frozenset(),
        xfam=b"\xff" * 8,
        service_tds=frozenset({body.mrservicetd if isinstance(body, TdReport15) else bytes(48)}),
        devices=frozenset(),
        images=(image(quote),),
        config_ids=frozenset({body.mrconfigid}),
        owners=frozenset({body.mrowner}),
        owner_configs=frozenset({body.mrownerconfig}),
        seam_modules=frozenset({body.mrseam}),
    )


def strict(quote: bytes) -> TdxPolicy:
    """What a verifier of this guest should demand; the floors are Intel's of early 2024."""
    zeros = frozenset({bytes(48)})
    return TdxPolicy(
        versions=frozenset({4, 5}),
        body_types=frozenset({2, 3}),
        trailing_bytes=False,
        ppids=frozenset({ppid(quote)}),
        statuses=frozenset({TcbStatus.UP_TO_DATE}),
        advisories=frozenset(),
        evaluation=17,
        tcb_date=datetime(2024, 3, 13, tzinfo=UTC),
        td_allows=frozenset(),
        td_requires=frozenset({TdAttribute.SEPT_VE_DISABLE}),
        xfam=bytes.fromhex("e7020600") + bytes(4),
        service_tds=zeros,
        devices=frozenset(),
        images=(image(quote),),
        config_ids=zeros,
        owners=zeros,
        owner_configs=zeros,
        seam_modules=None,
    )


def ppid(quote: bytes) -> bytes:
    """Which platform a quote is from."""
    return parse_pck_chain(parse_quote(quote).pck_chain).pck.ppid


def image(quote: bytes) -> TdImage:
    """The registers of a quote."""
    body = parse_quote(quote).body
    return TdImage(
        mrtd=body.mrtd, rtmr0=body.rtmr0, rtmr1=body.rtmr1, rtmr2=body.rtmr2, rtmr3=body.rtmr3
    )
