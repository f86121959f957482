# SPDX-License-Identifier: Apache-2.0
"""Attacks on the relay as a hop: what it carries on that it must not, in either direction.

A real relay runs in front of a gateway of the attacker's, which records what comes and answers as
it likes.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from lab.attack.site import LabSite
from sealroom.attack.attack import Attack, Needs, UnclearError, Verdict, refused, succeeded
from sealroom.attack.http import AMBIGUOUS, CHUNKED, MEDIA, head, spoken
from sealroom.attack.middle import EVIDENCE
from sealroom.attack.sealed import ByHand, Reply
from sealroom.attack.target import verified
from wire.ohttp import Mode

CANARY: Final = "canary-8d1f6c"
SECRET_FIELDS: Final = (
    *("Cookie", "Authorization", "Proxy-Authorization", "X-Forwarded-For", "Forwarded"),
    *("X-Real-IP", "True-Client-IP", "Via", "User-Agent", "Referer", "Origin", "From"),
    *("Accept-Language", "Traceparent", "Sec-CH-UA", "If-None-Match", "X-Request-Id", "DNT"),
)
TOLD_FIELDS: Final = (
    *("Set-Cookie", "ETag", "Server", "Link", "Alt-Svc", "Refresh", "Location", "Via"),
    *(
        "Clear-Site-Data",
        "Report-To",
        "NEL",
        "X-Request-Id",
        "Last-Modified",
        "Age",
        "WWW-Authenticate",
    ),
)
PATH: Final = "/t/" + "a" * 16
BAD_GATEWAY: Final = 502
START_S: Final = 20.0
LIMIT_S: Final = 60.0


@dataclass
class Gateway:
    """The attacker's gateway.

    Attributes:
        answer: makes what it answers to everything.
        seen: the requests that came: request line and header fields, and the body.
    """

    answer: Callable[[], web.Response] | None = None
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        """Record and answer."""
        fields = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        line = f"{request.method} {request.raw_path}\n{fields}"
        self.seen.append((line, await request.read()))
        if self.answer is not None:
            return self.answer()
        return web.Response(body=b"sealed", headers={"Content-Type": Mode.CHUNKED.response_media})


@asynccontextmanager
async def listening(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Serve the gateway on a port of the loopback."""
    runner = web.ServerRunner(web.Server(gateway.take), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        gateway.url = f"http://{host}:{port}"
        yield gateway
    finally:
        await runner.cleanup()


@asynccontextmanager
async def relay(site: LabSite, gateway: Gateway) -> AsyncIterator[str]:
    """A real relay in front of the gateway; its address.

    Raises:
        UnclearError: it did not come up.
    """
    module = site.modules.get("relay", "services.relay")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, f"--gateway={gateway.url}", "--listen=127.0.0.1:0"),
        stdout=subprocess.PIPE,
    )
    try:
        if process.stdout is None:
            raise UnclearError("the relay says nothing")
        async with asyncio.timeout(START_S):
            line = (await process.stdout.readline()).decode()
        yield "http://" + line.removeprefix("listening on ").strip()
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def between(site: LabSite, gateway: Gateway) -> AsyncIterator[ByHand]:
    """A client of a real relay in front of the attacker's gateway, through which requests come.

    Raises:
        UnclearError: an honest request does not come through.
    """
    guest = await verified(site.target)
    async with listening(gateway), relay(site, gateway) as url:
        client = ByHand(url, guest)
        if (await client.post(PATH, b"x")).status != 200 or len(gateway.seen) != 1:
            raise UnclearError("an honest request does not come through")
        gateway.seen.clear()
        yield client


async def client_told_on(site: LabSite) -> Verdict:
    """Header fields that name the client, which the gateway must not see."""
    gateway = Gateway()
    async with between(site, gateway) as client:
        fields = tuple((name, CANARY) for name in SECRET_FIELDS)
        for where, method in ((PATH, "POST"), (EVIDENCE, "GET")):
            media = Mode.CHUNKED.value if method == "POST" else ""
            body = b"x" if method == "POST" else b""
            await client.post(where, body, media=media, method=method, headers=fields)
    if not gateway.seen:
        raise UnclearError("nothing came through")
    told = "\n".join(line for line, _ in gateway.seen)
    if CANARY in told or "127.0.0.1" in told.replace(gateway.url.removeprefix("http://"), ""):
        return succeeded("the gateway was told of the client")
    return refused(f"{len(SECRET_FIELDS)} fields, none of which the gateway saw")


async def gateway_told(site: LabSite) -> Verdict:
    """Header fields by which a gateway would mark or steer a client."""
    fields = dict.fromkeys(TOLD_FIELDS, CANARY)
    answers = (
        (200, {**fields, "Content-Type": Mode.CHUNKED.response_media}, b"x"),
        (400, fields, CANARY.encode()),
        (500, fields, CANARY.encode()),
    )
    gateway = Gateway()
    async with between(site, gateway) as client:
        for status, headers, body in answers:
            gateway.answer = lambda s=status, h=headers, b=body: web.Response(
                status=s, headers=h, body=b
            )
            reply = await client.post(PATH, b"x")
            if _shows(reply):
                return succeeded(f"the client was shown what the gateway said: {reply.told}")
    return refused(f"{len(TOLD_FIELDS)} fields and 2 error texts, none of which the client saw")


