# SPDX-License-Identifier: Apache-2.0
"""What an attacker with nothing but an address has: a relay, and the trust file of a device.

`ask` is the device that attacks are aimed at: the SDK as anybody uses it. A guest that is busy is
asked again, for an attack that meets no free slot has shown nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from attest import VerifiedGuest
from sealroom import aio, task
from sealroom.attack.attack import UnclearError, Verdict, refused, succeeded
from sealroom.errors import Busy, SealroomError
from sealroom.room import wall_clock
from sealroom.stream import Answer
from sealroom.task import Task
from sealroom.timeouts import Timeouts
from sealroom.trust import Trust
from wire.api import Tone

TEXT: Final = "Call me today."
HONEST: Final = task.rewrite(TEXT, Tone.FRIENDLY)
# Answered by the guest in a sealed refusal, without the model.
CHEAP: Final = Task("/v1/nothing", b"{}")
PATIENCE: Final = Timeouts(connect_s=5, evidence_s=10, first_byte_s=20, idle_s=20, total_s=60)
BUSY_TRIES: Final = 20


@dataclass(frozen=True)
class Target:
    """A deployment as a client knows it."""

    relay: str
    trust: Trust


async def ask(
    target: Target,
    relay: str | None = None,
    *,
    asked: Task = HONEST,
    stream: bool = False,
    now: Callable[[], datetime] = wall_clock,
    timeouts: Timeouts = PATIENCE,
) -> Answer:
    """A complete answer, as a device gets it, through `relay` or the target's own.

    Raises:
        SealroomError: there is none.
    """
    url = target.relay if relay is None else relay
    async with aio.connect(url, trust=target.trust, timeouts=timeouts, now=now) as room:
        for _ in range(BUSY_TRIES):
            try:
                return await (room.ask_stream(asked).rest() if stream else room.ask(asked))
            except Busy as busy:
                await asyncio.sleep(busy.retry_after_s)
    raise UnclearError("the guest is busy")


async def verified(target: Target) -> VerifiedGuest:
    """The guest behind the target's relay.

    Raises:
        SealroomError: there is none that verifies.
    """
    async with aio.connect(target.relay, trust=target.trust, timeouts=PATIENCE) as room:
        return room.guest


def met(error: SealroomError, wanted: tuple[type[SealroomError], ...]) -> Verdict:
    """Refused, if the device gave up with one of the errors that belong to the attack.

    Raises:
        UnclearError: it gave up for another reason.
    """
    if isinstance(error, wanted):
        return refused(f"{type(error).__name__}: {error}")
    names = " or ".join(kind.__name__ for kind in wanted)
    raise UnclearError(f"wanted {names}, got {type(error).__name__}: {error}")


async def deceived(
    target: Target,
    relay: str,
    wanted: tuple[type[SealroomError], ...],
    *,
    stream: bool = True,
    timeouts: Timeouts = PATIENCE,
) -> Verdict:
    """Whether a device takes what comes through the relay `relay` for a complete answer."""
    try:
        await ask(target, relay, stream=stream, timeouts=timeouts)
    except SealroomError as error:
        return met(error, wanted)
    return succeeded("the device took it for a complete answer")
