# SPDX-License-Identifier: Apache-2.0
"""Forwarding encapsulated messages between clients and one pinned gateway.

This file owns what crosses the relay. Rules (RFC 9458 section 6.2 and 6.3):

* Only the three resources of `services.resources`, only to the gateway given at the start.
* To the gateway go the method, the path, Content-Type, the framing of the body, and for chunked
  messages the constant `Incremental: ?1` (RFC 10036). No other field, added or passed on, and
  none that tells one client from another.
* To the client go the status, and for 200 the media type that belongs to the request and the
  body. Redirects, other media types and other statuses are `bad-gateway`; a problem is the
  relay's own constant copy. No other field.
* Never a second attempt: a request that was sent may have been read.
* Nothing is stored or logged. Connections to the gateway are shared between clients.

It imports nothing that could open a message.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from services.limits import PIECE_MAX_BYTES, REUSE_S, Limits
from services.observer import Observer, Tally, unobserved
from services.pieces import Download, Upload
from services.problems import BAD_GATEWAY, DEADLINE, Refused, of_gateway
from services.resources import OBJECT_MEDIA, Kind, Resource, media, resource
from services.serving import HttpServer

OWN_FIELDS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Fields that aiohttp's client would add by itself."""


class Relay:
    """A running relay, as an async context manager.

    Args:
        gateway: origin of the gateway, for example `https://gateway.example`; no path.
        host: address to listen on.
        port: TCP port; 0 lets the system choose, see `port`.
        limits: all limits.
        observer: sees sizes and the outcome of every finished request.

    Raises:
        ValueError: `gateway` is not an http or https origin.
    """

    def __init__(
        self,
        gateway: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits | None = None,
        observer: Observer = unobserved,
    ) -> None:
        self._gateway = parse_origin(gateway)
        self._limits = limits or Limits()
        self._session: aiohttp.ClientSession | None = None
        self._server = HttpServer(
            self._answer,
            name="services.relay",
            host=host,
            port=port,
            limits=self._limits,
            observer=observer,
        )

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        return self._server.port

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._limits.exchanges_max, keepalive_timeout=REUSE_S
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=OWN_FIELDS,
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._limits.connect_s, sock_read=self._limits.idle_s
            ),
        )
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._server.__aexit__(kind, error, trace)
        if self._session is not None:
            await self._session.close()

    async def _answer(self, request: web.BaseRequest, tally: Tally) -> web.StreamResponse:
        wanted = resource(request.method, request.raw_path)
        tally.kind = wanted.kind
        if wanted.kind is Kind.EXCHANGE:
            return await self._exchange(request, wanted, tally)
        return await self._object(request, wanted, tally)

    async def _exchange(
        self, request: web.BaseRequest, wanted: Resource, tally: Tally
    ) -> web.StreamResponse:
        kind = media(request.headers.getall("Content-Type", []))
        upload = Upload(request, self._limits, tally)
        headers = {"Content-Type": kind.request}
        if upload.length is not None:
            headers["Content-Length"] = str(upload.length)
        if kind.incremental:
            headers["Incremental"] = "?1"
        download = Download(request, wanted, kind.response, self._limits, tally)
        async with self._asked("POST", wanted, headers, upload) as reply:
            return await _copied(reply, kind.response, download)

    async def _object(
        self, request: web.BaseRequest, wanted: Resource, tally: Tally
    ) -> web.StreamResponse:
        kind = OBJECT_MEDIA[wanted.kind]
        download = Download(request, wanted, kind, self._limits, tally)
        async with self._asked("GET", wanted, {}, None) as reply:
            return await _copied(reply, kind, download)

    @asynccontextmanager
    async def _asked(
        self, method: str, wanted: Resource, headers: dict[str, str], upload: Upload | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The gateway's response, with every failure of it as a problem."""
        if self._session is None:
            raise RuntimeError("the relay is not running")
        reply: aiohttp.ClientResponse | None = None
        try:
            reply = await self._session.request(
                method,
                self._gateway.with_path(wanted.path),
                headers=headers,
                data=None if upload is None else upload.pieces(),
                allow_redirects=False,
            )
            yield reply
        except TimeoutError as error:
            raise Refused(DEADLINE) from error
        except aiohttp.ClientError as error:
            if upload is not None and upload.failure is not None:
                raise upload.failure from error
            raise Refused(BAD_GATEWAY) from error
        finally:
            if reply is not None and (upload is None or upload.ended):
                reply.release()
            elif reply is not None:
                reply.close()


def parse_origin(text: str) -> URL:
    """The origin `text` names.

    Raises:
        ValueError: it is not `http://HOST[:PORT]` or `https://HOST[:PORT]`, spelled so.
    """
    origin = URL(text)
    if origin.scheme not in {"http", "https"} or not origin.host or str(origin.origin()) != text:
        raise ValueError(f"gateway: wanted http://HOST[:PORT] or https://HOST[:PORT], got {text}")
    return origin


async def _copied(
    reply: aiohttp.ClientResponse, wanted_media: str, download: Download
) -> web.StreamResponse:
    """Pass the gateway's answer on, if it is one that a client of ours can have asked for."""
    if reply.status != 200:
        raise Refused(of_gateway(reply.status, retry_after="Retry-After" in reply.headers))
    if reply.headers.getall("Content-Type", []) != [wanted_media]:
        raise Refused(BAD_GATEWAY)
    if "Content-Encoding" in reply.headers:
        raise Refused(BAD_GATEWAY)
    while piece := await reply.content.read(PIECE_MAX_BYTES):
        await download.write(piece)
    return await download.end()
