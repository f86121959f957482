# SPDX-License-Identifier: Apache-2.0
"""Which guest has which target, learned from the guests themselves.

This file owns the routing table. It is refreshed on a fixed beat, and once more when somebody
asks for a target that is not in it, because a key may just have been published; such extra
refreshes are bounded in number and shared, so that a stream of unknown targets costs the guests
nothing. The ingress never chooses a guest for a client: the client's target does.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from guestapi import EVIDENCE_MAX_BYTES, KEYS_MAX_BYTES, TARGET_HEX_DIGITS
from guestapi.guest_pb2 import EvidenceReply
from services.ingress.address import GuestAddress
from services.ingress.guest import Guest
from services.limits import Limits
from services.problems import UNAVAILABLE, UNKNOWN_KEY, Refused

REFRESH_S: Final = 10.0
"""Time between two refreshes. Far below the overlap of two keys, which is minutes."""
EXTRA_REFRESH_S: Final = 1.0
"""Least time between two refreshes that were caused by unknown targets."""

_TARGET: Final = re.compile(rf"[0-9a-f]{{{TARGET_HEX_DIGITS}}}\Z", re.ASCII)


class Fleet:
    """The guests behind one ingress, as an async context manager: entered once all were asked.

    Args:
        addresses: where the guests are; the order decides whose evidence is shown.
        limits: the limits of the service.
        clock: monotonic seconds.
        refresh_s: time between two refreshes in seconds.
    """

    def __init__(
        self,
        addresses: Sequence[GuestAddress],
        limits: Limits,
        *,
        clock: Callable[[], float],
        refresh_s: float = REFRESH_S,
    ) -> None:
        if not addresses:
            raise ValueError("fleet: wanted at least one guest address, got none")
        self._addresses = tuple(addresses)
        self._limits = limits
        self._clock = clock
        self._refresh_s = refresh_s
        self._guests: list[Guest] = []
        self._replies: list[EvidenceReply | None] = []
        self._refreshing = asyncio.Lock()
        self._refreshed_at = clock()
        self._beat: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._guests = [Guest(address, self._limits) for address in self._addresses]
        self._replies = [None] * len(self._guests)
        await self._refresh()
        self._beat = asyncio.create_task(self._keep_refreshing())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        for guest in self._guests:
            guest.close()

    @property
    def answering(self) -> int:
        """How many guests answered the last refresh."""
        return sum(reply is not None for reply in self._replies)

    async def guest_of(self, target: str) -> Guest:
        """The guest that has `target`.

        Raises:
            Refused: UNKNOWN_KEY when no answering guest has it, UNAVAILABLE when none answers.
        """
        guest = self._find(target)
        if guest is None:
            await self.refresh_early()
            guest = self._find(target)
        if guest is None:
            raise Refused(UNKNOWN_KEY if self.answering else UNAVAILABLE)
        return guest

    async def evidence(self) -> EvidenceReply:
        """The last reply of the first guest that answers.

        Raises:
            Refused: UNAVAILABLE when none answers.
        """
        if not self.answering:
            await self.refresh_early()
        for reply in self._replies:
            if reply is not None:
                return reply
        raise Refused(UNAVAILABLE)

    def _find(self, target: str) -> Guest | None:
        for guest, reply in zip(self._guests, self._replies, strict=True):
            if reply is not None and target in reply.targets:
                return guest
        return None

    async def refresh_early(self) -> None:
        """Refresh now, unless that was done a moment ago; concurrent callers share one.

        Also for when a guest does not know a target that it had: its keyholder has started anew.
        """
        async with self._refreshing:
            if self._clock() - self._refreshed_at >= EXTRA_REFRESH_S:
                await self._refresh()

    async def _keep_refreshing(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_s)
            async with self._refreshing:
                await self._refresh()

    async def _refresh(self) -> None:
        self._replies = list(await asyncio.gather(*(map(_acceptable, self._guests))))
        self._refreshed_at = self._clock()


async def _acceptable(guest: Guest) -> EvidenceReply | None:
    """The guest's reply if it came and keeps to the limits of guest.proto, else None."""
    with contextlib.suppress(Refused):
        reply = await guest.evidence()
        within = (
            0 < len(reply.evidence) <= EVIDENCE_MAX_BYTES
            and 0 < len(reply.ohttp_keys) <= KEYS_MAX_BYTES
            and all(_TARGET.match(target) for target in reply.targets)
        )
        return reply if within else None
    return None
