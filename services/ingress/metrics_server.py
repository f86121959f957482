# SPDX-License-Identifier: Apache-2.0
"""Where the operator's metrics are read: a listener of its own, which no relay is pointed at.

This file owns the address and the one path. It is off unless `--metrics` is given; whoever can
connect may read, so the address belongs on the operator's own network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from services.ingress.ingress import Ingress
from services.ingress.metrics import Metrics
from services.limits import Limits
from services.observer import Tally
from services.problems import METHOD_GET, NOT_FOUND, Refused
from services.serving import HttpServer

METRICS_PATH: Final = "/metrics"
MEDIA: Final = "text/plain; version=0.0.4; charset=utf-8"
LIMITS: Final = Limits(connections_max=8, exchanges_max=4, total_s=5.0, idle_s=5.0)
"""A scraper needs one connection; a dozen of them is a mistake."""


class MeasuredIngress:
    """An ingress with its metrics on another address, as an async context manager.

    Args:
        ingress: made with these metrics.
        metrics: what is shown.
        host: address to show it on.
        port: TCP port; 0 lets the system choose.
        on_ready: told the port once it is listened on.
    """

    def __init__(
        self,
        ingress: Ingress,
        metrics: Metrics,
        *,
        host: str,
        port: int,
        on_ready: Callable[[int], None],
    ) -> None:
        self._ingress = ingress
        self._metrics = metrics
        self._on_ready = on_ready
        self._server = HttpServer(
            self._answer, name="services.ingress.metrics", host=host, port=port, limits=LIMITS
        )

    @property
    def port(self) -> int:
        """The TCP port of the ingress."""
        return self._ingress.port

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._ingress)
            await stack.enter_async_context(self._server)
            self._stack = stack.pop_all()
        self._on_ready(self._server.port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _answer(self, request: web.BaseRequest, _: Tally) -> web.StreamResponse:
        if request.raw_path != METRICS_PATH:
            raise Refused(NOT_FOUND)
        if request.method != "GET":
            raise Refused(METHOD_GET)
        text = self._metrics.text(guests_answering=self._ingress.guests_answering)
        headers = {"Content-Type": MEDIA, "Cache-Control": "no-store"}
        return web.Response(body=text.encode("ascii"), headers=headers)
