# SPDX-License-Identifier: Apache-2.0
"""Key life as a machine: epochs come, are asked, retire and are erased, in any order of events.

The keys, the ring, the replay caches and the table are the guest's; only the clock is the test's.
What must hold is written beside it a second time, in plain terms: when an epoch answers, and that
it answers each encapsulation once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from guest.door import Question, Refusal
from guest.keyholder.epoch import DeniedError, Epoch
from guest.keyholder.keylife import State
from guest.keyholder.ring import Ring
from guest.keyholder.service import SECRETS_MAX
from guest.secretmem import SecretMemory
from guest.settings import Kem
from tests.guest.keyholder.clients import Client, ask, settings
from wire.bhttp import Response, parse_response, write_response
from wire.chunked import ChunkedResponseSealer

LIMITS = settings(kems=(Kem.X25519,), life_s=100, overlap_s=40, grace_s=30, replay_max=3)
PAUSES_S = st.sampled_from([0.0, 1.0, 29.0, 30.0, 31.0, 59.0, 60.0, 61.0, 99.0, 130.0])
ANSWER = Response(200, (), b"answer")


@dataclass
class Life:
    """An epoch, and what is expected of it."""

    epoch: Epoch
    born: float
    state: State = State.PUBLISHED
    seen: set[bytes] = field(default_factory=set)

    def expect(self, now: float) -> None:
        """What a tidying at this time must do."""
        if self.state is State.PUBLISHED and now >= self.born + LIMITS.life_s:
            self.state = State.RETIRED
        if self.state is State.RETIRED and now >= self.born + LIMITS.life_s + LIMITS.grace_s:
            self.state = State.ERASED


class KeyLife(RuleBasedStateMachine):
    """The ring under any order of events."""

    clients = Bundle("clients")
    spent = Bundle("spent")

    def __init__(self) -> None:
        super().__init__()
        self.ring = Ring(LIMITS, SecretMemory(SECRETS_MAX))
        self.now = 1000.0
        self.lives: list[Life] = []
        self.answers: dict[bytes, int] = {}
        self.exchanges: set[bytes] = set()

    @rule(seconds=PAUSES_S)
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def tidy(self) -> None:
        self.ring.tidy(self.now)
        for life in self.lives:
            life.expect(self.now)

    @rule()
    def the_platform_signs(self) -> None:
        if self.ring.successor_due() <= self.now:
            epoch = self.ring.bear(monotonic=self.now, wall=0)
            self.ring.publish(epoch, b"evidence")
            self.lives.append(Life(epoch, self.now))

    @rule()
    def the_platform_does_not_sign(self) -> None:
        epoch = self.ring.bear(monotonic=self.now, wall=0)
        self.ring.discard(epoch)
        assert epoch.state is State.ERASED
        assert epoch._keys == {}

    @rule(target=clients, pick=st.integers(0, 9))
    def a_client_seals(self, pick: int) -> tuple[Life, Client] | None:
        if not self.lives:
            return None
        life = self.lives[-1 - pick % len(self.lives)]
        return life, ask(life.epoch.configs[0])

    @rule(target=spent, asked=consumes(clients))
    def a_worker_asks(self, asked: tuple[Life, Client] | None) -> tuple[Life, Client] | None:
        if asked is not None:
            self._ask(*asked)
        return asked

    @rule(asked=spent)
    def it_is_asked_again(self, asked: tuple[Life, Client] | None) -> None:
        if asked is not None:
            self._ask(*asked)

    @rule(
        pick=st.integers(0, 9),
        enc=st.sampled_from([b"\x00" * 32, b"\x01" + b"\x00" * 31, b"short", b"l" * 33]),
    )
    def nonsense_is_asked(self, pick: int, enc: bytes) -> None:
        """No encapsulation at all, but it takes its place in the cache: that is said first."""
        if self.lives:
            life = self.lives[-1 - pick % len(self.lives)]
            good = ask(life.epoch.configs[0])
            word = self._word(life, enc)
            assert self._denied(Question(True, good.question.header, enc)) is (
                word or Refusal.REFUSED
            )

    def _word(self, life: Life, enc: bytes) -> Refusal | None:
        """Why this must be denied, or None; notes that it was asked."""
        if life.state is State.ERASED:
            return Refusal.UNKNOWN_KEY
        if enc in life.seen:
            return Refusal.REFUSED
        if len(life.seen) >= LIMITS.replay_max:
            return Refusal.UNAVAILABLE
        life.seen.add(enc)
        return None

    def _denied(self, question: Question) -> Refusal:
        try:
            self.ring.answer(question)
        except DeniedError as error:
            return error.refusal
        raise AssertionError("answered")

    def _ask(self, life: Life, client: Client) -> None:
        if (word := self._word(life, client.enc)) is not None:
            assert self._denied(client.question) is word
            return
        _, ticket = self.ring.answer(client.question)
        self.answers[client.enc] = self.answers.get(client.enc, 0) + 1
        assert ticket.exchange not in self.exchanges
        self.exchanges.add(ticket.exchange)
        sealer = ChunkedResponseSealer(ticket.key)
        sealed = sealer.begin() + sealer.seal_final(write_response(ANSWER))
        opened = b"".join([*client.opener.receive(sealed), client.opener.finish()])
        assert parse_response(opened).content == ANSWER.content

    @invariant()
    def nothing_was_answered_twice(self) -> None:
        assert set(self.answers.values()) <= {1}

    @invariant()
    def every_epoch_is_where_it_must_be(self) -> None:
        assert [life.epoch.state for life in self.lives] == [life.state for life in self.lives]
        alive = [life.epoch for life in self.lives if life.state is not State.ERASED]
        assert list(self.ring) == alive

    @invariant()
    def what_is_erased_holds_no_key(self) -> None:
        for life in self.lives:
            held = bool(life.epoch._keys), life.epoch._receipt_key is not None
            assert held == (life.state is not State.ERASED,) * 2

    @invariant()
    def clients_are_told_of_keys_that_answer(self) -> None:
        published = [life for life in self.lives if life.state is State.PUBLISHED]
        alive = [life for life in self.lives if life.state is not State.ERASED]
        publication = self.ring.publication()
        if publication is None:
            assert not published
            return
        assert publication.epoch == published[-1].epoch.number
        assert publication.targets == tuple(t for life in alive for t in life.epoch.targets)

    @invariant()
    def no_cache_outgrows_its_limit(self) -> None:
        assert all(len(life.epoch._replay._entries) <= LIMITS.replay_max for life in self.lives)


TestKeyLife = KeyLife.TestCase
TestKeyLife.settings = hypothesis_settings(
    hypothesis_settings.default, max_examples=40, stateful_step_count=40
)
