# SPDX-License-Identifier: Apache-2.0
"""Requests on their way in: how many at once, how large, and how long each may take to arrive.

The rule: a slot and a worker are taken when the last byte is here, so who sends slowly holds
neither. What he holds is one of `ARRIVING_MAX` places, for `ARRIVAL_MAX_S` at most; and when all
places are taken, whoever has been sending for longest gives way to the newcomer, so that senders
who are quick come through whatever the slow ones do (design §3).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from guest.door import Refusal
from guest.settings import GateSettings

# Fewer than the 100 streams that h2 lets one connection have: a newcomer must get as far as here.
ARRIVING_MAX: Final = 64  # times `request_max_bytes`, this is what the gate holds for them
ARRIVAL_MAX_S: Final = 30.0  # from the first message of the call to the last byte of the request


class RefusedError(Exception):
    """The exchange ends without an answer; ``refusal`` is all that anyone is told."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class Arrivals:
    """The requests of which a part is still to come."""

    def __init__(self, limits: GateSettings) -> None:
        self._limits = limits
        self._coming: dict[asyncio.Timeout, None] = {}  # the one that began first comes first

    def __len__(self) -> int:
        """How many requests are arriving now."""
        return len(self._coming)

    async def receive(self, pieces: AsyncIterator[bytes], until: float) -> bytes:
        """The whole request, once it is here; ``until`` is a time of the running loop.

        Raises:
            RefusedError: too many bytes, too long a pause, too late, or pushed out by a newcomer.
        """
        loop = asyncio.get_running_loop()
        while len(self._coming) >= ARRIVING_MAX:
            self._push_out(next(iter(self._coming)))
        place = asyncio.timeout_at(min(until, loop.time() + ARRIVAL_MAX_S))
        self._coming[place] = None
        try:
            async with place:
                return await self._collect(pieces)
        except TimeoutError as error:
            pushed_out = place not in self._coming
            raise RefusedError(Refusal.BUSY if pushed_out else Refusal.DEADLINE) from error
        finally:
            self._coming.pop(place, None)

    def _push_out(self, place: asyncio.Timeout) -> None:
        del self._coming[place]
        place.reschedule(asyncio.get_running_loop().time())

    async def _collect(self, pieces: AsyncIterator[bytes]) -> bytes:
        request = bytearray()
        while True:
            async with asyncio.timeout(self._limits.idle_max_s):
                piece = await anext(pieces, None)
            if piece is None:
                return bytes(request)
            if len(request) + len(piece) > self._limits.request_max_bytes:
                raise RefusedError(Refusal.REFUSED)
            request += piece
