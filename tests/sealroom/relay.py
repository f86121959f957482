# SPDX-License-Identifier: Apache-2.0
"""A relay for the SDK's tests: a real HTTP server that shows what arrived and answers as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from sealroom.refusals import OHTTP_KEY_PROBLEM
from tests.sealroom.guest import Guest, Reply
from wire.ohttp import Mode

Handler = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


def always(make: Callable[[], web.Response], after_s: float = 0) -> Handler:
    """The same reply to whatever comes, perhaps late."""

    async def reply(_request: web.Request, _body: bytes) -> web.StreamResponse:
        await asyncio.sleep(after_s)
        return make()

    return reply


@dataclass
class Relay:
    """What a test may set, and what it may look at afterwards."""

    guest: Guest
    reply: Reply = field(default_factory=Reply)
    on_post: Handler | None = None
    on_evidence: Handler | None = None
    url: str = ""
    fetched: int = 0
    posts: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def _evidence(self, request: web.Request) -> web.StreamResponse:
        self.fetched += 1
        self.headers.append(request.headers)
        if self.on_evidence is not None:
            return await self.on_evidence(request, b"")
        return web.Response(body=self.guest.evidence, content_type="application/json")

    async def _post(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.posts.append(body)
        self.headers.append(request.headers)
        if self.on_post is not None:
            return await self.on_post(request, body)
        return await self.answer(request, body)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """The guest's sealed answer, or 422 if the target is not the guest's."""
        if request.match_info["target"] != self.guest.target:
            return problem(422, "unknown-key", OHTTP_KEY_PROBLEM)
        return await stream(request, self.reply.seal(self.guest, self.guest.open(body)))


@asynccontextmanager
async def serving(relay: Relay) -> AsyncIterator[Relay]:
    """Serves `relay` on a loopback port for as long as the block lasts."""
    app = web.Application(client_max_size=2**20)
    app.router.add_get("/.well-known/sealroom-evidence", relay._evidence)
    app.router.add_post("/t/{target}", relay._post)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    relay.url = f"http://{host}:{port}"
    try:
        yield relay
    finally:
        await runner.cleanup()


async def stream(
    request: web.Request, parts: list[bytes], media: str = Mode.CHUNKED.response_media
) -> web.StreamResponse:
    """Sends `parts` one by one and ends the body properly."""
    response = web.StreamResponse(headers={"Content-Type": media})
    await response.prepare(request)
    for part in parts:
        await response.write(part)
    await response.write_eof()
    return response


def problem(status: int, title: str, kind: str = "about:blank", **headers: str) -> web.Response:
    """A refusal in the clear, as a relay or an ingress writes it."""
    body = {"status": status, "title": title, "type": kind}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response(
        body, status=status, content_type="application/problem+json", headers=named
    )
