# SPDX-License-Identifier: Apache-2.0
"""One epoch: its private keys, its receipt key, its replay cache, and what it answers.

The keys are OpenSSL objects; no private byte of them is ever held in Python. Expiry is judged by
the monotonic clock, so a host that steps the wall clock cannot lengthen or shorten a key's life;
the times in the statement are for clients, who judge them by their own clocks.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attest.receipt import exchange_digest
from guest.door import Question, Refusal
from guest.keyholder import keylife
from guest.keyholder.keylife import ANSWERING, State
from guest.keyholder.replay import ReplayCache, Seen
from guest.secretmem import FullError, SecretMemory, Slot
from guest.settings import Kem, KeySettings
from wire import suites
from wire.errors import FormatError, OpenError
from wire.kem import PrivateKey
from wire.keyconfig import KeyConfig, target, write_key_config
from wire.ohttp import Mode, RequestHeader, ResponseKey, response_key, response_nonce_bytes

KEM_IDS: Final = {Kem.X_WING: suites.Kem.XWING, Kem.X25519: suites.Kem.X25519}
SYMMETRIC: Final = ((suites.Kdf.HKDF_SHA256, suites.Aead.AES_128_GCM),)
CLOCK_SKEW_S: Final = 60  # not_before lies this far back, for clients whose clocks are behind


class DeniedError(Exception):
    """The question is not answered; the worker is told one word."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, repr=False)
class Ticket:
    """What is kept of an answered question: enough to end that response, not to open it.

    The key lies in a slot of secret memory, which whoever drops the ticket wipes. The receipt key
    is kept for a request that outlives its epoch; the private keys do not wait.
    """

    epoch: int
    exchange: bytes  # SHA-256(enc || response nonce)
    key: ResponseKey
    slot: Slot
    signer: Ed25519PrivateKey


class Epoch:
    """Keys born together, named in one statement, ended together."""

    def __init__(
        self,
        number: int,
        first_key_id: int,
        settings: KeySettings,
        memory: SecretMemory,
        *,
        monotonic: float,
        wall: int,
    ) -> None:
        self.number = number
        self.state = State.BORN
        self.not_before = wall - CLOCK_SKEW_S
        self.not_after = wall + settings.life_s
        self.evidence = b""
        self._receipt_key: Ed25519PrivateKey | None = Ed25519PrivateKey.generate()
        self.receipt_public = self._receipt_key.public_key().public_bytes_raw()
        self._ends = monotonic + settings.life_s
        self._next_due = self._ends - settings.overlap_s
        self._drained = self._ends + settings.grace_s
        self._replay = ReplayCache(settings.replay_max)
        self._memory = memory
        self._keys: dict[int, tuple[KeyConfig, PrivateKey]] = {}
        self.configs: list[bytes] = []
        for index, kem in enumerate(settings.kems):
            private = PrivateKey.generate(KEM_IDS[kem])
            key_id = (first_key_id + index) % 256
            config = KeyConfig(key_id, private.kem, private.public_bytes, SYMMETRIC)
            self._keys[key_id] = (config, private)
            self.configs.append(write_key_config(config))

    @property
    def targets(self) -> tuple[str, ...]:
        """Where clients address these keys."""
        return tuple(target(config) for config in self.configs)

    def step(self, event: keylife.Event) -> None:
        """Move on in `keylife.TRANSITIONS`; erasing drops every key.

        Raises:
            IllegalTransitionError: not from here.
        """
        self.state = keylife.step(self.state, event)
        if self.state is State.ERASED:
            self._keys.clear()
            self._receipt_key = None

    def due(self, monotonic: float) -> keylife.Event | None:
        """What time alone asks for now."""
        if self.state is State.PUBLISHED and monotonic >= self._ends:
            return keylife.Event.ENDED
        if self.state is State.RETIRED and monotonic >= self._drained:
            return keylife.Event.DRAINED
        return None

    def wants_successor(self, monotonic: float) -> bool:
        """Whether the next epoch should be made now."""
        return monotonic >= self._next_due

    def next_moment(self) -> float:
        """The monotonic time of the next thing to do for this epoch."""
        return self._ends if self.state is State.PUBLISHED else self._drained

    @property
    def successor_due(self) -> float:
        """The monotonic time at which `wants_successor` becomes true."""
        return self._next_due

    def holds(self, header: RequestHeader) -> bool:
        """Whether the header names a key and suite of this epoch that may be used."""
        config, _ = self._keys.get(header.key_id, (None, None))
        return self.state in ANSWERING and config is not None and header.suite in config.suites

    def answer(self, question: Question, header: RequestHeader) -> tuple[bytes, Ticket]:
        """Shared secret and response nonce for the worker, once per ``enc``, and our ticket.

        Raises:
            DeniedError: asked before, no room to remember it, or not an encapsulation to this key.
        """
        seen = self._replay.enter(question.enc)
        if seen is not Seen.NEW:
            word = Refusal.REFUSED if seen is Seen.BEFORE else Refusal.UNAVAILABLE
            raise DeniedError(word)
        if self._receipt_key is None:
            raise DeniedError(Refusal.UNKNOWN_KEY)
        _, private = self._keys[header.key_id]
        mode = Mode.CHUNKED if question.chunked else Mode.WHOLE
        nonce = secrets.token_bytes(response_nonce_bytes(header.suite))
        try:
            shared = private.decap(question.enc)
            slot = self._memory.take()
        except OpenError as error:
            raise DeniedError(Refusal.REFUSED) from error
        except FullError as error:
            raise DeniedError(Refusal.UNAVAILABLE) from error
        ticket = Ticket(
            epoch=self.number,
            exchange=exchange_digest(question.enc, nonce),
            key=response_key(mode, header, question.enc, shared, nonce, place=slot.view),
            slot=slot,
            signer=self._receipt_key,
        )
        return shared + nonce, ticket


def parse_header(question: Question) -> RequestHeader:
    """The OHTTP header of the question.

    Raises:
        DeniedError: a suite that is not ours.
    """
    try:
        return RequestHeader.parse(question.header)
    except FormatError as error:
        raise DeniedError(Refusal.UNKNOWN_KEY) from error
