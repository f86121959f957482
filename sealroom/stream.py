# SPDX-License-Identifier: Apache-2.0
"""One exchange, from the sealed request to the complete answer, piece by piece.

An iterator that ends without an exception has given the whole text of a complete answer, and only
then is there an `answer`. Whatever else ends it raises, with what had come in `partial`.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from attest import VerifiedGuest
from attest.receipt import Receipt
from sealroom.answer import AnswerReader, Complete
from sealroom.errors import SealroomError
from sealroom.evidence import Verified
from sealroom.receipts import SignedReceipt
from sealroom.timing import Stopwatch, Timing, timing
from sealroom.transport import Body
from wire.api import Done


class Phase(enum.StrEnum):
    """What an exchange is doing, for whoever shows progress. STREAMING is from the first word."""

    VERIFYING = "verifying"
    SEALING = "sealing"
    WAITING = "waiting"
    STREAMING = "streaming"


def no_progress(phase: Phase) -> None:
    """Shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer: its final chunk opened and its receipt held.

    Attributes:
        text: the summary or the new wording.
        done: how the guest's work ended, and its counts.
        receipt: what the guest says became of the room.
        guest: the guest that it was sealed to.
        timing: where the time went.
        signed_receipt: the receipt in a form to keep.
    """

    text: str = field(repr=False)
    done: Done
    receipt: Receipt
    guest: VerifiedGuest
    timing: Timing
    signed_receipt: SignedReceipt = field(repr=False)


@dataclass(slots=True)
class Exchange:
    """An exchange whose request was sent and whose answer has begun."""

    verified: Verified
    reader: AnswerReader
    body: Body
    watch: Stopwatch

    def complete(self, complete: Complete, ended: float) -> Answer:
        """The answer, `ended` being the instant at which its receipt had been checked."""
        return Answer(
            text=complete.text,
            done=complete.done,
            receipt=complete.receipt,
            guest=self.verified.guest,
            timing=timing(
                self.watch,
                ended,
                fetch_ms=self.verified.fetch_ms,
                verify_ms=self.verified.verify_ms,
                done=complete.done,
                receipt=complete.receipt,
            ),
            signed_receipt=SignedReceipt(
                complete.receipt_bytes, complete.signature, self.verified.evidence
            ),
        )


class AsyncStream:
    """The pieces of one answer. Iterate it to its end, or close it."""

    def __init__(
        self, start: Callable[[], Awaitable[Exchange]], on_phase: Callable[[Phase], None]
    ) -> None:
        self._start = start
        self._on_phase = on_phase
        self._starting: asyncio.Future[Exchange] | None = None
        self._exchange: Exchange | None = None
        self._answer: Answer | None = None
        self._closed = False

    @property
    def answer(self) -> Answer:
        """The complete answer, once the iterator has ended.

        Raises:
            RuntimeError: it has not ended, or not well.
        """
        if self._answer is None:
            raise RuntimeError("answer: asked for before the stream had ended well")
        return self._answer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        piece = await self.next_piece()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def next_piece(self) -> str | None:
        """The next piece of text, never empty; None at the end of a complete answer.

        Raises:
            SealroomError: there is no complete answer; what had come is in its `partial`.
            RuntimeError: the stream was closed, or has failed before.
        """
        while self._answer is None:
            if self._closed:
                raise RuntimeError("stream: used after it was closed or had failed")
            try:
                piece = await self._advance()
            except BaseException as error:
                if isinstance(error, SealroomError) and self._exchange is not None:
                    error.partial = self._exchange.reader.text
                self.close()
                raise
            if piece:
                return piece
        return None

    async def rest(self) -> Answer:
        """Reads to the end.

        Raises:
            SealroomError: there is no complete answer; what had come is in its `partial`.
        """
        while await self.next_piece() is not None:
            pass
        return self.answer

    def close(self) -> None:
        """Gives up an answer that is not wanted any more; the guest then ends its room."""
        self._closed = True
        if self._exchange is not None:
            self._exchange.body.close()
        elif self._starting is not None:
            self._starting.cancel()

    async def _begin(self) -> None:
        """The request goes out, unless the stream is closed while it waits for its answer."""
        self._starting = asyncio.ensure_future(self._start())
        try:
            self._exchange = await self._starting
        except asyncio.CancelledError:
            if self._closed:
                raise RuntimeError("stream: closed while it waited") from None
            raise

    async def _advance(self) -> str:
        """One step: the request goes out, or some bytes come in, or the end is checked."""
        exchange = self._exchange
        if exchange is None:
            await self._begin()
            return ""
        clock = asyncio.get_running_loop().time
        silent = not exchange.reader.text
        if data := await exchange.body.read():
            if exchange.watch.first_byte is None:
                exchange.watch.first_byte = clock()
            piece = exchange.reader.receive(data)
        else:
            piece, complete = exchange.reader.finish()
            self._answer = exchange.complete(complete, clock())
            self.close()
        if piece and silent:
            self._on_phase(Phase.STREAMING)
        return piece
