# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 by hand, so that a test sees and sends exact bytes: a client and a scripted gateway."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CHUNKED = "message/ohttp-chunked-req"
CHUNKED_RES = "message/ohttp-chunked-res"
WHOLE = "message/ohttp-req"
WHOLE_RES = "message/ohttp-res"
PATH = "/t/0123456789abcdef"
# A test waits this long for something that must come, and then fails.
PATIENCE_S = 20.0


@dataclass
class Head:
    """A parsed message head: the first line and the fields, names in lower case."""

    first: str
    fields: list[tuple[str, str]]

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.fields}


async def read_head(reader: asyncio.StreamReader) -> Head:
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = text.removesuffix("\r\n\r\n").split("\r\n")
    fields = [line.split(": ", 1) for line in lines]
    return Head(first, [(name.lower(), value) for name, value in fields])


async def read_pieces(reader: asyncio.StreamReader, head: Head) -> AsyncIterator[bytes]:
    """The body, one piece per HTTP chunk; raises IncompleteReadError when it was cut."""
    if "content-length" in head.names:
        yield await reader.readexactly(int(head["content-length"]))
    elif head.all("transfer-encoding") == ["chunked"]:
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)


async def read_body(reader: asyncio.StreamReader, head: Head) -> bytes:
    return b"".join([piece async for piece in read_pieces(reader, head)])


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@dataclass
class Client:
    """One connection to a service."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def start(
        self, method: str, path: str, fields: dict[str, str] | list[tuple[str, str]]
    ) -> None:
        pairs = fields.items() if isinstance(fields, dict) else fields
        lines = [f"{method} {path} HTTP/1.1", "Host: relay.example"]
        lines += [f"{name}: {value}" for name, value in pairs]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def head(self) -> Head:
        return await read_head(self.reader)

    async def body(self, head: Head) -> bytes:
        return await read_body(self.reader, head)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def ask(
    port: int,
    method: str,
    path: str,
    fields: dict[str, str] | list[tuple[str, str]] | None = None,
    body: bytes | None = None,
) -> tuple[Head, bytes]:
    """One request on its own connection; `body` is sent with Content-Length."""
    pairs = list(fields.items() if isinstance(fields, dict) else fields or [])
    if body is not None:
        pairs.append(("Content-Length", str(len(body))))
    async with asyncio.timeout(PATIENCE_S), connected(port) as client:
        await client.start(method, path, pairs)
        await client.send(body or b"")
        head = await client.head()
        return head, await client.body(head)


@dataclass
class Arrived:
    """One request as the gateway got it."""

    head: Head
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def body(self) -> bytes:
        return await read_body(self.reader, self.head)


GatewayScript = Callable[[Arrived], Awaitable[None]]


def response(
    status: int = 200,
    fields: dict[str, str] | None = None,
    body: bytes = b"",
) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


@dataclass
class Gateway:
    """A gateway that records every request head and answers by script, one per connection."""

    script: GatewayScript
    heads: list[Head] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await read_head(reader)
            self.heads.append(head)
            self.arrived.set()
            await self.script(Arrived(head, reader, writer))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.lost.set()
        finally:
            writer.close()


@asynccontextmanager
async def gateway(script: GatewayScript) -> AsyncIterator[Gateway]:
    made = Gateway(script)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
