# SPDX-License-Identifier: Apache-2.0
"""Where a guest is: `tcp:HOST:PORT` or `vsock:CID:PORT`, and the gRPC channel to it.

This file owns both spellings and the one difference between them. grpclib speaks HTTP/2 over any
asyncio transport, so a guest in a VM is reached through a connected AF_VSOCK socket.
"""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from grpclib.client import Channel
from grpclib.config import Configuration
from h2.connection import H2Connection
from typing_extensions import override

from services.limits import CONNECT_S

WINDOW_BYTES: Final = 131072
"""Bytes of one answer that a guest may send before we have passed them on (HTTP/2 window)."""
CONNECTION_WINDOW_BYTES: Final = 16777216
"""The same for all answers of one guest together."""
CLOSED_STREAMS_MAX: Final = 1024
"""Closed streams of a connection that h2 remembers, for late frames; its own 65536 take 11 MB."""
KEEPALIVE_S: Final = 20.0
"""A guest whose machine died without a word is noticed after about twice this time."""

_ADDRESS: Final = {
    "tcp": re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]/\s]+)):([1-9][0-9]{0,4})\Z", re.ASCII),
    "vsock": re.compile(r"(0|[1-9][0-9]{0,9}):([1-9][0-9]{0,9})\Z", re.ASCII),
}


class Transport(StrEnum):
    """How a guest is reached."""

    TCP = "tcp"
    VSOCK = "vsock"


class AddressError(ValueError):
    """A guest address in no known spelling.

    Attributes:
        got: the text.
    """

    def __init__(self, got: str) -> None:
        super().__init__(f"guest address: wanted tcp:HOST:PORT or vsock:CID:PORT, got {got!r}")
        self.got = got


@dataclass(frozen=True, slots=True)
class GuestAddress:
    """Where one guest listens. `host` is a name or IP address, or a vsock context id."""

    transport: Transport
    host: str
    port: int


def parse_address(text: str) -> GuestAddress:
    """The address that `text` names.

    Raises:
        AddressError: any other spelling, or a number out of range.
    """
    transport, _, rest = text.partition(":")
    match = _ADDRESS[transport].match(rest) if transport in _ADDRESS else None
    if match is None:
        raise AddressError(text)
    *hosts, port = match.groups()
    host = next(part for part in hosts if part is not None)
    address = GuestAddress(Transport(transport), host, int(port))
    is_vsock = address.transport is Transport.VSOCK
    port_max = 0xFFFFFFFF if is_vsock else 0xFFFF
    if address.port > port_max or (is_vsock and int(host) > 0xFFFFFFFF):
        raise AddressError(text)
    return address


class GuestChannel(Channel):  # type: ignore[misc]  # grpclib is not type-checked here
    """A grpclib channel that connects on demand, over TCP or vsock, within CONNECT_S."""

    def __init__(self, address: GuestAddress) -> None:
        config = Configuration(
            _keepalive_time=KEEPALIVE_S,
            _keepalive_timeout=KEEPALIVE_S,
            http2_connection_window_size=CONNECTION_WINDOW_BYTES,
            http2_stream_window_size=WINDOW_BYTES,
        )
        H2Connection.MAX_CLOSED_STREAMS = CLOSED_STREAMS_MAX
        super().__init__(address.host, address.port, config=config)
        self._address = address

    @override
    async def _create_connection(self) -> Any:
        async with asyncio.timeout(CONNECT_S):
            if self._address.transport is Transport.TCP:
                return await super()._create_connection()
            return await self._connect_vsock()

    async def _connect_vsock(self) -> Any:
        loop = asyncio.get_running_loop()
        link = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        try:
            link.setblocking(False)
            await loop.sock_connect(link, (int(self._address.host), self._address.port))
            _, protocol = await loop.create_connection(self._protocol_factory, sock=link)
        except BaseException:
            link.close()
            raise
        return protocol
