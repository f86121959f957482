# SPDX-License-Identifier: Apache-2.0
"""What crosses the relay and what does not (RFC 9458 section 6.2), for both relays."""

from __future__ import annotations

import asyncio
import json

import pytest

from services.problems import OHTTP_KEY_TYPE, PROBLEM_MEDIA
from tests.services.plain_http import (
    CHUNKED,
    CHUNKED_RES,
    PATH,
    WHOLE,
    WHOLE_RES,
    Arrived,
    Gateway,
    Head,
    ask,
    connected,
    gateway,
    http_chunk,
    response,
)
from tests.services.relays import free_port, kinds, relaying

pytestmark = kinds

EVIDENCE = "/.well-known/sealroom-evidence"
KEYS = "/.well-known/ohttp-gateway"

# Fields by which a client could be told from another.
TELLING = {
    "User-Agent": "somebody/1.0",
    "Accept": "*/*",
    "Accept-Encoding": "gzip",
    "Accept-Language": "de",
    "Authorization": "Bearer a",
    "Cookie": "id=1",
    "Forwarded": "for=192.0.2.1",
    "X-Forwarded-For": "192.0.2.1",
    "X-Real-IP": "192.0.2.1",
    "Via": "1.1 somewhere",
    "Referer": "https://example.com/",
    "Origin": "https://example.com",
    "If-None-Match": '"tag"',
    "Date": "Sat, 21 Nov 2026 21:24:20 GMT",
    "Traceparent": "00-1-1-00",
    "Content-Language": "de",
    "Incremental": "?0",
    "X-Accel-Redirect": "/elsewhere",
}
# Fields by which a gateway could mark a client.
MARKING = {
    "Server": "gateway/1.0",
    "Set-Cookie": "id=1",
    "ETag": '"tag"',
    "Last-Modified": "Sat, 21 Nov 2026 21:24:20 GMT",
    "Via": "1.1 gateway",
    "Alt-Svc": 'h3=":443"',
    "Link": "</x>; rel=preload",
    "Location": "https://example.com/",
    "Vary": "Cookie",
    "Expires": "Sat, 21 Nov 2026 21:24:20 GMT",
    "Content-Language": "de",
    "X-Accel-Redirect": "/problems/busy",
    "X-Anything": "1",
    "0-Anything": "1",
    "Cache-Control": "max-age=31536000",
}
# What a relay's answer may have. Its value is the relay's own.
ANSWER_FIELDS = {
    *("content-type", "cache-control", "x-accel-buffering"),
    *("content-length", "transfer-encoding", "connection", "date"),
}


def exchanged(
    kind: str,
    fields: dict[str, str],
    answer: bytes,
    *,
    method: str = "POST",
    path: str = PATH,
    body: bytes | None = b"sealed",
) -> tuple[Gateway, bytes, Head, bytes]:
    """One request through the relay: the gateway, the body it got, the client's answer."""
    got: list[bytes] = []

    async def script(arrived: Arrived) -> None:
        got.append(await arrived.body())
        await arrived.send(answer)

    async def run() -> tuple[Gateway, Head, bytes]:
        async with gateway(script) as upstream, relaying(kind, upstream.port) as port:
            return upstream, *await ask(port, method, path, fields, body)

    upstream, head, content = asyncio.run(run())
    return upstream, b"".join(got), head, content


@pytest.mark.parametrize(
    ("asked", "answered"), [(CHUNKED, CHUNKED_RES), (WHOLE, WHOLE_RES)], ids=["chunked", "whole"]
)
def test_an_encapsulated_message_and_its_answer_cross(kind: str, asked: str, answered: str) -> None:
    answer = response(200, {"Content-Type": answered}, b"opened")
    upstream, got, head, content = exchanged(kind, {"Content-Type": asked}, answer)
    assert upstream.heads[0].first == f"POST {PATH} HTTP/1.1"
    assert (got, head.status, head["content-type"], content) == (
        b"sealed",
        200,
        answered,
        b"opened",
    )
    assert head["cache-control"] == "no-store, no-transform"


@pytest.mark.parametrize(
    ("path", "media"), [(EVIDENCE, "application/json"), (KEYS, "application/ohttp-keys")]
)
def test_a_public_object_crosses(kind: str, path: str, media: str) -> None:
    answer = response(200, {"Content-Type": media}, b"object")
    upstream, _, head, content = exchanged(kind, {}, answer, method="GET", path=path, body=None)
    assert upstream.heads[0].first == f"GET {path} HTTP/1.1"
    assert (head.status, head["content-type"], content) == (200, media, b"object")
    assert head["cache-control"] == "public, max-age=60, no-transform"


