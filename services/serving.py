# SPDX-License-Identifier: Apache-2.0
"""One HTTP/1.1 server for both services: limits, constant errors, no name, no address in a log.

This file owns the life of a connection. aiohttp parses; this adds what aiohttp leaves open: a
bound on connections and on requests in flight, a time limit for the head and for the whole, one
error table for everything including malformed HTTP, no Server field, and a response that breaks
off visibly when it cannot be completed. The rules of a service are in its `Answer`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from typing_extensions import override

from services.journal import journal
from services.limits import Limits
from services.observer import COMPLETE, CUT, Observer, Tally, unobserved
from services.problems import BUSY, DEADLINE, FAILED, PROBLEM_MEDIA, REFUSED, Problem, Refused

Answer = Callable[[web.BaseRequest, Tally], Awaitable[web.StreamResponse]]
"""Answers one request, or raises Refused. It may write the response itself (streaming)."""

SHUTDOWN_S: Final = 5.0
"""Time that running exchanges get when the service is stopped."""
LINGER_S: Final = 1.0
"""Time to read and drop the rest of a body that was answered before its end."""

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class BrokenOffError(ConnectionError):
    """The answer had begun and cannot be completed: the connection was closed without its end."""


def problem_response(problem: Problem) -> web.Response:
    """The constant answer for `problem`. The connection is closed: its body may be unread."""
    headers = {"Content-Type": PROBLEM_MEDIA, "Cache-Control": "no-store", **problem.headers}
    response = web.Response(status=problem.status, body=problem.body, headers=headers)
    response.force_close()
    return response


class _Request(web.BaseRequest):
    """A request whose response does not name the software."""

    @override
    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)


class _Connection(web.RequestHandler):
    """One client connection."""

    __slots__ = ()

    @override
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer malformed HTTP (4xx), and exceptions that nobody caught (500)."""
        # A lost connection and an answer broken off are outcomes, which the observer was told.
        if status >= 500 and not isinstance(exc, ConnectionError):
            self.log_exception("", exc_info=exc)
        if request.writer.output_size > 0:
            raise BrokenOffError
        return problem_response(FAILED if status >= 500 else REFUSED)


class _Connections(web.Server):
    """aiohttp's server, with our connections, our requests and a bound on their number."""

    def __init__(self, answer: _Handler, limits: Limits, logger: logging.Logger) -> None:
        super().__init__(answer, request_factory=self._request, handler_cancellation=True)
        self._limits = limits
        self._logger = logger

    @override
    def __call__(self) -> web.RequestHandler:
        # Bodies are passed on as they came: auto_decompress would undo a Content-Encoding.
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=self._limits.head_s,
            lingering_time=LINGER_S,
            logger=self._logger,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to say none
            auto_decompress=False,
        )

    @override
    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        if len(self.connections) >= self._limits.connections_max:
            transport.abort()
        super().connection_made(handler, transport)

    @staticmethod
    def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> _Request:
        return _Request(message, payload, protocol, writer, task, asyncio.get_running_loop())


class HttpServer:
    """An HTTP server on one address, as an async context manager.

    Args:
        answer: the service.
        name: what it is called in its own journal.
        host: address to listen on.
        port: TCP port; 0 lets the system choose, see `port`.
        limits: all limits.
        observer: told about every finished request; must not raise.
    """

    def __init__(
        self,
        answer: Answer,
        *,
        name: str,
        host: str,
        port: int,
        limits: Limits,
        observer: Observer = unobserved,
    ) -> None:
        self._answer = answer
        self._address = (host, port)
        self._limits = limits
        self._observer = observer
        self._logger = journal(name)
        self._running = 0
        self._connections: _Connections | None = None
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The TCP port listened on.

        Raises:
            RuntimeError: the server was not started.
        """
        if self._server is None:
            raise RuntimeError("the server is not running")
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._connections = _Connections(self._answered, self._limits, self._logger)
        self._server = await asyncio.get_running_loop().create_server(
            self._connections, *self._address
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if self._connections is not None:
            self._connections.pre_shutdown()
            await self._connections.shutdown(SHUTDOWN_S)

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer under the limits, and report the outcome once."""
        tally = Tally()
        outcome = FAILED.word
        self._running += 1
        try:
            response = await self._bounded(request, tally)
            outcome = COMPLETE
            return response
        except Refused as refused:
            if request.writer.output_size > 0:
                outcome = CUT
                raise BrokenOffError from refused
            outcome = refused.problem.word
            return problem_response(refused.problem)
        except (asyncio.CancelledError, ConnectionError):
            outcome = CUT
            raise
        finally:
            self._running -= 1
            self._observer(tally.observation(outcome))

    async def _bounded(self, request: web.BaseRequest, tally: Tally) -> web.StreamResponse:
        if self._running > self._limits.exchanges_max:
            raise Refused(BUSY)
        try:
            async with asyncio.timeout(self._limits.total_s):
                return await self._answer(request, tally)
        except TimeoutError as error:
            raise Refused(DEADLINE) from error
