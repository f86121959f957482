# SPDX-License-Identifier: Apache-2.0
"""Sealing the answer: every chunk but the last, each announced before it leaves.

The mark comes first, so the keyholder's count is never behind what was sent, and the final chunk
it seals can never reuse a nonce. The last chunk is not ours to seal: it says that we are dead.
Plain OHTTP (`WholeReply`) has one message and no such promise.
"""

from __future__ import annotations

import threading
from typing import Final, Protocol

from guest.channel import Channel
from guest.door import Phase, Say
from wire import bhttp_pieces as pieces
from wire.api import EVENT_STREAM, JSON, STATUS, Answer, Failure, write_answer, write_failure
from wire.bhttp import Response, write_response
from wire.chunked import ChunkedResponseSealer
from wire.ohttp import ResponseKey, seal_response
from wire.padding import pad_answer

PART_BYTES: Final = 8 * 1024  # of content in one chunk, or of a sealed message in one parcel
PROCESSING: Final = 102  # informational: the relay and the client see that something lives


class Reply(Protocol):
    """What both kinds of answer can do."""

    def inform(self) -> None:
        """Send a sign of life, if this kind of answer can."""

    def answer(self, answer: Answer) -> None:
        """Send the whole answer at once, padded."""

    def fail(self, failure: Failure) -> None:
        """Send a failure with its status."""


class ChunkedReply:
    """An answer in chunks (draft-ietf-ohai-chunked-ohttp-08); safe to use from two threads."""

    def __init__(self, gate: Channel, keyholder: Channel, key: ResponseKey) -> None:
        self._gate = gate
        self._keyholder = keyholder
        self._sealer = ChunkedResponseSealer(key)
        self._phase = Phase.NOTHING
        self._lock = threading.Lock()

    def inform(self) -> None:
        """Send an informational response, unless the head has left already."""
        with self._lock:
            if self._phase < Phase.STREAMING:
                self._send(pieces.informational(PROCESSING), Phase.INFORMED)

    def open_stream(self) -> None:
        """Send the head of an event stream."""
        with self._lock:
            self._send(_head(200, EVENT_STREAM), Phase.STREAMING)

    def record(self, record: bytes, *, last: bool) -> None:
        """Send one record of the event stream."""
        with self._lock:
            phase = Phase.ANSWERED if last else Phase.STREAMING
            self._send(pieces.content(record), phase)

    def answer(self, answer: Answer) -> None:
        """Send head and content."""
        self._whole(200, pad_answer(write_answer(answer)))

    def fail(self, failure: Failure) -> None:
        """Send head and failure."""
        self._whole(STATUS[failure.code], pad_answer(write_failure(failure)))

    def _whole(self, status: int, content: bytes) -> None:
        """Send head and content, in as many chunks as their length needs."""
        parts = [content[at : at + PART_BYTES] for at in range(0, len(content), PART_BYTES)]
        plain = [pieces.content(part) for part in parts]
        plain[0] = _head(status, JSON) + plain[0]
        with self._lock:
            for chunk in plain[:-1]:
                self._send(chunk, Phase.STREAMING)
            self._send(plain[-1], Phase.ANSWERED)

    def _send(self, plain: bytes, phase: Phase) -> None:
        first = self._phase is Phase.NOTHING
        self._keyholder.say(Say.MARK, body=bytes([phase]))
        self._phase = phase
        if first:
            sealed = self._sealer.begin() + self._sealer.seal(pieces.begin_response() + plain)
        else:
            sealed = self._sealer.seal(plain)
        self._gate.say(Say.CHUNK, body=sealed)


class WholeReply:
    """An answer in one message (RFC 9458 §4.4)."""

    def __init__(self, gate: Channel, keyholder: Channel, key: ResponseKey) -> None:
        self._gate = gate
        self._keyholder = keyholder
        self._key = key

    def inform(self) -> None:
        """Nothing: one message is all there is."""

    def answer(self, answer: Answer) -> None:
        """Seal the whole response."""
        self._send(200, pad_answer(write_answer(answer)))

    def fail(self, failure: Failure) -> None:
        """Seal the failure."""
        self._send(STATUS[failure.code], pad_answer(write_failure(failure)))

    def _send(self, status: int, content: bytes) -> None:
        response = Response(status, (("content-type", JSON),), content)
        sealed = seal_response(self._key, write_response(response))
        self._keyholder.say(Say.MARK, body=bytes([Phase.WHOLE]))
        for at in range(0, len(sealed), PART_BYTES):
            self._gate.say(Say.CHUNK, body=sealed[at : at + PART_BYTES])


def _head(status: int, media: str) -> bytes:
    return pieces.head(status, (("content-type", media),))
