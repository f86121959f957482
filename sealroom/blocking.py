# SPDX-License-Identifier: Apache-2.0
"""The SDK without asyncio: the same room, driven by one event loop in a thread of its own.

No rule is written here a second time. A room may be used by several threads at once; an interrupt
(Ctrl-C) while waiting cancels what was waited for.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Self, TypeVar

from attest import VerifiedGuest
from sealroom import aio, task
from sealroom.room import AsyncRoom, wall_clock
from sealroom.stream import Answer, AsyncStream, Phase, no_progress
from sealroom.task import Task
from sealroom.timeouts import DEFAULT, Timeouts
from sealroom.trust import Trust
from wire.api import Message, Tone

_T = TypeVar("_T")


class _LoopThread:
    """An event loop in its own thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sealroom", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[object, object, _T]) -> _T:
        """What `work` returns or raises. It is cancelled if the wait for it is interrupted."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("room: used after it was closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def stop(self) -> None:
        """Ends what is still running, then the thread."""
        self.run(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @staticmethod
    async def _cancel_all() -> None:
        """Every other task has ended: one that was interrupted may still be closing its socket."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class Stream:
    """The pieces of one answer. Iterate it to its end, or close it."""

    def __init__(self, stream: AsyncStream, loop: _LoopThread) -> None:
        self._stream = stream
        self._loop = loop

    @property
    def answer(self) -> Answer:
        """The complete answer, once the iterator has ended.

        Raises:
            RuntimeError: it has not ended, or not well.
        """
        return self._stream.answer

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        piece = self._loop.run(self._stream.next_piece())
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Gives up an answer that is not wanted any more; the guest then ends its room."""

        async def close() -> None:
            self._stream.close()

        self._loop.run(close())


class Room:
    """A verified guest behind a relay. Made by `sealroom.connect`."""

    def __init__(self, room: AsyncRoom, loop: _LoopThread) -> None:
        self._room = room
        self._loop = loop

    @property
    def guest(self) -> VerifiedGuest:
        """The guest that requests are sealed to now; it changes when evidence is renewed."""
        return self._room.guest

    def ask(self, asked: Task) -> Answer:
        """The answer in one piece: on the wire nothing tells when which word came.

        Raises:
            SealroomError: there is no complete answer; see the classes of `sealroom.errors`.
        """
        return self._loop.run(self._room.ask(asked))

    def ask_stream(self, asked: Task) -> Stream:
        """The answer piece by piece. What goes wrong is raised by the iterator."""
        return Stream(self._room.ask_stream(asked), self._loop)

    def summarize(self, messages: Iterable[Message]) -> Answer:
        """The summary of a chat, in one piece; raises as `task.summarize` and `ask` do."""
        return self.ask(task.summarize(messages))

    def summarize_stream(self, messages: Iterable[Message]) -> Stream:
        """The summary of a chat, piece by piece; raises as `task.summarize` does."""
        return self.ask_stream(task.summarize(messages))

    def rewrite(self, text: str, tone: Tone | str) -> Answer:
        """`text` in another wording, in one piece; raises as `task.rewrite` and `ask` do."""
        return self.ask(task.rewrite(text, tone))

    def rewrite_stream(self, text: str, tone: Tone | str) -> Stream:
        """`text` in another wording, piece by piece; raises as `task.rewrite` does."""
        return self.ask_stream(task.rewrite(text, tone))


@contextmanager
def connect(
    relay: str | None = None,
    *,
    trust: Trust,
    timeouts: Timeouts = DEFAULT,
    now: Callable[[], datetime] = wall_clock,
    on_phase: Callable[[Phase], None] = no_progress,
) -> Iterator[Room]:
    """A room of a guest that has verified; nothing was sealed yet.

    `relay` is asked instead of the relay in the trust file. `now` tells the time by which evidence
    is judged. `on_phase` is called as each phase of an exchange begins, in another thread.

    Raises:
        NotTrusted: the guest's evidence did not verify.
        Unreachable, Busy, Deadline: there was none.
        ValueError: `relay` is not the URL of a relay.
    """
    loop = _LoopThread()
    try:
        entry = aio.connect(relay, trust=trust, timeouts=timeouts, now=now, on_phase=on_phase)
        room = loop.run(entry.__aenter__())
        try:
            yield Room(room, loop)
        finally:
            loop.run(entry.__aexit__(None, None, None))
    finally:
        loop.stop()
