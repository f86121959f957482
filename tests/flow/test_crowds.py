# SPDX-License-Identifier: Apache-2.0
"""Five hundred who ask for evidence at once cost the platform nothing: it signed once per epoch."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from grpclib.client import Channel as Client
from typing_extensions import override

from guest.channel import pair
from guest.door import Process, Say
from guest.gate.exchange import Exchanges
from guest.gate.links import Links
from guest.gate.server import GateServer
from guest.gate.service import Service
from guestapi.guest_grpc import GuestStub
from guestapi.guest_pb2 import EvidenceReply, EvidenceRequest
from lab.mocktsm import MockSnp, MockTsm
from tests.flow.client import EVIDENCE, Reply, ask
from tests.flow.site import Site, together
from tests.guest.gate.house import LIMITS
from tests.guest.keyholder.hall import hall

pytestmark = pytest.mark.slow

CROWD = 500
CONNECTIONS = 5


class CountingTsm(MockTsm):
    """The mock platform, which counts how often a report was made."""

    reports = 0

    @override
    def write(self, name: str, attribute: str, data: bytes) -> None:
        self.reports += attribute == "inblob"
        super().write(name, attribute, data)


def test_five_hundred_at_the_gate_get_what_the_platform_signed_once() -> None:
    platform = CountingTsm(MockSnp())

    async def crowd() -> list[EvidenceReply]:
        async with asyncio.timeout(60), hall(platform) as it, AsyncExitStack() as stack:
            links = Links()
            near, far = pair()
            with far:
                it.init.say(Say.LINK, body=Process.GATE.encode(), fds=(far.fileno(),))
            links.adopt(Process.KEYHOLDER, near.detach())
            while links.publication is None:  # noqa: ASYNC110 - it comes over a socket
                await asyncio.sleep(0.01)
            server = GateServer([Service(links, Exchanges(links, LIMITS), lacking=())])
            await server.start("127.0.0.1", 0)
            port = server._server.sockets[0].getsockname()[1]
            clients = [
                await stack.enter_async_context(Client("127.0.0.1", port))
                for _ in range(CONNECTIONS)
            ]
            stubs = [GuestStub(client) for client in clients]
            asked = [stubs[n % CONNECTIONS].Evidence(EvidenceRequest()) for n in range(CROWD)]
            replies: list[EvidenceReply] = await asyncio.gather(*asked)
            server.close()
            links._drop(Process.KEYHOLDER)
            return replies

    replies = asyncio.run(crowd())
    assert len(replies) == CROWD
    assert len({reply.SerializeToString(deterministic=True) for reply in replies}) == 1
    assert platform.reports == 1


def test_five_hundred_at_the_relay_get_the_same_or_are_told_busy(house: Site) -> None:
    def fetch(_: int) -> Reply:
        return ask(house.lab.relay_url, "GET", EVIDENCE)

    with together(100) as pool:
        replies = list(pool.map(fetch, range(CROWD)))
    assert {reply.status for reply in replies} <= {200, 503}
    assert len({reply.body for reply in replies if reply.status == 200}) == 1
    assert {reply.word for reply in replies if reply.status == 503} <= {"busy"}
    assert house.serves().text
