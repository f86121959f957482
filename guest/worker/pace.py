# SPDX-License-Identifier: Apache-2.0
"""The clock of an answer: what leaves, leaves on the tick, whatever the model does.

While an event stream is open, each tick sends one record of fixed size, filled with a comment when
there is nothing to say; so sizes and times on the wire tell how long an answer took and nothing
about its words (design §4). A batch answer gets a slow sign of life instead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from guest.channel import GoneError
from guest.worker.reply import ChunkedReply
from wire.sse import RecordShaper

HEARTBEAT_MS: Final = 4000  # some relays cut what is silent for ten seconds


class Pace:
    """Calls ``beat`` once per tick on a thread of its own until the block is left."""

    def __init__(self, tick_ms: int, beat: Callable[[], bool]) -> None:
        self._tick_s = tick_ms / 1000
        self._beat = beat
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.gone = False  # the gate or the keyholder has closed its door

    def __enter__(self) -> Self:
        """Start the clock."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the clock; what was started is finished."""
        self._over.set()
        self._thread.join()

    def drained(self) -> None:
        """Wait until ``beat`` says that it has nothing left."""
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._tick_s):
            try:
                if self._beat():
                    return
            except GoneError:
                self.gone = True
                return


class EventStream:
    """An open event stream: events are pushed by one thread and leave as records by another."""

    def __init__(self, reply: ChunkedReply) -> None:
        self._reply = reply
        self._shaper = RecordShaper()
        self._lock = threading.Lock()
        self._complete = False

    def push(self, event: bytes, *, last: bool = False) -> None:
        """Queue one written event; ``last`` closes the stream once it has left."""
        with self._lock:
            self._shaper.push(event)
            self._complete = last

    def beat(self) -> bool:
        """Send the next record; True when it was the last."""
        with self._lock:
            record = self._shaper.record()
            last = self._complete and not self._shaper.pending
        self._reply.record(record, last=last)
        return last
