# SPDX-License-Identifier: Apache-2.0
"""The epochs that live side by side, and when the next one is due. Decides; does no I/O.

At any time there is at most one newest published epoch; older ones answer until their grace is
over, so a rotation loses no request.
"""

from __future__ import annotations

from collections.abc import Iterator

from guest.door import Question, Refusal
from guest.keyholder.epoch import DeniedError, Epoch, Ticket, parse_header
from guest.keyholder.keylife import ANSWERING, Event, State
from guest.publication import Publication
from guest.secretmem import SecretMemory
from guest.settings import KeySettings
from wire.keyconfig import parse_key_config, write_key_configs


class Ring:
    """Every epoch that is not erased."""

    def __init__(self, settings: KeySettings, memory: SecretMemory) -> None:
        self._settings = settings
        self._memory = memory
        self._epochs: list[Epoch] = []
        self._born = 0
        self._next_key_id = 0

    def __iter__(self) -> Iterator[Epoch]:
        """The epochs, oldest first."""
        return iter(self._epochs)

    def bear(self, *, monotonic: float, wall: int) -> Epoch:
        """Make the keys of the next epoch; nobody knows them yet."""
        self._born += 1
        epoch = Epoch(
            self._born,
            self._next_key_id,
            self._settings,
            self._memory,
            monotonic=monotonic,
            wall=wall,
        )
        self._epochs.append(epoch)
        return epoch

    def publish(self, epoch: Epoch, evidence: bytes) -> None:
        """The platform has signed for ``epoch``: clients may have it from now on."""
        epoch.evidence = evidence
        epoch.step(Event.EVIDENCE_MADE)
        epoch.step(Event.ANNOUNCED)
        # Only published epochs use up key ids, or a platform that is down for long would bring the
        # 8-bit numbers round to those of an epoch that still answers.
        self._next_key_id = (self._next_key_id + len(self._settings.kems)) % 256

    def discard(self, epoch: Epoch) -> None:
        """Erase an epoch that could not be attested."""
        epoch.step(Event.PANIC)
        self._epochs.remove(epoch)

    def tidy(self, monotonic: float) -> list[Epoch]:
        """Retire and erase what is due; returns the epochs whose state changed."""
        changed = []
        for epoch in list(self._epochs):
            while (event := epoch.due(monotonic)) is not None:
                epoch.step(event)
                changed.append(epoch)
            if epoch.state is State.ERASED:
                self._epochs.remove(epoch)
        return changed

    def successor_due(self) -> float:
        """Monotonic time at which the next epoch should be made; the past when there is none."""
        return max((epoch.successor_due for epoch in self._epochs), default=0.0)

    def next_tidy(self) -> float | None:
        """Monotonic time of the next `tidy` that changes anything."""
        return min((e.next_moment() for e in self._epochs if e.state in ANSWERING), default=None)

    def answer(self, question: Question) -> tuple[bytes, Ticket]:
        """Find the key and answer once: what the worker gets, and what we keep.

        Raises:
            DeniedError: with the one word for the worker.
        """
        header = parse_header(question)
        for epoch in self._epochs:
            if epoch.holds(header):
                return epoch.answer(question, header)
        raise DeniedError(Refusal.UNKNOWN_KEY)

    def publication(self) -> Publication | None:
        """What clients may know now, or None before the first epoch and after the last."""
        published = [epoch for epoch in self._epochs if epoch.state is State.PUBLISHED]
        if not published:
            return None
        newest = published[-1]
        answering = [epoch for epoch in self._epochs if epoch.state in ANSWERING]
        return Publication(
            epoch=newest.number,
            not_after=newest.not_after,
            targets=tuple(target for epoch in answering for target in epoch.targets),
            evidence=newest.evidence,
            ohttp_keys=write_key_configs(tuple(parse_key_config(c) for c in newest.configs)),
        )
