# SPDX-License-Identifier: Apache-2.0
"""What a child of init does with init's answer to what this host lacks: it believes it, whole."""

import errno
import os
import sys
from dataclasses import replace

import pytest

from guest import sandbox
from guest.channel import Channel, pair
from guest.child import start
from guest.door import Process, Say
from guest.sandbox import Place, Step
from guest.settings import write_sections
from tests.guest.keyholder.hall import IDENTITY
from tests.guest.rig import in_child


def refuse(_: Place) -> None:
    raise OSError(errno.EPERM, "no")


REFUSED = Step(sandbox.OWN_USER.name, "a step that this host refuses", refuse)


def started(monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, ...]) -> object:
    """The names of the steps that a gate took, which was told that so much is lacking."""
    monkeypatch.setattr(sandbox, "WHERE_POSSIBLE", (REFUSED,))
    near, far = pair()
    door = Channel(near, us=Process.INIT, them=Process.GATE)
    door.say(Say.CONFIG, body=write_sections(replace(IDENTITY, lacking=lacking)))

    def work() -> object:
        sys.argv = ["gate", str(far.detach()), str(os.getppid())]
        _, _, policy = start(Process.GATE, policy={Process.GATE: (REFUSED, sandbox.NO_CORE)})
        return [step.name for step in policy[Process.GATE]]

    with near, far:
        return in_child(work)


def test_a_step_that_init_calls_lacking_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert started(monkeypatch, (REFUSED.name, "swap-off")) == [sandbox.NO_CORE.name]


def test_a_step_that_init_does_not_call_lacking_is_taken_or_ends_the_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(RuntimeError, match=REFUSED.name):
        started(monkeypatch, ("swap-off",))
