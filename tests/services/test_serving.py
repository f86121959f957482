# SPDX-License-Identifier: Apache-2.0
"""The HTTP server under both services: a fault inside it says its kind and place, nothing else."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web

from services.limits import Limits
from services.observer import CUT, Observation, Tally
from services.serving import Answer, HttpServer
from tests.services.plain_http import PATH, Head, ask, connected

SECRET = "what the client wrote"


def served(answer: Answer, observed: list[Observation]) -> tuple[Head, bytes]:
    """The answer of a server with this service to one request."""

    async def run() -> tuple[Head, bytes]:
        server = HttpServer(
            answer,
            name="services.tested",
            host="127.0.0.1",
            port=0,
            limits=Limits(),
            observer=observed.append,
        )
        async with server:
            return await ask(server.port, "GET", PATH)

    return asyncio.run(run())


def test_a_fault_is_answered_in_constant_words_and_named_without_its_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def faulty(request: web.BaseRequest, tally: Tally) -> web.StreamResponse:
        tally.kind = "exchange"
        raise ZeroDivisionError(f"{SECRET} {request.remote}")

    observed: list[Observation] = []
    head, content = served(faulty, observed)
    assert (head.status, json.loads(content)["title"]) == (500, "failed")
    assert head["content-type"] == "application/problem+json"
    assert observed == [Observation("exchange", "failed", 0, 0)]
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("services.tested: ZeroDivisionError at test_serving.py:")
    assert SECRET not in err
    assert "127.0.0.1" not in err


def test_an_answer_broken_off_is_not_a_fault(capfd: pytest.CaptureFixture[str]) -> None:
    async def breaks(request: web.BaseRequest, _: Tally) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"beginning")
        raise ConnectionResetError

    observed: list[Observation] = []
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        served(breaks, observed)
    assert observed == [Observation("", CUT, 0, 0)]
    assert capfd.readouterr() == ("", "")


def test_a_server_is_not_named_and_keeps_a_connection() -> None:
    async def fine(_: web.BaseRequest, tally: Tally) -> web.StreamResponse:
        tally.bytes_out += 2
        return web.Response(body=b"ok")

    async def run() -> list[Head]:
        server = HttpServer(fine, name="services.tested", host="127.0.0.1", port=0, limits=Limits())
        async with server, connected(server.port) as client:
            heads = []
            for _ in range(2):
                await client.start("GET", PATH, {})
                heads.append(await client.head())
                assert await client.body(heads[-1]) == b"ok"
            return heads

    for head in asyncio.run(run()):
        assert "server" not in head.names


def test_the_port_of_a_server_that_is_not_running_is_a_bug() -> None:
    async def never(_: web.BaseRequest, __: Tally) -> web.StreamResponse:
        return web.Response()

    server = HttpServer(never, name="services.tested", host="127.0.0.1", port=0, limits=Limits())
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.port
