# SPDX-License-Identifier: Apache-2.0
"""HTTP in, gRPC out, opaque in both directions.

This file owns what crosses the ingress: from an HTTP request only its target, its media type and
its body; from the guest only chunks, or one reason word. Every chunk of the guest is flushed to
HTTP at once. When the client is gone the gRPC call is reset, and the guest ends the worker.
`GET /healthz` is for the operator's own probes; the relay has no such path.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from services.ingress.address import GuestAddress
from services.ingress.fleet import REFRESH_S, Fleet
from services.ingress.metrics import Metrics
from services.limits import Limits
from services.observer import Observation, Observer, Tally, unobserved
from services.pieces import Download, Upload
from services.problems import UNAVAILABLE, UNKNOWN_KEY, Problem, Refused
from services.resources import OBJECT_MEDIA, Kind, Resource, media, resource
from services.serving import HttpServer

HEALTH_PATH: Final = "/healthz"
HEALTHY: Final = b'{"state":"ready"}'
# What a guest says when it is no longer what its last evidence reply said.
OUTDATED: Final[tuple[Problem, ...]] = (UNKNOWN_KEY, UNAVAILABLE)


class Ingress:
    """A running ingress, as an async context manager.

    Args:
        guests: where the guests are, at least one.
        host: address to listen on.
        port: TCP port; 0 lets the system choose, see `port`.
        limits: all limits.
        observer: sees sizes and the outcome of every finished request.
        clock: monotonic seconds.
        refresh_s: time between two looks at the guests' evidence, in seconds.
        metrics: counts every finished request, if given.
    """

    def __init__(
        self,
        guests: Sequence[GuestAddress],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits | None = None,
        observer: Observer = unobserved,
        clock: Callable[[], float] = time.monotonic,
        refresh_s: float = REFRESH_S,
        metrics: Metrics | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._observer = observer
        self._metrics = metrics
        self._fleet = Fleet(guests, self._limits, clock=clock, refresh_s=refresh_s)
        self._server = HttpServer(
            self._answer,
            name="services.ingress",
            host=host,
            port=port,
            limits=self._limits,
            observer=self._observe,
        )

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        return self._server.port

    @property
    def guests_answering(self) -> int:
        """How many guests answered when they were last asked."""
        return self._fleet.answering

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._fleet)
            await stack.enter_async_context(self._server)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def _observe(self, observation: Observation) -> None:
        if self._metrics is not None:
            self._metrics.observe(observation)
        self._observer(observation)

    async def _answer(self, request: web.BaseRequest, tally: Tally) -> web.StreamResponse:
        began = self._clock()
        try:
            return await self._answered(request, tally)
        finally:
            if self._metrics is not None:
                self._metrics.took(tally.kind, self._clock() - began)

    async def _answered(self, request: web.BaseRequest, tally: Tally) -> web.StreamResponse:
        if (request.method, request.raw_path) == ("GET", HEALTH_PATH):
            return await self._health()
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
        guest = await self._fleet.guest_of(wanted.target)
        download = Download(request, wanted, kind.response, self._limits, tally)
        try:
            async with contextlib.aclosing(guest.exchange(wanted.target, kind, upload)) as chunks:
                async for chunk in chunks:
                    await download.write(chunk)
        except Refused as refused:
            if refused.problem in OUTDATED:
                await self._fleet.refresh_early()
            raise
        if not tally.bytes_out:
            raise Refused(UNAVAILABLE)  # an answer has at least a nonce and a tag
        return await download.end()

    async def _object(
        self, request: web.BaseRequest, wanted: Resource, tally: Tally
    ) -> web.StreamResponse:
        reply = await self._fleet.evidence()
        content = reply.evidence if wanted.kind is Kind.EVIDENCE else reply.ohttp_keys
        kind = OBJECT_MEDIA[wanted.kind]
        download = Download(request, wanted, kind, self._limits, tally)
        await download.write(content)
        return await download.end()

    async def _health(self) -> web.StreamResponse:
        await self._fleet.evidence()
        return web.Response(body=HEALTHY, content_type="application/json")
