# SPDX-License-Identifier: Apache-2.0
"""A message is refused before memory is taken for it, on either side of a real connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpclib.client import Channel
from grpclib.server import Server
from typing_extensions import override

from guestapi import MESSAGE_MAX_BYTES
from guestapi.guest_grpc import GuestBase, GuestStub
from guestapi.guest_pb2 import ExchangeIn, ExchangeOut
from guestapi.receive import MessageError, receive

PATIENCE_S = 20.0


class Reading(GuestBase):
    """A guest that reads one message and says what became of it."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @override
    async def Exchange(self, stream: Any) -> None:
        try:
            self.outcome.set_result(await receive(stream, max_bytes=MESSAGE_MAX_BYTES))
        except MessageError as error:
            self.outcome.set_exception(error)

    @override
    async def Evidence(self, stream: Any) -> None:
        await stream.cancel()

    @override
    async def Health(self, stream: Any) -> None:
        await stream.cancel()


def received(wire: bytes, *, ended: bool) -> Any:
    """What `receive` makes of these bytes of HTTP/2 data, on the server's side."""

    async def run() -> Any:
        guest = Reading()
        server = Server([guest])
        await server.start("127.0.0.1", 0)
        port = server._server.sockets[0].getsockname()[1]
        channel = Channel("127.0.0.1", port)
        try:
            async with asyncio.timeout(PATIENCE_S):
                stream = GuestStub(channel).Exchange.open()
                await stream.__aenter__()
                await stream.send_request()
                await stream._stream.send_data(wire, end_stream=ended)
                return await guest.outcome
        finally:
            channel.close()
            server.close()
            await server.wait_closed()

    return asyncio.run(run())


def framed(message: bytes, *, compressed: int = 0) -> bytes:
    return bytes([compressed]) + len(message).to_bytes(4, "big") + message


def test_a_message_is_read() -> None:
    message = ExchangeIn(chunk=b"x" * 65536)
    assert received(framed(message.SerializeToString()), ended=False) == message


def test_the_end_is_none() -> None:
    assert received(b"", ended=True) is None


@pytest.mark.parametrize(
    ("wire", "problem"),
    [
        (b"\x00\xff\xff\xff\xff", "wanted at most 65600 bytes, got 4294967295"),
        (b"\x00" + (MESSAGE_MAX_BYTES + 1).to_bytes(4, "big"), "got 65601"),
        (framed(b"\x12\x01a")[:-1], "ended in the middle"),
        (b"\x00\x00", "ended in the middle"),
        (framed(b"\x12\x01a", compressed=1), "is compressed"),
        (framed(b"\xff\xff\xff"), "is not protobuf"),
    ],
    ids=["4-GiB", "one-too-many", "cut", "cut-in-the-length", "compressed", "no-protobuf"],
)
def test_a_malformed_message_is_an_error(wire: bytes, problem: str) -> None:
    with pytest.raises(MessageError, match=problem):
        received(wire, ended=True)


def test_the_client_side_has_the_same_limit() -> None:
    class Flooding(Reading):
        @override
        async def Exchange(self, stream: Any) -> None:
            await stream.send_message(ExchangeOut(chunk=b"x" * 1000))

    async def run() -> None:
        server = Server([Flooding()])
        await server.start("127.0.0.1", 0)
        channel = Channel("127.0.0.1", server._server.sockets[0].getsockname()[1])
        try:
            async with GuestStub(channel).Exchange.open() as stream:
                await stream.send_request()
                await stream.end()
                with pytest.raises(MessageError, match="wanted at most 999 bytes, got 1003"):
                    await receive(stream, max_bytes=999)
        finally:
            channel.close()
            server.close()
            await server.wait_closed()

    asyncio.run(run())
