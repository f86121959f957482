# SPDX-License-Identifier: Apache-2.0
"""Moving a body piece by piece: never more than one piece in memory, every limit while reading.

This file owns both directions between an HTTP client of ours and whatever is behind. Rule: a
piece is passed on as soon as it is there, and the next one is read only after the last was taken
(back-pressure). Nothing waits for a full buffer, a line or the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from aiohttp import web

from services.limits import PIECE_MAX_BYTES, Limits
from services.observer import Tally
from services.problems import BAD_GATEWAY, REFUSED, TOO_LARGE, TOO_SLOW, Refused
from services.resources import CACHE, Kind, Resource


class Upload:
    """The body of one request, to be read once.

    Attributes:
        length: its declared length in bytes, or None when it is chunked.
        failure: why reading it ended early; None while it is read and after its end.
        ended: whether all of it was read.
    """

    def __init__(self, request: web.BaseRequest, limits: Limits, tally: Tally) -> None:
        """Refuse a declared length above the limit before anything is read.

        Raises:
            Refused: TOO_LARGE.
        """
        self.length = request.content_length
        self.failure: Refused | None = None
        self.ended = False
        self._content = request.content
        self._limits = limits
        self._tally = tally
        if self.length is not None and self.length > limits.body_max_bytes:
            raise Refused(TOO_LARGE)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body in pieces of 1 to PIECE_MAX_BYTES bytes.

        Raises:
            Refused: TOO_LARGE or TOO_SLOW; REFUSED when its framing is malformed.
        """
        try:
            async for piece in self._read():
                yield piece
        except Refused as refused:
            self.failure = refused
            raise
        self.ended = True

    async def _read(self) -> AsyncGenerator[bytes, None]:
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_s):
                    piece = await self._content.read(PIECE_MAX_BYTES)
            except TimeoutError as error:
                raise Refused(TOO_SLOW) from error
            except web.RequestPayloadError as error:
                raise Refused(REFUSED) from error
            if not piece:
                return
            self._tally.bytes_in += len(piece)
            if self._tally.bytes_in > self._limits.body_max_bytes:
                raise Refused(TOO_LARGE)
            yield piece


class Download:
    """The answer to one request. Its head goes out with its first piece.

    Until then the request can still be refused; afterwards the answer can only be completed or
    broken off.
    """

    def __init__(
        self,
        request: web.BaseRequest,
        resource: Resource,
        media: str,
        limits: Limits,
        tally: Tally,
    ) -> None:
        headers = {"Content-Type": media, "Cache-Control": CACHE[resource.kind]}
        if resource.kind is Kind.EXCHANGE:
            # Asks an nginx in front of us not to collect the answer before passing it on.
            headers["X-Accel-Buffering"] = "no"
        self._response = web.StreamResponse(status=200, headers=headers)
        self._response.enable_chunked_encoding()
        self._request = request
        self._idle_s = limits.idle_s
        is_exchange = resource.kind is Kind.EXCHANGE
        self._max_bytes = limits.answer_max_bytes if is_exchange else limits.object_max_bytes
        self._tally = tally

    async def write(self, piece: bytes) -> None:
        """Send `piece`; returns when the client's connection has room for more.

        Raises:
            Refused: BAD_GATEWAY when the answer outgrows its limit, TOO_SLOW when the client does
                not read. Once the head is out, both break the answer off.
            ConnectionError: the client is gone.
        """
        self._tally.bytes_out += len(piece)
        if self._tally.bytes_out > self._max_bytes:
            raise Refused(BAD_GATEWAY)
        try:
            async with asyncio.timeout(self._idle_s):
                if not self._response.prepared:
                    await self._response.prepare(self._request)
                await self._response.write(piece)
        except TimeoutError as error:
            raise Refused(TOO_SLOW) from error

    async def end(self) -> web.StreamResponse:
        """Complete the answer."""
        if not self._response.prepared:
            await self._response.prepare(self._request)
        await self._response.write_eof()
        return self._response
