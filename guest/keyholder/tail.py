# SPDX-License-Identifier: Apache-2.0
"""The final chunk: whatever the answer still needs, the erasure receipt, and padding. One table.

Where the worker stopped decides what is missing from the Binary HTTP response (RFC 9292 §3.2): a
worker that died early gets a failure that fits the place where it died, so that its client, and
only its client, reads a clean error. The tail has the same size whatever it says.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Final

from guest.door import Cause, Ending, Phase
from wire import bhttp_pieces as pieces
from wire.api import (
    JSON,
    RECEIPT,
    RECEIPT_SIGNATURE,
    STATUS,
    ErrorCode,
    Failure,
    write_failure,
)
from wire.bhttp import Response, write_response
from wire.chunked import ChunkedResponseSealer
from wire.ohttp import ResponseKey, seal_response
from wire.sse import write_event

TAIL_BYTES: Final = 2048  # plaintext bytes of every final chunk

FAILURES: Final[Mapping[Cause, ErrorCode]] = {
    Cause.NONE: ErrorCode.WORKER_FAILED,
    Cause.DEADLINE: ErrorCode.DEADLINE,
    Cause.CANCELLED: ErrorCode.CANCELLED,
}


def _failed_response(failure: Failure) -> bytes:
    head = pieces.head(STATUS[failure.code], (("content-type", JSON),))
    return head + pieces.content(write_failure(failure))


MISSING: Final[Mapping[Phase, Callable[[Failure], bytes]]] = {
    Phase.NOTHING: lambda failure: pieces.begin_response() + _failed_response(failure),
    Phase.INFORMED: _failed_response,
    Phase.STREAMING: lambda failure: pieces.content(write_event(failure)),
    Phase.ANSWERED: lambda failure: b"",
}


def seal_tail(
    key: ResponseKey,
    *,
    phase: Phase,
    chunks: int,
    ending: Ending,
    receipt: bytes,
    signature: bytes,
) -> bytes:
    """The bytes that end a chunked response after ``chunks`` chunks were announced."""
    plain = (
        MISSING[phase](Failure(FAILURES[ending.cause]))
        + pieces.end_content()
        + pieces.trailers(((RECEIPT, _text(receipt)), (RECEIPT_SIGNATURE, _text(signature))))
    )
    plain += pieces.padding(max(0, TAIL_BYTES - len(plain)))
    if chunks:
        return ChunkedResponseSealer.resume(key, at=chunks).seal_final(plain)
    sealer = ChunkedResponseSealer(key)
    return sealer.begin() + sealer.seal_final(plain)


def seal_whole_failure(key: ResponseKey, ending: Ending) -> bytes:
    """The one message of plain OHTTP, when the worker died before it could send its own."""
    failure = Failure(FAILURES[ending.cause])
    content = write_failure(failure)
    fields = (("content-type", JSON),)
    return seal_response(key, write_response(Response(STATUS[failure.code], fields, content)))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
