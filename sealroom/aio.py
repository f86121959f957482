# SPDX-License-Identifier: Apache-2.0
"""The SDK for asyncio: `async with sealroom.aio.connect(trust=…) as room`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from sealroom.room import AsyncRoom, wall_clock
from sealroom.stream import Answer, AsyncStream, Phase, no_progress
from sealroom.timeouts import DEFAULT, Timeouts
from sealroom.transport import Transport
from sealroom.trust import Trust

__all__ = ["Answer", "AsyncRoom", "AsyncStream", "Phase", "connect"]


@asynccontextmanager
async def connect(
    relay: str | None = None,
    *,
    trust: Trust,
    timeouts: Timeouts = DEFAULT,
    now: Callable[[], datetime] = wall_clock,
    on_phase: Callable[[Phase], None] = no_progress,
) -> AsyncIterator[AsyncRoom]:
    """A room of a guest that has verified; nothing was sealed yet.

    `relay` is asked instead of the relay in the trust file. `now` tells the time by which evidence
    is judged; `on_phase` is called as each phase of an exchange begins.

    Raises:
        NotTrusted: the guest's evidence did not verify.
        Unreachable, Busy, Deadline: there was none.
        ValueError: `relay` is not the URL of a relay.
    """
    transport = Transport(trust.relay if relay is None else relay, timeouts)
    room = AsyncRoom(transport, trust, now=now, on_phase=on_phase)
    try:
        await room.verify()
        yield room
    finally:
        await room.aclose()
