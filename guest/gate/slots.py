# SPDX-License-Identifier: Apache-2.0
"""How many workers may live at once, how many requests may wait, who is told Busy."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Busy(Exception):
    """Every slot is taken and the queue is full. Said at once, never after waiting."""


class Slots:
    """A bounded first-come queue in front of a fixed number of slots."""

    def __init__(self, slots: int, waiting_max: int) -> None:
        self.slots = slots
        self.running = 0
        self._waiting_max = waiting_max
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """Requests in the queue now."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether one more request would be told Busy now."""
        return self.running >= self.slots and self.waiting >= self._waiting_max

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold a slot for the length of the block; wait for one in the queue if need be.

        Raises:
            Busy: the queue is full.
        """
        if self.full:
            raise Busy
        if self.running < self.slots:
            self.running += 1
        else:
            await self._wait()
        try:
            yield
        finally:
            self._release()

    async def _wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()  # the slot was given to us in the moment we left
            elif turn in self._waiting:  # else it was passed over in the moment we left
                self._waiting.remove(turn)
            raise

    def _release(self) -> None:
        """Give the slot to the first in the queue, or back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1
