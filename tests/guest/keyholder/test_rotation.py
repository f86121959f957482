# SPDX-License-Identifier: Apache-2.0
"""Rotation under any order of births, failures and waits: what a client was told still holds."""

from hypothesis import settings as run_with
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from guest.keyholder.epoch import Epoch
from guest.keyholder.keylife import ANSWERING, State
from guest.keyholder.ring import Ring
from guest.keyholder.service import SECRETS_MAX
from guest.secretmem import SecretMemory
from guest.settings import Kem
from tests.guest.keyholder.clients import ask, settings
from wire.keyconfig import parse_key_config, target

SETTINGS = settings(kems=(Kem.X25519,), life_s=100, overlap_s=20, grace_s=10, replay_max=10_000)
WALL = 1_700_000_000


class Rotation(RuleBasedStateMachine):
    """A ring as the keyholder turns it: tidy on time, a successor whenever one is due."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.ring = Ring(SETTINGS, SecretMemory(SECRETS_MAX))
        self.published: dict[str, tuple[float, bytes]] = {}  # target: born at, config
        self.ever: list[Epoch] = []

    @rule(after_s=st.floats(0.0, 200.0))
    def time_passes(self, after_s: float) -> None:
        """To a moment that the keyholder sleeps to, or some time before it."""
        until = self.now + after_s
        while (moment := self.ring.next_tidy()) is not None and moment <= until:
            self.now = moment
            assert self.ring.tidy(self.now) != []
        self.now = until
        assert self.ring.tidy(self.now) == []

    @precondition(lambda self: self.now >= self.ring.successor_due())
    @rule(signed=st.booleans())
    def a_successor_is_made(self, signed: bool) -> None:
        """The platform signs, or does not."""
        epoch = self.ring.bear(monotonic=self.now, wall=WALL + int(self.now))
        self.ever.append(epoch)
        before = self.ring.publication()
        if not signed:
            self.ring.discard(epoch)
            assert self.ring.publication() == before
            return
        self.ring.publish(epoch, b"evidence")
        for config in epoch.configs:
            self.published[target(config)] = (self.now, config)
        known = self.ring.publication()
        assert known is not None
        assert known.epoch == epoch.number

    @rule()
    def every_target_that_clients_know_is_answered(self) -> None:
        known = self.ring.publication()
        for name in known.targets if known is not None else ():
            self.ring.answer(ask(self.published[name][1]).question)

    @rule()
    def a_key_answers_until_its_grace_is_over(self) -> None:
        end_s = SETTINGS.life_s + SETTINGS.grace_s
        for born, config in self.published.values():
            if self.now < born + end_s:
                self.ring.answer(ask(config).question)

    @invariant()
    def epochs_are_in_order_of_birth(self) -> None:
        numbers = [epoch.number for epoch in self.ring]
        assert numbers == sorted(set(numbers))

    @invariant()
    def no_two_living_keys_have_one_id(self) -> None:
        ids = [parse_key_config(config).key_id for epoch in self.ring for config in epoch.configs]
        assert len(ids) == len(set(ids))

    @invariant()
    def erased_epochs_hold_no_key_and_no_other_is_forgotten(self) -> None:
        held = set(self.ring)
        for epoch in self.ever:
            if epoch.state is State.ERASED:
                assert (epoch._keys, epoch._receipt_key) == ({}, None)
                assert epoch not in held
            else:
                assert epoch in held

    @invariant()
    def the_newest_is_one(self) -> None:
        known = self.ring.publication()
        if known is not None:
            newest = [epoch for epoch in self.ring if epoch.state is State.PUBLISHED][-1]
            assert (known.epoch, known.evidence) == (newest.number, newest.evidence)
            assert set(newest.targets) <= set(known.targets)

    @invariant()
    def at_most_three_epochs_answer(self) -> None:
        """The bound of `guest.config`: ceil((100 + 10) / (100 - 20)) + 1."""
        assert len([epoch for epoch in self.ring if epoch.state in ANSWERING]) <= 3


TestRotation = Rotation.TestCase
TestRotation.settings = run_with(max_examples=40, stateful_step_count=25, deadline=None)
