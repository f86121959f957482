# SPDX-License-Identifier: Apache-2.0
"""The device's only way to the network: two kinds of HTTP request, both to the relay.

The rule: what goes out names nobody and looks like everybody else's. No cookies, no User-Agent, no
ETags, no credentials, no proxy from the environment, no redirects, no compression. What comes in is
bounded in bytes and time at every read, and a clear reply is believed in nothing: anyone on the
way could have written it (RFC 9458 §5.2; chunked OHTTP draft-08 §3).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
from yarl import URL

from attest.evidence import EVIDENCE_MAX_BYTES
from sealroom.errors import AlteredError, Deadline, SealroomError, Truncated, Unreachable
from sealroom.refusals import PROBLEM_MAX_BYTES, read_refusal
from sealroom.relay import check_relay
from sealroom.timeouts import Timeouts
from wire.ohttp import Mode

EVIDENCE_PATH = ".well-known/sealroom-evidence"
RESPONSE_MAX_BYTES = 4 * 1024 * 1024
READ_MAX_BYTES = 64 * 1024
HEADER_MAX_BYTES = 4096

# aiohttp adds these to every request unless it is told not to.
_NOT_SENT = ("User-Agent", "Accept", "Accept-Encoding")


class Body:
    """The body of a sealed answer as it arrives. Whoever opens one closes it."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        among: set[aiohttp.ClientResponse],
        timeouts: Timeouts,
        started: float,
    ) -> None:
        self._response = response
        self._among = among
        self._timeouts = timeouts
        self._started = started
        self._bytes = 0

    async def read(self) -> bytes:
        """The next bytes, at most `READ_MAX_BYTES`; empty at the end.

        Raises:
            Deadline: nothing within `idle_s` (`first_byte_s` before the first), or `total_s` is up.
            Truncated: the connection broke off.
            AlteredError: more than `RESPONSE_MAX_BYTES` came.
        """
        limits = self._timeouts
        now = asyncio.get_running_loop().time()
        until, limit_s = min(
            (self._started + limits.total_s, limits.total_s),
            (now + limits.idle_s, limits.idle_s)
            if self._bytes
            else (self._started + limits.first_byte_s, limits.first_byte_s),
        )
        try:
            async with asyncio.timeout_at(until):
                data = await self._next()
        except TimeoutError as error:
            raise Deadline("the answer", limit_s) from error
        self._bytes += len(data)
        if self._bytes > RESPONSE_MAX_BYTES:
            raise AlteredError(f"at most {RESPONSE_MAX_BYTES} bytes", "more")
        return data

    async def _next(self) -> bytes:
        try:
            return await self._response.content.read(READ_MAX_BYTES)
        except (aiohttp.ClientError, OSError) as error:
            raise Truncated from error

    def close(self) -> None:
        """Gives the connection up; what had not been read is never read."""
        self._response.close()
        self._among.discard(self._response)


class Transport:
    """Requests to one relay.

    One connection per request, never reused: no request can fail on a connection that was already
    dead, so none ever has to be repeated.
    """

    def __init__(self, relay: str, timeouts: Timeouts) -> None:
        self._relay = URL(check_relay(relay))
        self._timeouts = timeouts
        self._open: set[aiohttp.ClientResponse] = set()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_SENT,
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEADER_MAX_BYTES,
            max_field_size=HEADER_MAX_BYTES,
            timeout=aiohttp.ClientTimeout(total=None, connect=timeouts.connect_s),
        )

    async def fetch_evidence(self) -> bytes:
        """The guest's evidence object, as it came.

        Raises:
            Unreachable, Busy, Deadline: there was none.
        """
        url = self._relay / EVIDENCE_PATH
        limit_s = self._timeouts.evidence_s
        with self._mapped("evidence", limit_s):
            async with (
                asyncio.timeout(limit_s),
                self._session.get(url, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise await _refusal(response)
                return await _read_bounded(response, "evidence", EVIDENCE_MAX_BYTES)

    async def post(self, target: str, sealed: bytes) -> Body:
        """Sends one sealed request, once, and returns the body of the sealed answer.

        Raises:
            Unreachable, Busy, StaleKey, Deadline: there is no answer.
            AlteredError: the reply says 200 and is not a sealed answer.
        """
        started = asyncio.get_running_loop().time()
        mode = Mode.CHUNKED
        limit_s = self._timeouts.first_byte_s
        with self._mapped("answer", limit_s):
            async with asyncio.timeout(limit_s):
                response = await self._session.post(
                    self._relay / "t" / target,
                    data=_body(sealed),
                    headers={"Content-Type": mode, "Incremental": "?1"},
                    allow_redirects=False,
                )
                try:
                    if response.status != 200:
                        raise await _refusal(response)
                    _check_sealed(response, mode.response_media)
                except BaseException:
                    response.close()
                    raise
        self._open.add(response)
        return Body(response, self._open, self._timeouts, started)

    @contextmanager
    def _mapped(self, what: str, limit_s: float) -> Iterator[None]:
        """Errors of aiohttp stay in this file: of them only the class is told, never the text."""
        try:
            yield
        except aiohttp.ConnectionTimeoutError as error:
            raise Deadline("a connection to the relay", self._timeouts.connect_s) from error
        except TimeoutError as error:
            raise Deadline(f"the {what}", limit_s) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(what, "a reply from the relay", type(error).__name__) from error

    async def aclose(self) -> None:
        """Closes whatever is still open, an answer that nobody read to its end too."""
        # The session would close their sockets, but not tell the responses.
        while self._open:
            self._open.pop().close()
        await self._session.close()


async def _body(sealed: bytes) -> AsyncIterator[bytes]:
    # An iterator makes aiohttp send no Content-Length, as chunked OHTTP draft-08 §3 asks.
    yield sealed


def _check_sealed(response: aiohttp.ClientResponse, media: str) -> None:
    """A 200 in the clear is no answer, whatever it says: nothing of it is read."""
    if response.headers.getall("Content-Type", []) != [media]:
        raise AlteredError(media, "another Content-Type")
    if "Content-Encoding" in response.headers:
        raise AlteredError("no Content-Encoding", "one")


async def _refusal(response: aiohttp.ClientResponse) -> SealroomError:
    body = await _read_bounded(response, "refusal", PROBLEM_MAX_BYTES)
    return read_refusal(response.status, response.headers.get("Retry-After"), body)


async def _read_bounded(response: aiohttp.ClientResponse, what: str, most: int) -> bytes:
    """The whole body, the limit being watched while it is read."""
    data = bytearray()
    while piece := await response.content.read(READ_MAX_BYTES):
        data += piece
        if len(data) > most:
            raise Unreachable(what, f"at most {most} bytes", "more", status=response.status)
    return bytes(data)
