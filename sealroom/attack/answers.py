# SPDX-License-Identifier: Apache-2.0
"""Attacks on an answer on its way back: a relay that cuts, swaps, repeats, alters or makes up.

Each spoils a real answer of the real guest; the device must not take it for a complete one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web

from sealroom.attack.attack import Attack, UnclearError, Verdict, refused, succeeded
from sealroom.attack.middle import Middle, Parts, serving
from sealroom.attack.target import Target, ask, deceived
from sealroom.errors import AlteredError, Deadline, SealroomError, Truncated, Unreachable
from sealroom.timeouts import Timeouts
from sealroom.transport import RESPONSE_MAX_BYTES
from wire.ohttp import Mode

AT_ONCE: Final = 2  # exchanges of one attack
MANY_S: Final = 90.0  # for an attack that needs an exchange for each chunk
HASTE: Final = Timeouts(connect_s=5, evidence_s=10, first_byte_s=5, idle_s=5, total_s=6)
ENDLESS_BYTES: Final = 4 * RESPONSE_MAX_BYTES
FINAL: Final = b"\x00"  # the framing byte before a final chunk


async def spoiled(
    target: Target,
    spoil: Callable[[Parts], Parts],
    wanted: tuple[type[SealroomError], ...],
    *,
    abort: bool = False,
) -> Verdict:
    """Whether a device takes a spoiled answer for a complete one."""
    async with serving(Middle(target.relay, answer=spoil, abort=abort)) as middle:
        verdict = await deceived(target, middle.url, wanted)
        if not middle.parts:
            raise UnclearError("there was no answer to spoil")
        return verdict


async def each_chunk(
    target: Target,
    spoil: Callable[[Parts, int], Parts],
    wanted: tuple[type[SealroomError], ...],
) -> Verdict:
    """The same for each part of the answer but the nonce: one exchange per part, some at once."""
    async with serving(Middle(target.relay)) as middle:
        await ask(target, middle.url, stream=True)
        parts = len(middle.parts)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Verdict:
        async with slots:
            return await spoiled(
                target, lambda parts: spoil(parts, min(number, len(parts) - 1)), wanted
            )

    verdicts = await asyncio.gather(*(one(number) for number in range(1, parts)))
    worst = next((v for v in verdicts if v.outcome != "refused"), None)
    return worst or refused(f"{len(verdicts)} of {len(verdicts)}: {verdicts[-1].reason}")


def flip(part: bytes) -> bytes:
    """A part with one bit changed, well behind its framing."""
    return part[:-1] + bytes([part[-1] ^ 1])


async def cut(target: Target) -> Verdict:
    """Every prefix that ends at a boundary, properly ended by HTTP."""
    return await each_chunk(target, lambda parts, at: parts[:at], (Truncated,))


async def flips(target: Target) -> Verdict:
    """One bit of each chunk."""

    def spoil(parts: Parts, at: int) -> Parts:
        return [*parts[:at], flip(parts[at]), *parts[at + 1 :]]

    return await each_chunk(target, spoil, (AlteredError,))


def _swap(parts: Parts) -> Parts:
    # The last two ordinary chunks: both are padded records of one size.
    return [*parts[:-3], parts[-2], parts[-3], parts[-1]]


def _promote(parts: Parts) -> Parts:
    """The last ordinary chunk under the framing of a final one."""
    length = 2 if parts[-2][0] >> 6 == 1 else 1
    return [*parts[:-2], FINAL + parts[-2][length:]]


SPOILS: Final[dict[str, Callable[[Parts], Parts]]] = {
    "abort": lambda parts: parts[:-1],
    "cut-tag": lambda parts: [*parts[:-1], parts[-1][:-1]],
    "swap": _swap,
    "repeat": lambda parts: [*parts[:-1], parts[-2], parts[-1]],
    "drop": lambda parts: [*parts[:-2], parts[-1]],
    "promote": _promote,
    "after": lambda parts: [*parts, b"\x00"],
}


def _spoil(name: str, *wanted: type[SealroomError]) -> Callable[[Target], Awaitable[Verdict]]:
    """An attack that spoils one answer in one way."""
    return lambda target: spoiled(target, SPOILS[name], wanted, abort=name == "abort")


@dataclass
class _First:
    """The parts of one answer, kept for another."""

    parts: Parts

    def whole(self, parts: Parts) -> Parts:
        """Nothing but what was kept."""
        return self.parts or parts

    def tail(self, parts: Parts) -> Parts:
        """The kept final chunk behind the rest."""
        return [*parts[:-1], *self.parts[-1:]]


async def _of_another(target: Target, graft: Callable[[_First, Parts], Parts]) -> Verdict:
    async with serving(Middle(target.relay)) as middle:
        await ask(target, middle.url, stream=True)
        first = _First(middle.parts)
    return await spoiled(target, partial(graft, first), (AlteredError, Truncated))


async def _made_up(
    target: Target,
    make: Callable[[web.Request], web.Response],
    *wanted: type[SealroomError],
) -> Verdict:
    async def answer(request: web.Request, _body: bytes) -> web.StreamResponse:
        return make(request)

    async with serving(Middle(target.relay, on_post=answer)) as middle:
        verdict = await deceived(target, middle.url, wanted)
        if len(middle.posts) != 1:
            raise UnclearError(f"wanted one request, got {len(middle.posts)}")
        return verdict


def _plain(_request: web.Request) -> web.Response:
    return web.json_response({"text": "made up on the way", "done": {}})


def _disguised(_request: web.Request) -> web.Response:
    body = bytes(16) + FINAL + b"made up on the way".ljust(64)
    return web.Response(body=body, headers={"Content-Type": Mode.CHUNKED.response_media})


def _compressed(_request: web.Request) -> web.Response:
    headers = {"Content-Type": Mode.CHUNKED.response_media, "Content-Encoding": "gzip"}
    return web.Response(body=b"\x1f\x8b" + bytes(64), headers=headers)


async def redirected(target: Target) -> Verdict:
    """The device is sent elsewhere with its sealed request."""
    async with serving(Middle(target.relay)) as elsewhere:

        async def answer(request: web.Request, _body: bytes) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": elsewhere.url + request.path})

        async with serving(Middle(target.relay, on_post=answer)) as middle:
            return await deceived(target, middle.url, (Unreachable,))


async def endless(target: Target) -> Verdict:
    """Bytes without end under one long chunk; the device must stop reading by itself."""
    sent = 0

    async def answer(request: web.Request, _body: bytes) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": Mode.CHUNKED.response_media})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the device has hung up
            while sent <= ENDLESS_BYTES:
                await response.write(bytes(65536))
                sent += 65536
        return response

    async with serving(Middle(target.relay, on_post=answer)) as middle:
        verdict = await deceived(target, middle.url, (AlteredError, Deadline), timeouts=HASTE)
    return succeeded(f"the device read {sent} bytes") if sent > ENDLESS_BYTES else verdict


_CHUNKED: Final = "draft-ietf-ohai-chunked-ohttp-08 §7"
_ORDER: Final = "each chunk is sealed under its number: wire.exchange.ResponseContext"
_FINAL: Final = "only a final chunk ends an answer: wire.chunks.ChunkOpener.finish"

_OPENS: Final = "nothing comes out before its tag was verified: wire.chunks.ChunkOpener"
_AAD: Final = "the final chunk is sealed as such (AAD): wire.chunks.seal_final"
_KEY: Final = "an answer's key follows from its request: wire.exchange.response_key"
_MEDIA: Final = "a reply in the clear is no answer: sealroom.transport"

ATTACKS: Final[tuple[Attack[Target], ...]] = (
    Attack(
        "answer-cut-at-each-chunk",
        f"{_CHUNKED}, truncation; CWE-353",
        "end the answer, properly, after each of its chunks",
        _FINAL,
        cut,
        MANY_S,
    ),
    Attack(
        "answer-broken-off",
        f"{_CHUNKED}, truncation",
        "break the connection off before the final chunk",
        _FINAL,
        _spoil("abort", Truncated),
    ),
    Attack(
        "final-chunk-shortened",
        f"{_CHUNKED}, truncation",
        "leave out the last byte of the final chunk",
        _OPENS,
        _spoil("cut-tag", AlteredError),
    ),
    Attack(
        "bit-of-each-chunk",
        "RFC 9458 §6.4; CWE-354",
        "change one bit in each chunk of the answer",
        _OPENS,
        flips,
        MANY_S,
    ),
    Attack(
        "chunks-swapped",
        f"{_CHUNKED}, reordering",
        "exchange two records of the same size",
        _ORDER,
        _spoil("swap", AlteredError),
    ),
    Attack(
        "chunk-repeated",
        f"{_CHUNKED}, reordering",
        "send a record twice",
        _ORDER,
        _spoil("repeat", AlteredError),
    ),
    Attack(
        "chunk-left-out",
        f"{_CHUNKED}, reordering",
        "leave the last record out",
        _ORDER,
        _spoil("drop", AlteredError),
    ),
    Attack(
        "chunk-made-final",
        f"{_CHUNKED}, truncation",
        "frame an ordinary chunk as the final one",
        _AAD,
        _spoil("promote", AlteredError),
    ),
    Attack(
        "bytes-after-the-answer",
        "CWE-130",
        "add a byte behind the final chunk",
        _OPENS,
        _spoil("after", AlteredError),
    ),
    Attack(
        "tail-of-another-answer",
        "RFC 9458 §4.4; CWE-294",
        "end the answer with the final chunk, and so the receipt, of another",
        _KEY,
        lambda target: _of_another(target, _First.tail),
    ),
    Attack(
        "answer-to-another-request",
        "RFC 9458 §4.4; CWE-294",
        "give the device the answer to an earlier request of its own",
        _KEY,
        lambda target: _of_another(target, _First.whole),
    ),
    Attack(
        "plaintext-answer",
        "CWE-757",
        "answer in plain JSON with status 200",
        _MEDIA,
        lambda target: _made_up(target, _plain, AlteredError),
    ),
    Attack(
        "answer-made-up",
        "CWE-345",
        "answer in plain text under the right media type",
        _OPENS,
        lambda target: _made_up(target, _disguised, AlteredError, Truncated),
    ),
    Attack(
        "compressed-answer",
        "CWE-409",
        "answer with a Content-Encoding",
        _MEDIA,
        lambda target: _made_up(target, _compressed, AlteredError),
    ),
    Attack(
        "answer-redirected",
        "CWE-601",
        "send the device elsewhere with its sealed request",
        "redirects are not followed: sealroom.transport.Transport.post",
        redirected,
    ),
    Attack(
        "answer-without-end",
        "CWE-770",
        "send bytes until the device has no memory left",
        "every read is bounded: sealroom.transport.Body.read",
        endless,
    ),
)