@pytest.mark.parametrize("asked", [CHUNKED, WHOLE])
def test_no_field_of_the_client_reaches_the_gateway(kind: str, asked: str) -> None:
    upstream, _, _, _ = exchanged(kind, {"Content-Type": asked, **TELLING}, response(503))
    fields = dict(upstream.heads[0].fields)
    assert fields.pop("host") == f"127.0.0.1:{upstream.port}"
    expected = {"content-type": asked, "content-length": "6"}
    if asked == CHUNKED:
        expected["incremental"] = "?1"
    assert fields == expected


def test_a_request_for_an_object_carries_nothing_of_the_client(kind: str) -> None:
    upstream, _, _, _ = exchanged(kind, TELLING, response(503), method="GET", path=KEYS, body=None)
    assert upstream.heads[0].names == {"host"}


@pytest.mark.parametrize(
    ("method", "path", "media"),
    [("POST", PATH, CHUNKED_RES), ("GET", EVIDENCE, "application/json")],
)
def test_no_field_of_the_gateway_reaches_the_client(
    kind: str, method: str, path: str, media: str
) -> None:
    answer = response(200, {"Content-Type": media, **MARKING}, b"opened")
    _, _, head, content = exchanged(
        kind, {"Content-Type": CHUNKED}, answer, method=method, path=path
    )
    assert (head.status, content) == (200, b"opened")
    assert head.names <= ANSWER_FIELDS
    assert "max-age=31536000" not in head["cache-control"]


@pytest.mark.parametrize(
    ("method", "path", "media", "status", "word"),
    [
        ("POST", "/t/0123456789ABCDEF", CHUNKED, 404, "not-found"),
        ("POST", "/t/0123456789abcde", CHUNKED, 404, "not-found"),
        ("POST", "/t/0123456789abcdef0", CHUNKED, 404, "not-found"),
        ("POST", f"{PATH}/", CHUNKED, 404, "not-found"),
        ("POST", f"{PATH}?", CHUNKED, 404, "not-found"),
        ("POST", f"{PATH}?client=7", CHUNKED, 404, "not-found"),
        ("POST", "/t/0123456789abcde%66", CHUNKED, 404, "not-found"),
        ("POST", "//t/0123456789abcdef", CHUNKED, 404, "not-found"),
        ("POST", "/x/../t/0123456789abcdef", CHUNKED, 404, "not-found"),
        ("POST", f"http://elsewhere.example{PATH}", CHUNKED, 404, "not-found"),
        ("POST", "/", CHUNKED, 404, "not-found"),
        ("GET", "/healthz", CHUNKED, 404, "not-found"),
        ("GET", f"{KEYS}?client=7", CHUNKED, 404, "not-found"),
        ("GET", "/.well-known/", CHUNKED, 404, "not-found"),
        ("GET", "/problems/busy", CHUNKED, 404, "not-found"),
        ("GET", PATH, CHUNKED, 405, "method"),
        ("PUT", PATH, CHUNKED, 405, "method"),
        ("OPTIONS", PATH, CHUNKED, 405, "method"),
        ("POST", KEYS, CHUNKED, 405, "method"),
        ("POST", PATH, "message/ohttp-res", 415, "media"),
        ("POST", PATH, "application/json", 415, "media"),
        ("POST", PATH, f"{CHUNKED}; a=b", 415, "media"),
        ("POST", PATH, "Message/ohttp-req", 415, "media"),
        ("POST", PATH, "", 415, "media"),
    ],
)
def test_everything_else_is_refused_and_reaches_nobody(
    kind: str, method: str, path: str, media: str, status: int, word: str
) -> None:
    upstream, _, head, content = exchanged(
        kind, {"Content-Type": media}, response(200), method=method, path=path
    )
    assert (head.status, json.loads(content)["title"]) == (status, word)
    assert head["content-type"] == PROBLEM_MEDIA
    assert upstream.connections == 0


@pytest.mark.parametrize("path", [PATH, KEYS])
def test_a_refused_method_names_the_allowed_one(kind: str, path: str) -> None:
    _, _, head, _ = exchanged(kind, {}, response(200), method="PUT", path=path)
    assert head["allow"] == ("POST" if path == PATH else "GET")


