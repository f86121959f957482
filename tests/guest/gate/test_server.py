# SPDX-License-Identifier: Apache-2.0
"""Connections to the gate, over real sockets: one too many is closed, a freed place is given."""

import asyncio

from guest.gate.server import CONNECTIONS_MAX, GateServer


async def _is_open(reader: asyncio.StreamReader) -> bool:
    """An HTTP/2 server speaks first: its settings, or nothing and the end."""
    try:
        return bool(await reader.read(1))
    except ConnectionResetError:
        return False


def test_one_connection_too_many_is_closed_and_a_freed_place_is_given_again() -> None:
    async def scene() -> tuple[list[bool], bool, bool]:
        server = GateServer([])
        await server.start("127.0.0.1", 0)
        assert server._server is not None
        port = server._server.sockets[0].getsockname()[1]
        let_in = []
        connections = []
        for _ in range(CONNECTIONS_MAX):
            connections.append(await asyncio.open_connection("127.0.0.1", port))
            let_in.append(await _is_open(connections[-1][0]))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        refused = not await _is_open(reader)
        writer.close()
        connections[0][1].close()
        await connections[0][1].wait_closed()
        again = False
        for _ in range(100):  # the server notices the free place in its own time
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            again = await _is_open(reader)
            writer.close()
            if again:
                break
            await asyncio.sleep(0.01)
        for _, open_writer in connections:
            open_writer.close()
        server.close()
        await server.wait_closed()
        return let_in, refused, again

    let_in, refused, again = asyncio.run(scene())
    assert all(let_in)
    assert refused
    assert again
