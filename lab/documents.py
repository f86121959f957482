# SPDX-License-Identifier: Apache-2.0
"""The documents of a lab deployment: configuration, endorsement bundle, device's trust file.

The bundle is what an operator would fetch from AMD or Intel and lay beside the guest. The trust
file names the mock roots and exactly this guest: its model, prompts and configuration by
digest. A production policy would refuse the same evidence, because its roots are others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from attest.endorsements import write_endorsements
from attest.roots import write_roots
from attest.statement import Platform
from guest import sandbox, selftest
from guest.selftest_rows import ROWS
from guest.settings import Variant
from guest.worker.tasks import prompts_digest
from lab.mocktsm import (
    MOCK_MEASUREMENT,
    MockSnp,
    MockTdx,
    SnpFault,
    TdxFault,
    mock_policy_mapping,
    roots_of,
)
from lab.mocktsm.snp_faults import snp_endorsements
from lab.mocktsm.tdx_faults import tdx_endorsements
from lab.mocktsm.tdx_quote import MOCK_MRTD, MOCK_RTMRS

ISSUED_BEFORE: Final = timedelta(hours=1)
IN_FORCE: Final = timedelta(days=30)  # as long as Intel's collateral is

_PIECE_BYTES: Final = 1 << 20

# Rows of the self-test that `lab.guest` never holds: it is an ordinary program of its user.
ORDINARY: Final = frozenset(
    {"environment-literal", "no-arguments", "python-isolated", "python-without-site"}
)

Mapping = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class GuestPlan:
    """What one wants to choose about a lab guest; the rest is fixed in `write_config`."""

    variant: Variant = Variant.MOCK
    slots: int = 2
    waiting_max: int = 8
    request_max_bytes: int = 262144 + 4096
    idle_max_s: int = 10
    deadline_s: int = 120
    kems: tuple[str, ...] = ("x-wing", "x25519")
    life_s: int = 1800
    overlap_s: int = 300
    grace_s: int = 120
    replay_max: int = 100_000
    context_tokens: int = 4096
    threads: int = 1
    tick_ms: int = 200
    platform: Platform = Platform.SEV_SNP
    line: str = "Milan"  # SEV-SNP only
    version: int = 3  # of SEV-SNP reports
    quote_version: int = 4  # of TDX quotes
    seed: str = "sealroom"
    faults: Mapping = field(default_factory=dict)
    endorsements: Path | None = None
    measurement: bytes | None = None  # the launch digest or MRTD; a made-up one if None
    rtmrs: tuple[bytes, ...] = MOCK_RTMRS  # TDX only

    def hardware(self) -> MockSnp | MockTdx:
        """The mock platform."""
        if self.platform is Platform.TDX:
            mrtd = self.measurement or MOCK_MRTD
            return MockTdx(version=self.quote_version, seed=self.seed, mrtd=mrtd, rtmrs=self.rtmrs)
        measurement = self.measurement or MOCK_MEASUREMENT
        return MockSnp(
            line=self.line, version=self.version, seed=self.seed, measurement=measurement
        )

    def mock(self) -> Mapping:
        """The mock platform as `lab.mocktsm.MockTsm.from_plain` takes it."""
        plain: Mapping = {"platform": self.platform, "seed": self.seed, "faults": self.faults}
        if self.platform is Platform.TDX:
            return plain | {"version": self.quote_version}
        return plain | {"line": self.line, "version": self.version}


def sha256_of(path: Path) -> bytes:
    """The SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.digest()


def write_config(plan: GuestPlan, model: bytes) -> bytes:
    """The guest's configuration document; ``model`` is the GGUF's SHA-256."""
    document = {
        "format": "sealroom-guest/1",
        "variant": plan.variant.value,
        "gate": {
            "slots": plan.slots,
            "waiting_max": plan.waiting_max,
            "request_max_bytes": plan.request_max_bytes,
            "idle_max_s": plan.idle_max_s,
            "deadline_s": plan.deadline_s,
        },
        "keys": {
            "kems": list(plan.kems),
            "life_s": plan.life_s,
            "overlap_s": plan.overlap_s,
            "grace_s": plan.grace_s,
            "replay_max": plan.replay_max,
        },
        "model": {
            "digest": model.hex(),
            "context_tokens": plan.context_tokens,
            "threads": plan.threads,
        },
        "answer": {"tick_ms": plan.tick_ms},
        "stapling": {"endorsements": str(plan.endorsements or "none")},
    }
    return yaml.safe_dump(document, sort_keys=False).encode("ascii")


def write_bundle(plan: GuestPlan, *, now: datetime) -> bytes:
    """The endorsement bundle for the plan's guest, with those of the plan's faults that it shows.

    It has been in force since `ISSUED_BEFORE` ``now``, and is for `IN_FORCE`.
    """
    life = now - ISSUED_BEFORE, now - ISSUED_BEFORE + IN_FORCE
    hardware = plan.hardware()
    if isinstance(hardware, MockTdx):
        wrong = next((fault for fault in TdxFault if fault in plan.faults), None)
        return write_endorsements(tdx_endorsements(hardware, wrong, life))
    fault = next((fault for fault in SnpFault if fault in plan.faults), None)
    return write_endorsements(snp_endorsements(hardware, fault, life))


def lacking_here() -> frozenset[str]:
    """What a lab guest on this host lacks, by the functions that the guest itself asks."""
    rows = [row for row in ROWS if row.name not in ORDINARY]
    return ORDINARY.union(sandbox.missing(), selftest.failing(rows=rows))


def write_trust(
    plan: GuestPlan,
    *,
    relay: str,
    model: bytes,
    config: bytes,
    lacking: frozenset[str] | None = None,
) -> bytes:
    """The device's trust file for a guest with this model and configuration document.

    It accepts that the guest lacks what stands in ``lacking``, by default what a lab on this host
    lacks, and nothing more.
    """
    policy = mock_policy_mapping(
        platform=plan.hardware(),
        model=model,
        prompts=prompts_digest(),
        configuration=hashlib.sha256(config).digest(),
        max_life_s=3600 + 60,
        lacking=lacking_here() if lacking is None else lacking,
    )
    document = {
        "format": "sealroom-trust/1",
        "relay": relay,
        "roots": write_roots(roots_of(plan.hardware())),
        "policy": policy,
    }
    return yaml.safe_dump(document, sort_keys=False).encode("ascii")
