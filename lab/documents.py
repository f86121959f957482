# SPDX-License-Identifier: Apache-2.0
"""The two documents of a lab deployment: the guest's configuration and the device's trust file.

The trust file names the mock roots and exactly this guest: its model, prompts and configuration by
digest. A production policy would refuse the same evidence, because its roots are others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from attest.roots import write_roots
from guest.worker.tasks import prompts_digest
from lab.mocktsm import MockSnp, mock_policy_mapping, mock_roots

_PIECE_BYTES: Final = 1 << 20

Mapping = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class GuestPlan:
    """What one wants to choose about a lab guest; the rest is fixed in `write_config`."""

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
    line: str = "Milan"
    version: int = 3
    seed: str = "sealroom"
    faults: dict[str, int | str] = field(default_factory=dict)

    def mock(self) -> Mapping:
        """The mock platform as `lab.mocktsm.MockTsm.from_plain` takes it."""
        return {
            "line": self.line,
            "version": self.version,
            "seed": self.seed,
            "faults": self.faults,
        }


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
        "variant": "mock",
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
    }
    return yaml.safe_dump(document, sort_keys=False).encode("ascii")


def write_trust(plan: GuestPlan, *, relay: str, model: bytes, config: bytes) -> bytes:
    """The device's trust file for a guest with this model and configuration document."""
    policy = mock_policy_mapping(
        platform=MockSnp(line=plan.line, version=plan.version, seed=plan.seed),
        model=model,
        prompts=prompts_digest(),
        configuration=hashlib.sha256(config).digest(),
        max_life_s=3600 + 60,
    )
    document = {
        "format": "sealroom-trust/1",
        "relay": relay,
        "roots": write_roots(mock_roots(plan.line)),
        "policy": policy,
    }
    return yaml.safe_dump(document, sort_keys=False).encode("ascii")