def _shows(reply: Reply) -> bool:
    return CANARY in repr(reply.fields) or CANARY.encode() in reply.body


async def redirected(site: LabSite) -> Verdict:
    """A gateway that sends the relay elsewhere."""
    async with listening(Gateway()) as elsewhere:
        gateway = Gateway()
        there = {"Location": elsewhere.url + PATH}
        async with between(site, gateway) as client:
            for status in (301, 302, 303, 307, 308):
                gateway.answer = lambda s=status: web.Response(status=s, headers=there)
                reply = await client.post(PATH, b"x")
                if elsewhere.seen or reply.status != BAD_GATEWAY:
                    return succeeded(f"HTTP {status}: the relay answered {reply.status}")
    return refused("5 redirects, none followed: HTTP 502")


async def fetched_elsewhere(site: LabSite) -> Verdict:
    """Request targets and hosts that name another server."""
    gateway = Gateway()
    async with listening(Gateway()) as elsewhere, between(site, gateway) as client:
        name = elsewhere.url.removeprefix("http://")
        heads = (
            head(f"GET {elsewhere.url}{EVIDENCE} HTTP/1.1", "Connection: close"),
            head(f"GET //{name}{EVIDENCE} HTTP/1.1", "Connection: close"),
            head(f"CONNECT {name} HTTP/1.1"),
            head(f"POST {elsewhere.url}{PATH} HTTP/1.1", MEDIA, "Content-Length: 0"),
            head(f"GET {EVIDENCE} HTTP/1.1", "Connection: close", host=name),
            head(f"GET {EVIDENCE} HTTP/1.1", f"X-Forwarded-Host: {name}", "Connection: close"),
            head(f"GET {EVIDENCE}@{name} HTTP/1.1", "Connection: close"),
        )
        for one in heads:
            await spoken(client.relay, one)
    if elsewhere.seen:
        return succeeded(f"the relay went to another server {len(elsewhere.seen)} times")
    return refused(f"{len(heads)} requests that name another server, which nobody asked")


async def smuggled(site: LabSite) -> Verdict:
    """Ambiguous framing, with the hop behind watching what comes out."""
    gateway = Gateway()
    async with between(site, gateway) as client:
        for fields, body in AMBIGUOUS.values():
            await spoken(client.relay, head(f"POST {PATH} HTTP/1.1", MEDIA, *fields) + body)
        await spoken(
            client.relay,
            head(f"POST {PATH} HTTP/1.1", MEDIA, CHUNKED, "Connection: close")
            + b"4;x=\r\nGET \r\n0\r\nX-Trailer: y\r\n\r\n",
        )
    wrong = [line for line, body in gateway.seen if not line.startswith(f"POST {PATH}\n")]
    if wrong:
        return succeeded(f"the gateway got {wrong[0].splitlines()[0]}, which nobody sent")
    if any("X-Trailer" in line or b"HTTP/1.1" in body for line, body in gateway.seen):
        return succeeded("the gateway got what was hidden in a body or behind it")
    return refused(f"{len(AMBIGUOUS) + 1} framings; the gateway saw no request that nobody sent")


def _row(name: str, reference: str, tries: str, defence: str, run: object) -> Attack[LabSite]:
    return Attack(name, reference, tries, defence, run, LIMIT_S, Needs.LAB)  # type: ignore[arg-type]


_ADDED: Final = "what crosses is a list, all else is dropped: services.relay"

ATTACKS: Final[tuple[Attack[LabSite], ...]] = (
    _row(
        "client-told-on",
        "RFC 9458 §6.2; CWE-200",
        "put names of the client into fields that the gateway would see",
        _ADDED,
        client_told_on,
    ),
    _row(
        "gateway-marks-clients",
        "RFC 9458 §6.2; CWE-113",
        "put cookies, validators and texts into answers that the client would see",
        _ADDED,
        gateway_told,
    ),
    _row(
        "relay-redirected",
        "CWE-918",
        "answer the relay with a redirect to another server",
        "redirects are not followed: services.relay",
        redirected,
    ),
    _row(
        "relay-as-proxy",
        "CWE-918; RFC 9458 §6.1",
        "have the relay ask another server than its gateway",
        "the gateway is fixed at the start: services.relay, services.resources",
        fetched_elsewhere,
    ),
    _row(
        "smuggling-through-the-relay",
        "CWE-444; RFC 9112 §11.2",
        "have the gateway see a request that nobody sent",
        "ambiguous framing ends the connection: services.serving",
        smuggled,
    ),
)
