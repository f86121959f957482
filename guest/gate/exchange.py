# SPDX-License-Identifier: Apache-2.0
"""One exchange: ciphertext to a worker of its own, sealed chunks back, and the final chunk last.

The order is the promise: a worker is made for a request that has arrived; its door closes when it
has exited, and only then is the tail awaited, which the keyholder seals after it has itself seen
that exit. Whatever happens, the worker is reaped before its slot is given away.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from guest.channel import HEAD, pack, pair, unpack
from guest.door import Cause, DoorError, Ear, Opening, Process, Refusal, Say
from guest.gate.arrivals import Arrivals, RefusedError
from guest.gate.links import Fate, LinkDownError, Links
from guest.gate.slots import Busy, Slots
from guest.settings import GateSettings

PIECE_MAX_BYTES: Final = 32 * 1024
WAIT_MAX_S: Final = 12.0  # in the queue; longer than that, a silent client has given up (SDK: 15 s)
TAIL_MAX_S: Final = 3.0  # from the worker's exit to the sealed tail
REAP_MAX_S: Final = 3.0  # from a kill to the zygote's word


class Exchanges:
    """Runs exchanges within the limits of `GateSettings`."""

    def __init__(self, links: Links, limits: GateSettings) -> None:
        self.slots = Slots(limits.slots, limits.waiting_max)
        self.arrivals = Arrivals(limits)
        self._links = links
        self._limits = limits

    async def run(
        self,
        target: str,
        pieces: AsyncIterator[bytes],
        send: Callable[[bytes], Awaitable[None]],
        *,
        chunked: bool,
    ) -> None:
        """Carry one request to a fresh worker and its answer to ``send``.

        Raises:
            RefusedError: no complete answer was sent.
        """
        if not self._links.ready or self._links.publication is None:
            raise RefusedError(Refusal.UNAVAILABLE)
        if target not in self._links.publication.targets:
            raise RefusedError(Refusal.UNKNOWN_KEY)
        if self.slots.full:
            raise RefusedError(Refusal.BUSY)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.deadline_s
        request = await self.arrivals.receive(pieces, until)
        arrived = loop.time()
        try:
            turn = min(until, arrived + WAIT_MAX_S)
            async with asyncio.timeout_at(turn) as waiting, self.slots.taken():
                waiting.reschedule(None)  # from here on the worker's own end is waited for
                opening = Opening(chunked, round((loop.time() - arrived) * 1000))
                await self._attend(opening, request, send, until)
        except Busy as error:
            raise RefusedError(Refusal.BUSY) from error
        except LinkDownError as error:
            raise RefusedError(Refusal.UNAVAILABLE) from error
        except TimeoutError as error:
            late = loop.time() >= until
            raise RefusedError(Refusal.DEADLINE if late else Refusal.BUSY) from error

    async def _attend(
        self,
        opening: Opening,
        request: bytes,
        send: Callable[[bytes], Awaitable[None]],
        until: float,
    ) -> None:
        try:
            ours, theirs = pair()
        except OSError as error:  # no descriptor is free now
            raise Busy from error
        with ours:
            ours.setblocking(False)
            with theirs:
                fate = self._links.fork(opening, theirs.fileno())
            feeding = asyncio.create_task(_feed(ours, request))
            draining = asyncio.create_task(_drain(ours, send))
            draining.add_done_callback(_note_end)
            try:
                sent = await self._until_exit(fate, draining, until)
                tail = await asyncio.wait_for(asyncio.shield(fate.tail), TAIL_MAX_S)
                if tail:
                    await send(tail)
                elif fate.unborn:
                    raise Busy
                elif not (sent and not opening.chunked):
                    raise RefusedError(Refusal.UNAVAILABLE)
            except TimeoutError as error:
                raise RefusedError(Refusal.UNAVAILABLE) from error
            finally:
                feeding.cancel()
                draining.cancel()
                await self._reap(fate)

    async def _until_exit(self, fate: Fate, draining: asyncio.Task[bool], until: float) -> bool:
        """Wait until the worker's door is closed; True if anything was sent.

        Raises:
            RefusedError: the worker refused the request, or outlived its own end.
        """
        loop = asyncio.get_running_loop()
        killed = False
        while not draining.done():
            await asyncio.wait({draining}, timeout=max(0.0, until - loop.time()))
            if not draining.done():
                if killed:
                    raise RefusedError(Refusal.DEADLINE)
                killed = True
                self._links.kill(fate, Cause.DEADLINE)
                until = loop.time() + REAP_MAX_S
        return draining.result()

    async def _reap(self, fate: Fate) -> None:
        """End the worker if it still lives and wait for the zygote's word, even when cancelled."""
        self._links.kill(fate, Cause.CANCELLED)
        reaping = asyncio.ensure_future(asyncio.wait({fate.ended}, timeout=REAP_MAX_S))
        try:
            await asyncio.shield(reaping)
        except asyncio.CancelledError:
            await reaping
            raise
        finally:
            self._links.forget(fate)


def _note_end(task: asyncio.Task[bool]) -> None:
    """Look at how a task ended, or asyncio would print what nobody looked at."""
    if not task.cancelled():
        task.exception()


async def _feed(ours: socket.socket, request: bytes) -> None:
    """Give the request to the worker, as fast as it reads."""
    loop = asyncio.get_running_loop()
    # A worker that wants no more has closed its door, and there it says why.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for start in range(0, len(request), PIECE_MAX_BYTES):
            part = request[start : start + PIECE_MAX_BYTES]
            await loop.sock_sendall(ours, pack(Say.DATA, 0, part))
        await loop.sock_sendall(ours, pack(Say.END, 0, b""))


async def _drain(ours: socket.socket, send: Callable[[bytes], Awaitable[None]]) -> bool:
    """Send on what the worker seals until it closes its door.

    Raises:
        RefusedError: the worker opened nothing, or broke the rules of its door.
    """
    loop = asyncio.get_running_loop()
    ear = Ear(Process.WORKER, Process.GATE)
    sent = False
    refused: Refusal | None = None
    while True:
        try:
            packet = await loop.sock_recv(ours, HEAD.size + PIECE_MAX_BYTES)
        except ConnectionResetError:
            continue  # it left with our words unread; what it had said is still there
        if not packet:
            break
        try:
            say, _, body = unpack(ear, packet)
            refused = Refusal(body.decode("ascii")) if say is Say.REFUSE else refused
        except (DoorError, ValueError) as error:
            raise RefusedError(Refusal.UNAVAILABLE) from error
        if say is Say.CHUNK:
            await send(body)
            sent = True
    if refused is not None:
        raise RefusedError(refused)
    return sent
