# SPDX-License-Identifier: Apache-2.0
"""The host's side of the ports that a guest calls: one thread listens, one serves each caller."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab.vm.errors import VmError

BACKLOG: Final = 16
CALLERS_MAX: Final = 256
"""Calls of one guest over its life that are served; a guest that calls on and on is broken."""

Serve = Callable[[socket.socket], None]


class Callers:
    """Listens where the vsock device brings the guest's connections to one port of the host.

    Attributes:
        failures: what guests said that they must not.
    """

    def __init__(self, path: Path, serve: Serve) -> None:
        """Listen at ``path``; ``serve`` is called with each connection, in a thread of its own."""
        self.failures: list[VmError] = []
        self._serve = serve
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(BACKLOG)
        self._links: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more, end every connection and wait for their threads."""
        for end in (self._listener, *self._links):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while len(self._links) < CALLERS_MAX:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._links.append(link)
            thread = threading.Thread(target=self._one, args=(link,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _one(self, link: socket.socket) -> None:
        try:
            with link, contextlib.suppress(OSError):  # a guest may go away in mid-sentence
                self._serve(link)
        except VmError as error:
            self.failures.append(error)
