# SPDX-License-Identifier: Apache-2.0
"""Asking the services of AMD and Intel, politely: one request at a time, few, and bounded.

They limit their clients and say so with 429. A refusal for now (429, 502, 503, 504) is tried again
a few times, later each time, and never before the service said; if that is later than
`PAUSE_MAX_S`, not at all. Everything else is final.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from sealroom.errors import Deadline, Unreachable

REQUEST_LIMIT_S = 30
PAUSES_S = (2, 4, 8)
PAUSE_MAX_S = 60
_LATER = frozenset({429, 502, 503, 504})

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered; names of headers in small letters, the last of a name counts."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def later_s(self) -> int:
        """The seconds that the service wants to be left alone."""
        told = self.headers.get("retry-after", "0")
        return int(told) if told.isascii() and told.isdigit() and len(told) < 6 else 0


async def fetch(
    name: str, service: str, path: str, most: int, *, sleep: Sleep = asyncio.sleep
) -> Reply:
    """The reply of the service `name` for one path, of at most `most` bytes.

    Raises:
        Unreachable: it did not answer, or not with such bytes.
        Deadline: an answer took longer than `REQUEST_LIMIT_S`.
    """
    limit = aiohttp.ClientTimeout(total=REQUEST_LIMIT_S)
    async with aiohttp.ClientSession(
        timeout=limit, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        reply = await _get(name, session, service + path, most)
        for pause_s in PAUSES_S:
            if reply.status not in _LATER or reply.later_s > PAUSE_MAX_S:
                break
            await sleep(max(pause_s, reply.later_s))
            reply = await _get(name, session, service + path, most)
    if reply.status != 200:
        raise Unreachable(name, "status 200", str(reply.status), status=reply.status)
    if len(reply.data) > most:
        raise Unreachable(name, f"at most {most} bytes", "more", status=reply.status)
    return reply


async def _get(name: str, session: aiohttp.ClientSession, url: str, most: int) -> Reply:
    """One reply, with at most one byte more than `most`."""
    try:
        async with session.get(URL(url, encoded=True), allow_redirects=False) as response:
            data = bytearray()
            while len(data) <= most and (more := await response.content.read(most + 1)):
                data += more
            headers = {key.lower(): value for key, value in response.headers.items()}
            return Reply(response.status, headers, bytes(data))
    except TimeoutError as error:
        raise Deadline(name, REQUEST_LIMIT_S) from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(name, "an answer", type(error).__name__) from error
