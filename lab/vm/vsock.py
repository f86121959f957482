# SPDX-License-Identifier: Apache-2.0
"""Connections to a guest through its vsock device in user space, and a TCP address for them.

The device takes an AF_UNIX connection, hears ``CONNECT PORT`` and, once the guest has taken the
connection, says ``OK …``; from then on the bytes are the guest's (the protocol of Firecracker's
vsock, docs/vsock.md there). A program that knows only TCP, or the host's own vsock, comes through
a `Shuttle`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab.vm.errors import VmError

GATE_PORT: Final = 5000
JOURNAL_PORT: Final = 5001
TSM_PORT: Final = 5002

CONNECT_MAX_S: Final = 20.0
GREETING_MAX_BYTES: Final = 32
PIECE_BYTES: Final = 65536
BACKLOG: Final = 16
_POLL_S: Final = 0.1


def connect(vsock: Path, port: int, *, wait_s: float = CONNECT_MAX_S) -> socket.socket:
    """A connection to a port of the guest, tried again until it is taken.

    Raises:
        VmError: nobody took it within ``wait_s``.
    """
    until = time.monotonic() + wait_s
    got = "nothing"
    while True:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(max(_POLL_S, until - time.monotonic()))
            link.connect(str(vsock))
            link.sendall(f"CONNECT {port}\n".encode("ascii"))
            if _is_taken(link):
                link.settimeout(None)
                return link
            got = "the end of the connection"
        except OSError as error:
            got = error.strerror or type(error).__name__
        link.close()
        if time.monotonic() > until:
            raise VmError(f"vsock port {port}", "a connection to the guest", got)
        time.sleep(_POLL_S)


def _is_taken(link: socket.socket) -> bool:
    """Whether the device says OK; read by the byte, as the guest's own bytes come right behind."""
    greeting = b""
    while not greeting.endswith(b"\n") and len(greeting) < GREETING_MAX_BYTES:
        byte = link.recv(1)
        if not byte:
            return False
        greeting += byte
    return greeting.startswith(b"OK ")


class Shuttle:
    """A TCP address on loopback; what connects to it is connected to a port of the guest."""

    def __init__(
        self, vsock: Path, port: int = GATE_PORT, *, wait_s: float = CONNECT_MAX_S
    ) -> None:
        """Listen, on a port of the system's choice; the guest has ``wait_s`` to take each."""
        self._vsock, self._guest_port, self._wait_s = vsock, port, wait_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self._links: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def address(self) -> str:
        """HOST:PORT."""
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

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
        """End every connection and listen no more."""
        _end(self._listener)
        self._accepting.join()
        with self._lock:
            for link in self._links:
                _end(link)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            far = connect(self._vsock, self._guest_port, wait_s=self._wait_s)
        except VmError:
            near.close()
            return
        with self._lock:
            self._links |= {near, far}
        back = threading.Thread(target=_pump, args=(far, near), daemon=True)
        back.start()
        _pump(near, far)
        back.join()
        with self._lock:
            self._links -= {near, far}
        near.close()
        far.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass bytes on until there are no more, and then their end."""
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _end(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
