# SPDX-License-Identifier: Apache-2.0
"""What starts nothing: a document, a lack or a promise with which init must not run."""

import json
import socket
from pathlib import Path

import pytest

from guest import cgroups
from guest.config import ConfigError
from guest.init import Init, LackingError
from guest.sandbox import OWN_CGROUP, SandboxError
from tests.guest.documents import document


def test_a_configuration_that_cannot_be_used_starts_nothing() -> None:
    with pytest.raises(ConfigError, match="slots"), socket.socket() as listener:
        Init(document(gate__slots=0), model=0, prompts=b"p" * 32, lacking=(), listener=listener)


def test_a_production_guest_that_lacks_anything_starts_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as listener, pytest.raises(LackingError) as refused:
        Init(
            document(variant="production"),
            model=0,
            prompts=b"p" * 32,
            lacking=("own-user", "swap-off"),
            listener=listener,
        )
    assert str(refused.value).endswith("lacking own-user, swap-off")
    assert json.loads(capfd.readouterr().err) == {"event": "not-started", "lacking": 2}


@pytest.mark.parametrize(
    ("variant", "lacking"),
    [("production", ()), ("research", ("own-user",)), ("mock", ("swap-off",))],
)
def test_a_guest_that_lacks_nothing_or_says_so_may_start(
    variant: str, lacking: tuple[str, ...]
) -> None:
    with socket.socket() as listener:
        Init(
            document(variant=variant),
            model=0,
            prompts=b"p" * 32,
            lacking=lacking,
            listener=listener,
        )


def test_groups_that_a_guest_states_and_cannot_have_start_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    with socket.socket() as listener, pytest.raises(SandboxError) as refused:
        Init(document(), model=0, prompts=b"p" * 32, lacking=(), listener=listener).run()
    assert refused.value.step == OWN_CGROUP
    assert capfd.readouterr().err == ""
