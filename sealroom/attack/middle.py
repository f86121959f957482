# SPDX-License-Identifier: Apache-2.0
"""A relay in the attacker's hands, between a device and the real relay.

It forwards what it does not spoil, so the rest of the way is the real one. What may be spoiled: the
evidence on its way to the device, where a request goes, and the parts of a sealed answer (the
framing of chunks is in the clear: draft-ietf-ohai-chunked-ohttp-08 §3).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from aiohttp import web

from attest.evidence import EVIDENCE_MAX_BYTES
from sealroom.attack.attack import UnclearError
from sealroom.exchange import SUITE
from sealroom.transport import RESPONSE_MAX_BYTES
from wire.chunks import CHUNK_MAX_BYTES
from wire.ohttp import Mode, response_nonce_bytes
from wire.varint import read_varint, varint_bytes

EVIDENCE: Final = "/.well-known/sealroom-evidence"
UPSTREAM_S: Final = 60.0
REQUEST_MAX_BYTES: Final = 1 << 20
NONCE_BYTES: Final = response_nonce_bytes(SUITE)

Parts = list[bytes]
Handler = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


def as_is(data: bytes) -> bytes:
    """Evidence that is not spoiled."""
    return data


def whole(parts: Parts) -> Parts:
    """An answer that is not spoiled."""
    return parts


@dataclass
class Middle:
    """What is spoiled, and what was seen.

    Attributes:
        upstream: the real relay.
        evidence: spoils the evidence object.
        answer: spoils the parts of an answer: nonce, chunks, final chunk.
        abort: whether the connection is broken off after the last part, and not ended.
        on_evidence, on_post: answer in the place of the real relay.
        posts: the bodies of requests that devices sent.
        parts: of the last answer, before it was spoiled.
    """

    upstream: str
    evidence: Callable[[bytes], bytes] = as_is
    answer: Callable[[Parts], Parts] = whole
    abort: bool = False
    on_evidence: Handler | None = None
    on_post: Handler | None = None
    url: str = ""
    fetched: int = 0
    posts: list[bytes] = field(default_factory=list)
    parts: Parts = field(default_factory=list)

    async def give_evidence(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for evidence."""
        self.fetched += 1
        if self.on_evidence is not None:
            return await self.on_evidence(request, b"")
        try:
            data = self.evidence(await self.fetch_evidence())
        except UnclearError:
            return web.Response(status=502)
        return web.Response(body=data, content_type="application/json")

    async def take_post(self, request: web.Request) -> web.StreamResponse:
        """Answer a sealed request."""
        body = await request.read()
        self.posts.append(body)
        if self.on_post is not None:
            return await self.on_post(request, body)
        status, media, sealed = await self.forward(request.match_info["target"], body)
        if status != 200:
            # Content-Type as it came, problems included.
            return web.Response(status=status, body=sealed, headers={"Content-Type": media})
        try:
            self.parts = split(sealed)
        except UnclearError:
            return web.Response(status=502)
        return await send(request, self.answer(list(self.parts)), abort=self.abort)

    async def fetch_evidence(self) -> bytes:
        """The real evidence."""
        async with _session() as session, session.get(self.upstream + EVIDENCE) as reply:
            if reply.status != 200:
                raise UnclearError(f"the real relay has no evidence: HTTP {reply.status}")
            return await _bounded(reply, EVIDENCE_MAX_BYTES)

    async def forward(self, target: str, body: bytes) -> tuple[int, str, bytes]:
        """Status, media type and body of the real relay's reply."""
        headers = {"Content-Type": Mode.CHUNKED.value}
        async with (
            _session() as session,
            session.post(f"{self.upstream}/t/{target}", data=body, headers=headers) as reply,
        ):
            media = reply.headers.get("Content-Type", "")
            return reply.status, media, await _bounded(reply, RESPONSE_MAX_BYTES)


@asynccontextmanager
async def serving(middle: Middle) -> AsyncIterator[Middle]:
    """Serve `middle` on a port of the loopback until the block is left."""
    app = web.Application(client_max_size=REQUEST_MAX_BYTES)
    app.router.add_get(EVIDENCE, middle.give_evidence)
    app.router.add_post("/t/{target}", middle.take_post)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        middle.url = f"http://{host}:{port}"
        yield middle
    finally:
        await runner.cleanup()


def split(sealed: bytes) -> Parts:
    """A sealed answer cut where its framing says: nonce, chunks, final chunk.

    Raises:
        UnclearError: it is not framed like one.
    """
    parts, at = [sealed[:NONCE_BYTES]], NONCE_BYTES
    while at < len(sealed):
        start = varint_bytes(sealed[at])
        size = read_varint(sealed[at : at + start])
        end = at + start + size if size else len(sealed)
        if end > len(sealed) or size > 2 * CHUNK_MAX_BYTES:
            raise UnclearError("the real answer is not framed in chunks")
        parts.append(sealed[at:end])
        at = end
    return parts


async def send(request: web.Request, parts: Parts, *, abort: bool = False) -> web.StreamResponse:
    """Send the parts under the right media type."""
    response = web.StreamResponse(headers={"Content-Type": Mode.CHUNKED.response_media})
    await response.prepare(request)
    for part in parts:
        await response.write(part)
    if abort and request.transport is not None:
        request.transport.abort()
    else:
        await response.write_eof()
    return response


def _session() -> aiohttp.ClientSession:
    limit = aiohttp.ClientTimeout(total=UPSTREAM_S)
    return aiohttp.ClientSession(
        timeout=limit, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    )


async def _bounded(reply: aiohttp.ClientResponse, most: int) -> bytes:
    data = bytearray()
    while piece := await reply.content.read(most):
        data += piece
        if len(data) > most:
            raise UnclearError(f"the real relay: wanted at most {most} bytes, got more")
    return bytes(data)
