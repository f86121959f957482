# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a sealed answer to its text. No I/O: whoever has the bytes pushes them in.

    HTTP body → chunked OHTTP → Binary HTTP → event stream or JSON → pieces of text
                                            → trailers → receipt

Nothing comes out before the tag of its chunk was verified, and nothing is called complete before
the final chunk opened and the receipt held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from attest import VerifiedGuest
from attest.receipt import Receipt
from sealroom.body import AnswerBody, body_for
from sealroom.errors import AlteredError, RefusedByGuest, Truncated
from sealroom.receipts import check_emptied, read_receipt
from wire.api import Done, Failure
from wire.bhttp import Fields
from wire.bhttp_stream import Content, End, ResponseEvent, ResponseHead, ResponseReader
from wire.chunked import ChunkedResponseOpener
from wire.errors import FormatError, OpenError, TruncatedError


@dataclass(frozen=True, slots=True)
class Complete:
    """A complete answer as the guest gave it."""

    text: str = field(repr=False)
    done: Done
    receipt: Receipt
    receipt_bytes: bytes = field(repr=False)
    signature: bytes = field(repr=False)


class AnswerReader:
    """Reads one sealed answer."""

    def __init__(self, opener: ChunkedResponseOpener, guest: VerifiedGuest) -> None:
        self._opener = opener
        self._guest = guest
        self._response = ResponseReader()
        self._body: AnswerBody | None = None
        self._trailers: Fields | None = None
        self._broken: FormatError | None = None

    @property
    def text(self) -> str:
        """The text that has come so far."""
        return "" if self._body is None else self._body.text

    def receive(self, data: bytes) -> str:
        """The text that `data` adds; often none.

        Raises:
            AlteredError: it is not what the guest sealed for this request.
        """
        with _altered():
            return "".join(
                self._take(self._response.receive(chunk)) for chunk in self._opener.receive(data)
            )

    def finish(self) -> tuple[str, Complete]:
        """The text that was still held back, and the complete answer, after the last byte.

        Raises:
            Truncated: there was no final chunk.
            AlteredError: it is not what the guest sealed for this request.
            ReceiptError: nothing shows that the room was emptied.
            RefusedByGuest: the guest says why there is no (more) output.
        """
        before = len(self.text)
        with _altered():
            self._take(self._response.receive(self._opener.finish()))
            self._take(self._response.finish())
        if self._body is None or self._trailers is None:
            raise AlteredError("a whole response", "a part of one")
        exchange = self._opener.exchange_id
        receipt, data, signature = read_receipt(self._trailers, self._guest, exchange)
        if not self._body.refused:
            # Before the body is judged: if the process died in mid-sentence, the receipt says so.
            check_emptied(receipt)
        with _altered():
            if self._broken is not None:
                raise self._broken
            end = self._body.end()
        if isinstance(end, Failure):
            raise RefusedByGuest(end.code, receipt)
        return self.text[before:], Complete(self.text, end, receipt, data, signature)

    def _take(self, events: Iterable[ResponseEvent]) -> str:
        piece = ""
        for event in events:
            match event:
                case ResponseHead():
                    self._body = body_for(event)
                case Content() if self._body is not None and self._broken is None:
                    try:
                        piece += self._body.receive(event.data)
                    except FormatError as error:
                        self._broken = error  # for `finish`, which has the receipt to explain it
                case End():
                    self._trailers = event.trailers
                case _:
                    pass  # a heartbeat (1xx), or content after what could not be read
        return piece


@contextmanager
def _altered() -> Iterator[None]:
    try:
        yield
    except TruncatedError as error:
        raise Truncated from error
    except OpenError as error:
        raise AlteredError("chunks sealed for this request", "one that does not open") from error
    except FormatError as error:
        raise AlteredError("a response in the agreed format", str(error)) from error
