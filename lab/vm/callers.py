# SPDX-License-Identifier: Apache-2.0
"""The host's side of the ports that a guest calls: one thread listens, one serves each caller."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from lab.vm.errors import VmError

BACKLOG: Final = 16
OPEN_MAX: Final = 64
"""Connections of one guest at a time; one more is closed at once, as the guest is broken."""

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
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ending: object) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more, end every connection and wait for their threads."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        with self._lock:
            serving = dict(self._open)
            for link in serving:
                with contextlib.suppress(OSError):
                    link.shutdown(socket.SHUT_RDWR)
        for thread in serving.values():
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return  # closed
            with self._lock:
                if len(self._open) == OPEN_MAX:
                    link.close()
                    continue
                thread = threading.Thread(target=self._one, args=(link,), daemon=True)
                self._open[link] = thread
                thread.start()

    def _one(self, link: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):  # a guest may go away in mid-sentence
                self._serve(link)
        except VmError as error:
            self.failures.append(error)
        finally:
            with self._lock:
                del self._open[link]
                link.close()
