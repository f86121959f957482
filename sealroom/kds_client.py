# SPDX-License-Identifier: Apache-2.0
"""Asking AMD's key distribution service, politely: one request at a time, few, and bounded.

The service limits its clients and says so with 429. A refusal for now (429, 502, 503, 504) is tried
again a few times, later each time, and never before the service said; if that is later than
`PAUSE_MAX_S`, not at all. Everything else is final.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
from yarl import URL

from sealroom.errors import Deadline, Unreachable

REQUEST_LIMIT_S = 30
PAUSES_S = (2, 4, 8)
PAUSE_MAX_S = 60
_LATER = frozenset({429, 502, 503, 504})

Sleep = Callable[[float], Awaitable[None]]


async def fetch(service: str, path: str, most: int, *, sleep: Sleep = asyncio.sleep) -> bytes:
    """The bytes at one path of the service, at most `most`.

    Raises:
        Unreachable: it did not answer, or not with such bytes.
        Deadline: an answer took longer than `REQUEST_LIMIT_S`.
    """
    limit = aiohttp.ClientTimeout(total=REQUEST_LIMIT_S)
    async with aiohttp.ClientSession(
        timeout=limit, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        status, told_s, data = await _get(session, service + path, most)
        for pause_s in PAUSES_S:
            if status not in _LATER or told_s > PAUSE_MAX_S:
                break
            await sleep(max(pause_s, told_s))
            status, told_s, data = await _get(session, service + path, most)
    if status != 200:
        raise Unreachable("KDS", "status 200", str(status), status=status)
    if len(data) > most:
        raise Unreachable("KDS", f"at most {most} bytes", "more", status=status)
    return data


async def _get(session: aiohttp.ClientSession, url: str, most: int) -> tuple[int, int, bytes]:
    """Status, the seconds that it wants to be left alone, and at most one byte more than `most`."""
    try:
        async with session.get(URL(url, encoded=True), allow_redirects=False) as response:
            told = response.headers.get("Retry-After", "0")
            seconds = int(told) if told.isascii() and told.isdigit() and len(told) < 6 else 0
            data = bytearray()
            while len(data) <= most and (more := await response.content.read(most + 1)):
                data += more
            return response.status, seconds, bytes(data)
    except TimeoutError as error:
        raise Deadline("the key distribution service", REQUEST_LIMIT_S) from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable("KDS", "an answer", type(error).__name__) from error
