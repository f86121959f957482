# SPDX-License-Identifier: Apache-2.0
"""A room: a verified guest behind a relay, and the requests that are sealed to it.

The rules of the exchange are here. Evidence is verified before anything is sealed, and anew before
its time is up. A key that the guest no longer has costs one refresh of the evidence and one new
encryption, never more. No ciphertext is sent twice, whatever happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from attest import VerifiedGuest
from sealroom import task
from sealroom.answer import AnswerReader
from sealroom.errors import StaleKey
from sealroom.evidence import Verified, verify_evidence
from sealroom.exchange import seal
from sealroom.stream import Answer, AsyncStream, Exchange, Phase
from sealroom.task import Task
from sealroom.timing import Stopwatch, milliseconds
from sealroom.transport import Transport
from sealroom.trust import Trust
from wire.api import EVENT_STREAM, JSON, Message, Tone

# Evidence with less time left than this is fetched and verified anew before it is used.
REFRESH_BEFORE = timedelta(seconds=60)


def wall_clock() -> datetime:
    """The device's own clock."""
    return datetime.now(UTC)


class AsyncRoom:
    """Asks one guest at a time, through one relay. Made by `sealroom.aio.connect`."""

    def __init__(
        self,
        transport: Transport,
        trust: Trust,
        *,
        now: Callable[[], datetime],
        on_phase: Callable[[Phase], None],
    ) -> None:
        self._transport = transport
        self._trust = trust
        self._now = now
        self._on_phase = on_phase
        self._verified: Verified | None = None
        self._refreshing = asyncio.Lock()

    @property
    def guest(self) -> VerifiedGuest:
        """The guest that requests are sealed to now; it changes when evidence is renewed."""
        if self._verified is None:
            raise RuntimeError("guest: asked for before the evidence was verified")
        return self._verified.guest

    async def verify(self) -> VerifiedGuest:
        """Fetches the evidence and verifies it; from then on, this is the guest.

        Raises:
            NotTrusted: it did not verify. Nothing is sealed to this guest.
            Unreachable, Busy, Deadline: there was none.
        """
        return (await self._renew(self._verified)).guest

    async def ask(self, asked: Task) -> Answer:
        """The answer in one piece: on the wire nothing tells when which word came.

        Raises:
            SealroomError: there is no complete answer; see the classes of `sealroom.errors`.
        """
        return await self._stream(asked, JSON).rest()

    def ask_stream(self, asked: Task) -> AsyncStream:
        """The answer piece by piece. What goes wrong is raised by the iterator."""
        return self._stream(asked, EVENT_STREAM)

    async def summarize(self, messages: Iterable[Message]) -> Answer:
        """The summary of a chat, in one piece; raises as `task.summarize` and `ask` do."""
        return await self.ask(task.summarize(messages))

    def summarize_stream(self, messages: Iterable[Message]) -> AsyncStream:
        """The summary of a chat, piece by piece; raises as `task.summarize` does."""
        return self.ask_stream(task.summarize(messages))

    async def rewrite(self, text: str, tone: Tone | str) -> Answer:
        """`text` in another wording, in one piece; raises as `task.rewrite` and `ask` do."""
        return await self.ask(task.rewrite(text, tone))

    def rewrite_stream(self, text: str, tone: Tone | str) -> AsyncStream:
        """`text` in another wording, piece by piece; raises as `task.rewrite` does."""
        return self.ask_stream(task.rewrite(text, tone))

    async def aclose(self) -> None:
        """Gives up what is still open."""
        await self._transport.aclose()

    def _stream(self, asked: Task, accept: str) -> AsyncStream:
        async def start() -> Exchange:
            verified = await self._current()
            try:
                return await self._send(asked, accept, verified)
            except StaleKey:
                # A hint in the clear, perhaps of the relay's making: it buys one look at the
                # evidence, verified like the first, and nothing weaker.
                return await self._send(asked, accept, await self._renew(verified))

        return AsyncStream(start, self._on_phase)

    async def _send(self, asked: Task, accept: str, verified: Verified) -> Exchange:
        clock = asyncio.get_running_loop().time
        self._on_phase(Phase.SEALING)
        started = clock()
        sealed = seal(verified.guest, asked.path, asked.content, media=JSON, accept=accept)
        watch = Stopwatch(started=started, sealed=clock())
        self._on_phase(Phase.WAITING)
        body = await self._transport.post(sealed.target, sealed.body)
        return Exchange(verified, AnswerReader(sealed.opener, verified.guest), body, watch)

    async def _current(self) -> Verified:
        """The guest to seal to: the one at hand while its evidence has time left."""
        verified = self._verified
        if verified is None or verified.guest.expires - self._now() < REFRESH_BEFORE:
            return await self._renew(verified)
        return verified

    async def _renew(self, old: Verified | None) -> Verified:
        """Newer evidence than `old`, verified; many may ask at once, and one fetch serves all."""
        async with self._refreshing:
            if self._verified is not None and self._verified is not old:
                return self._verified
            # What fails to verify leaves no guest behind to seal to.
            self._verified = None
            self._on_phase(Phase.VERIFYING)
            clock = asyncio.get_running_loop().time
            started = clock()
            data = await self._transport.fetch_evidence()
            fetched = clock()
            guest = verify_evidence(data, self._trust, now=self._now())
            self._verified = Verified(
                guest,
                data,
                fetch_ms=milliseconds(fetched - started),
                verify_ms=milliseconds(clock() - fetched),
            )
            return self._verified
