# SPDX-License-Identifier: Apache-2.0
"""Attacks on HTTP itself, byte by byte over a socket: framing, targets, heads that do not end.

A relay that reads ambiguous framing in one of its ways is refused here too, for the hop behind it
could read it in the other.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import Final
from urllib.parse import urlsplit

from sealroom.attack.attack import Attack, UnclearError, Verdict, refused, succeeded
from sealroom.attack.middle import EVIDENCE
from sealroom.attack.sealed import ByHand
from sealroom.attack.target import HONEST, Target, ask
from sealroom.errors import Busy, Deadline
from sealroom.timeouts import Timeouts

ANSWER_S: Final = 4.0  # until a connection that says nothing more is taken to be over
READ_MAX_BYTES: Final = 1 << 20
STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
HEAD_BYTES: Final = 1 << 20
DRIPS: Final = 160  # more than a guest has places, fewer than a relay carries
HASTE: Final = Timeouts(connect_s=5, evidence_s=5, first_byte_s=8, idle_s=10, total_s=20)
DRIP_EVERY_S: Final = 0.5
DRIP_FOR_S: Final = 3.0

Statuses = list[int]


async def spoken(relay: str, data: bytes) -> Statuses:
    """The statuses of all responses to these bytes on one connection."""
    parts = urlsplit(relay)
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
    received = bytearray()
    try:
        writer.write(data)
        while len(received) < READ_MAX_BYTES:
            async with asyncio.timeout(ANSWER_S):
                piece = await reader.read(65536)
            if not piece:
                break
            received += piece
    except (TimeoutError, ConnectionError):
        # What came until then counts.
        return _statuses(received)
    finally:
        writer.close()
    return _statuses(received)


def _statuses(received: bytearray) -> Statuses:
    return [int(status) for status in STATUS.findall(received)]


def head(line: str, *fields: str, host: str = "relay.invalid") -> bytes:
    """A request line and its header fields."""
    return "\r\n".join([line, f"Host: {host}", *fields, "", ""]).encode("latin-1")


async def _control(target: Target) -> str:
    """The path of an honest exchange, on a relay that answers this kind of client.

    Raises:
        UnclearError: it does not.
    """
    statuses = await spoken(target.relay, head(f"GET {EVIDENCE} HTTP/1.1", "Connection: close"))
    if statuses != [200]:
        raise UnclearError(f"an honest request was answered with {statuses}")
    return f"/t/{(await ByHand.of(target)).seal().target}"


SMUGGLED: Final = head(f"GET {EVIDENCE} HTTP/1.1", "Connection: close")
CHUNKED: Final = "Transfer-Encoding: chunked"
MEDIA: Final = "Content-Type: message/ohttp-chunked-req"

# Framing that two readers could read differently; behind each stands a request that nobody sent.
AMBIGUOUS: Final[dict[str, tuple[tuple[str, ...], bytes]]] = {
    "both lengths": ((f"Content-Length: {len(SMUGGLED) + 5}", CHUNKED), b"0\r\n\r\n" + SMUGGLED),
    "two lengths": (("Content-Length: 1", "Content-Length: 0"), b"x" + SMUGGLED),
    "a list of lengths": (("Content-Length: 1, 0",), b"x" + SMUGGLED),
    "a signed length": (("Content-Length: +1",), b"x" + SMUGGLED),
    "a length in hexadecimal": (("Content-Length: 0x1",), b"x" + SMUGGLED),
    "an unknown coding": (("Transfer-Encoding: xchunked",), b"0\r\n\r\n" + SMUGGLED),
    "chunked not last": (("Transfer-Encoding: chunked, identity",), b"0\r\n\r\n" + SMUGGLED),
    "a space before the colon": (("Transfer-Encoding : chunked",), b"0\r\n\r\n" + SMUGGLED),
    "a folded line": (("X: 1", " Transfer-Encoding: chunked"), b"0\r\n\r\n" + SMUGGLED),
    "a bare line feed": (("X: 1\nTransfer-Encoding: chunked",), b"0\r\n\r\n" + SMUGGLED),
    "a huge chunk": ((CHUNKED,), b"FFFFFFFFFFFFFFFFF\r\n" + SMUGGLED),
    "a negative chunk": ((CHUNKED,), b"-1\r\n" + SMUGGLED),
    "a chunk size in C": ((CHUNKED,), b"0x0\r\n\r\n" + SMUGGLED),
    "a chunk without its line": ((CHUNKED,), b"1\r\nxx0\r\n\r\n" + SMUGGLED),
}


async def smuggling(target: Target) -> Verdict:
    """A second request inside the body of the first."""
    path = await _control(target)
    for name, (fields, body) in AMBIGUOUS.items():
        outer = head(f"POST {path} HTTP/1.1", MEDIA, *fields)
        statuses = await spoken(target.relay, outer + body)
        if 200 in statuses or len(statuses) > 1:
            return succeeded(f"{name}: the relay answered {statuses}")
        if not statuses:
            # Closed without a word is a refusal too, but not one of which we know the reason.
            continue
        if statuses[0] not in {400, 413, 415}:
            raise UnclearError(f"{name}: wanted a refusal, got {statuses}")
    return refused(f"{len(AMBIGUOUS)} ambiguous framings, no second answer")


async def foreign_targets(target: Target) -> Verdict:
    """Request targets that would make an open proxy fetch something else."""
    await _control(target)
    inner = "127.0.0.1:9"
    targets = (
        f"GET http://{inner}/ HTTP/1.1",
        f"GET http://{inner}{EVIDENCE} HTTP/1.1",
        f"GET //{inner}{EVIDENCE} HTTP/1.1",
        f"CONNECT {inner} HTTP/1.1",
        f"GET /t/../..{EVIDENCE} HTTP/1.1",
        "GET /%2e%2e/healthz HTTP/1.1",
        "GET /healthz HTTP/1.1",
        f"GET {EVIDENCE}?url=http://{inner}/ HTTP/1.1",
        f"GET {EVIDENCE}/ HTTP/1.1",
        f"GET {EVIDENCE}%00 HTTP/1.1",
        f"TRACE {EVIDENCE} HTTP/1.1",
        f"PURGE {EVIDENCE} HTTP/1.1",
        "OPTIONS * HTTP/1.1",
    )
    for line in targets:
        statuses = await spoken(target.relay, head(line, "Connection: close"))
        if any(status < 400 for status in statuses):
            return succeeded(f"{line.rsplit(' ', 1)[0]}: the relay answered {statuses}")
    return refused(f"{len(targets)} other targets, each refused by the relay itself")


async def long_heads(target: Target) -> Verdict:
    """Heads that do not end: one long field, many fields, a long target."""
    await _control(target)
    heads = {
        "a long field": head(f"GET {EVIDENCE} HTTP/1.1", "X: " + "x" * HEAD_BYTES),
        "many fields": head(f"GET {EVIDENCE} HTTP/1.1", *["X: 1"] * 60_000),
        "a long target": head("GET /" + "x" * HEAD_BYTES + " HTTP/1.1"),
    }
    for name, one in heads.items():
        statuses = await spoken(target.relay, one)
        if any(status < 400 for status in statuses):
            return succeeded(f"{name}: the relay answered {statuses}")
    await _control(target)
    return refused(f"{len(heads)} heads of 1 MiB and less, none read to its end")


async def drip(target: Target) -> Verdict:
    """Many requests, each a byte at a time; an honest one must be answered all the same."""
    path = await _control(target)
    body = (await ByHand.of(target)).seal().body
    opening = head(f"POST {path} HTTP/1.1", MEDIA, f"Content-Length: {len(body)}")
    parts = urlsplit(target.relay)
    secure = ssl.create_default_context() if parts.scheme == "https" else None

    async def one() -> None:
        _, writer = await asyncio.open_connection(
            parts.hostname, parts.port or (443 if secure else 80), ssl=secure
        )
        try:
            writer.write(opening)
            for byte in body:
                writer.write(bytes([byte]))
                await asyncio.sleep(DRIP_EVERY_S)
        finally:
            writer.close()

    drips = [asyncio.create_task(one()) for _ in range(DRIPS)]
    try:
        await asyncio.sleep(DRIP_FOR_S)
        await ask(target, asked=HONEST, timeouts=HASTE)
        holding = sum(not task.done() for task in drips)
    except (Busy, Deadline) as error:
        return succeeded(f"{DRIPS} clients that send a byte at a time keep all others out: {error}")
    finally:
        for task in drips:
            task.cancel()
        await asyncio.gather(*drips, return_exceptions=True)
    return refused(f"an honest request was answered while {holding} of {DRIPS} were dripping")


ATTACKS: Final[tuple[Attack[Target], ...]] = (
    Attack(
        "request-smuggling",
        "CWE-444; RFC 9112 §11.2; CVE-2023-37276",
        "hide a second request behind framing that can be read in two ways",
        "ambiguous framing ends the connection: services.serving",
        smuggling,
        90.0,
    ),
    Attack(
        "foreign-targets",
        "CWE-918; RFC 9458 §6.1",
        "have the relay fetch something else than its gateway's three resources",
        "the gateway is fixed, the paths are a table: services.resources, services.relay",
        foreign_targets,
        90.0,
    ),
    Attack(
        "endless-head",
        "CWE-770; CWE-400",
        "send a head that does not end",
        "heads are bounded: services.serving",
        long_heads,
    ),
    Attack(
        "one-byte-at-a-time",
        "CWE-400; CVE-2007-6750 (slow requests)",
        f"hold every slot with {DRIPS} requests that come a byte at a time",
        "a slot is taken when a request has arrived: guest.gate.arrivals",
        drip,
        60.0,
    ),
)
