# SPDX-License-Identifier: Apache-2.0
"""Connections to the gate: how many there may be, and how much each may send unread.

grpclib bounds neither, so each connection passes a turnstile first (ADR 0005). One ingress needs
one connection; whoever opens more than `CONNECTIONS_MAX` has the newest ones closed at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any, Final

from grpclib.config import Configuration
from grpclib.server import Server
from h2.connection import H2Connection

CONNECTIONS_MAX: Final = 64
# h2 remembers how closed streams ended, for late frames; its own limit of 65536 is 11 MB.
CLOSED_STREAMS_MAX: Final = 1024
# What the host may send before the gate has read it: per exchange, and per connection.
FLOW: Final = Configuration(
    http2_stream_window_size=65535, http2_connection_window_size=4 * 1024 * 1024
)


class GateServer(Server):  # type: ignore[misc]  # grpclib is not type-checked here
    """grpclib's server behind a turnstile, and without a log."""

    def __init__(self, services: Collection[Any]) -> None:
        quiet = logging.getLogger("grpclib")  # its records may quote what came over the network
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        H2Connection.MAX_CLOSED_STREAMS = CLOSED_STREAMS_MAX
        super().__init__(services, config=FLOW)
        self._open: set[Turnstile] = set()

    def _protocol_factory(self) -> Turnstile:
        return Turnstile(super()._protocol_factory(), self._open)


class Turnstile(asyncio.Protocol):
    """Passes one connection on to ``inner``, unless ``open_now`` is full."""

    def __init__(self, inner: asyncio.Protocol, open_now: set[Turnstile]) -> None:
        self._inner = inner
        self._open = open_now

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or close it."""
        if len(self._open) >= CONNECTIONS_MAX and isinstance(transport, asyncio.Transport):
            transport.abort()
            return
        self._open.add(self)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of a connection that was let in."""
        if self in self._open:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """The host half-closed."""
        return self._inner.eof_received() if self in self._open else None

    def pause_writing(self) -> None:
        """The host reads too slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The host reads again."""
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over; its place is free."""
        if self in self._open:
            self._open.discard(self)
            self._inner.connection_lost(exc)
