# SPDX-License-Identifier: Apache-2.0
"""What reads bytes outside `attest` and `wire`: people's files, and the guest's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from attest import AttestError
from attest.policy import write_policy
from attest.roots import write_roots
from guest.config import ConfigError, parse_config
from lab.mocktsm import mock_roots
from sealroom.chat.detect import read_chat
from sealroom.errors import SealroomError
from sealroom.measurement import read_got
from sealroom.pem import read_pem
from sealroom.show.forms import explain
from sealroom.trust import FORMAT, Trust
from tests.attest import test_azure
from tests.attest.case import good
from tests.fuzz import attest_targets
from tests.fuzz.target import Target
from tests.guest.documents import document

CHATS = Path(__file__).parents[2] / "examples" / "chats"
GOOD = good()


def chats() -> list[bytes]:
    return [path.read_bytes()[:4096] for path in sorted(CHATS.glob("*.txt"))]


def shown() -> list[bytes]:
    return [
        GOOD.evidence.report,
        GOOD.evidence.statement,
        *attest_targets.envelope(),
        *attest_targets.veks(),
        *attest_targets.hcl(),
        *attest_targets.tables()[1:],
    ]


def trust() -> list[bytes]:
    fields: dict[str, Any] = {
        "format": FORMAT,
        "relay": "https://relay.example/",
        "roots": write_roots(mock_roots()),
        "policy": write_policy(GOOD.policy),
    }
    return [yaml.safe_dump(fields).encode()]


def target(name: str, parse: Any, error: type[Exception], seeds: Any) -> Target:
    return Target(name=name, parse=parse, errors=(error,), seeds=seeds)


TARGETS = (
    target("chat", read_chat, SealroomError, chats),
    target(
        "pem",
        lambda data: read_pem(data, "file"),
        AttestError,
        lambda: [test_azure.load("milan-v2/chain.pem")],
    ),
    target("show", explain, AttestError, shown),
    target("trust-file", Trust.parse, SealroomError, trust),
    target("explain-got", read_got, AttestError, lambda: [GOOD.evidence.report]),
    target("guest-configuration", parse_config, ConfigError, lambda: [document()]),
)