@pytest.mark.parametrize(
    ("answer", "status", "word"),
    [
        (response(400), 400, "refused"),
        (response(413), 413, "too-large"),
        (response(415), 415, "media"),
        (response(422), 422, "unknown-key"),
        (response(503), 503, "unavailable"),
        (response(503, {"Retry-After": "7"}), 503, "busy"),
        (response(504), 504, "deadline"),
        (response(301, {"Location": "http://127.0.0.1:1/"}), 502, "bad-gateway"),
        (response(307, {"Location": PATH}), 502, "bad-gateway"),
        (response(304), 502, "bad-gateway"),
        (response(401), 502, "bad-gateway"),
        (response(404), 502, "bad-gateway"),
        (response(405), 502, "bad-gateway"),
        (response(429), 502, "bad-gateway"),
        (response(500), 502, "bad-gateway"),
        (b"", 502, "bad-gateway"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", 502, "bad-gateway"),
    ],
)
def test_an_error_of_the_gateway_becomes_the_relays_own(
    kind: str, answer: bytes, status: int, word: str
) -> None:
    upstream, _, head, content = exchanged(kind, {"Content-Type": CHUNKED}, answer)
    assert (head.status, json.loads(content)["title"]) == (status, word)
    assert upstream.connections == 1  # never a second attempt
    assert head.all("retry-after") == (["1"] if word == "busy" else [])


def test_an_error_body_of_the_gateway_is_not_passed_on(kind: str) -> None:
    answer = response(422, {"Content-Type": PROBLEM_MEDIA}, b'{"client":7}')
    _, _, _, content = exchanged(kind, {"Content-Type": CHUNKED}, answer)
    problem = {"status": 422, "title": "unknown-key", "type": OHTTP_KEY_TYPE}
    assert json.loads(content) == problem


def test_an_answer_of_another_type_is_not_passed_on_as_such(kind: str) -> None:
    answer = response(200, {"Content-Type": "text/html"}, b"<script>")
    _, _, head, content = exchanged(kind, {"Content-Type": CHUNKED}, answer)
    if kind == "python":
        assert (head.status, json.loads(content)["title"]) == (502, "bad-gateway")
    else:  # nginx cannot take the status back; see the template
        assert (head.status, head["content-type"]) == (200, CHUNKED_RES)


def test_a_content_coding_of_the_gateway_is_not_passed_on(kind: str) -> None:
    answer = response(200, {"Content-Type": CHUNKED_RES, "Content-Encoding": "gzip"}, b"opened")
    _, _, head, content = exchanged(kind, {"Content-Type": CHUNKED}, answer)
    if kind == "python":
        assert (head.status, json.loads(content)["title"]) == (502, "bad-gateway")
    else:  # the bytes as they came, under no coding
        assert (head.status, content, head.all("content-encoding")) == (200, b"opened", [])


def test_an_empty_answer_is_an_empty_answer(kind: str) -> None:
    answer = response(200, {"Content-Type": CHUNKED_RES})
    _, _, head, content = exchanged(kind, {"Content-Type": CHUNKED}, answer)
    assert (head.status, head["content-type"], content) == (200, CHUNKED_RES, b"")


def test_a_gateway_that_is_not_there_is_a_bad_gateway(kind: str) -> None:
    async def run() -> tuple[Head, bytes]:
        async with relaying(kind, free_port()) as port:
            return await ask(port, "POST", PATH, {"Content-Type": CHUNKED}, b"sealed")

    head, content = asyncio.run(run())
    assert (head.status, json.loads(content)["title"]) == (502, "bad-gateway")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /t/0123456789abcdef HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /t/0123456789abcdef HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["tls", "path", "two-framings", "negative-length"],
)
def test_malformed_http_is_refused_in_constant_words(kind: str, garbage: bytes) -> None:
    async def script(arrived: Arrived) -> None:
        await arrived.send(response(200))

    async def run() -> tuple[Gateway, bytes]:
        async with (
            gateway(script) as upstream,
            relaying(kind, upstream.port) as port,
            connected(port) as client,
        ):
            await client.send(garbage)
            return upstream, await client.reader.read(65536)

    upstream, content = asyncio.run(run())
    assert content.split(b" ", 2)[1] in {b"400", b"404"}
    assert json.loads(content.rpartition(b"\r\n\r\n")[2])["title"] in {"refused", "not-found"}
    assert upstream.connections == 0


def test_a_body_of_unknown_length_crosses(kind: str) -> None:
    async def script(arrived: Arrived) -> None:
        body = await arrived.body()
        await arrived.send(response(200, {"Content-Type": CHUNKED_RES}, body))

    async def run() -> tuple[Gateway, bytes]:
        async with (
            gateway(script) as upstream,
            relaying(kind, upstream.port) as port,
            connected(port) as client,
        ):
            fields = {"Content-Type": CHUNKED, "Transfer-Encoding": "chunked"}
            await client.start("POST", PATH, fields)
            await client.send(http_chunk(b"one") + http_chunk(b"two") + http_chunk(b""))
            return upstream, await client.body(await client.head())

    upstream, content = asyncio.run(run())
    assert content == b"onetwo"
    # nginx declares a length when it has seen the end before it passes the beginning on.
    framing = upstream.heads[0].names - {"host", "content-type", "incremental"}
    assert framing in ({"transfer-encoding"}, {"content-length"})
