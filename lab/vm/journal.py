# SPDX-License-Identifier: Apache-2.0
"""The guest's journal as the host reads it: one JSON object a line, of the events it may write.

Lines are the guest's word and nothing more. One that is no JSON object is kept as a failure, since
the guest has no way to write one (`guest.journal`).
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from lab.vm.errors import VmError

LINE_MAX_BYTES: Final = 4096
LINES_MAX: Final = 100_000
_PIECE_BYTES: Final = 4096
_POLL_S: Final = 0.5

Line = dict[str, Any]


class Journal:
    """The lines of one guest, in the order in which they came."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.strange: list[bytes] = []
        self._news = threading.Condition()

    def read(self, link: socket.socket) -> None:
        """Read a stream to its end; called by `lab.vm.callers`."""
        rest = b""
        while piece := link.recv(_PIECE_BYTES):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                self._keep(line)
            if len(rest) > LINE_MAX_BYTES:
                break
        if rest:
            self._keep(rest)

    def _keep(self, line: bytes) -> None:
        try:
            read = json.loads(line[:LINE_MAX_BYTES])
        except ValueError:
            read = None
        with self._news:
            if isinstance(read, dict) and len(self.lines) < LINES_MAX:
                self.lines.append(read)
            else:
                self.strange.append(line)
            self._news.notify_all()

    def named(self, event: str) -> list[Line]:
        """The lines with this event."""
        return [line for line in tuple(self.lines) if line.get("event") == event]

    def wait(self, event: str, *, within_s: float, alive: Callable[[], bool]) -> Line:
        """The first line with this event, waited for while the guest is ``alive``.

        Raises:
            VmError: it did not come; what came is in the text.
        """
        until = time.monotonic() + within_s
        with self._news:
            while not (found := self.named(event)):
                if self.strange or not alive() or time.monotonic() > until:
                    raise VmError("journal", f"the event {event}", self.told())
                self._news.wait(_POLL_S)
        return found[0]

    def told(self) -> str:
        """The last lines, for an error's text."""
        last = [json.dumps(line, separators=(",", ":")) for line in self.lines[-8:]]
        last += [repr(line) for line in self.strange[:2]]
        return " ".join(last) or "no line"
