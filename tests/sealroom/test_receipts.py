# SPDX-License-Identifier: Apache-2.0
"""An answer counts with a receipt that holds, and so does what the guest says went wrong."""

import base64
import dataclasses
from collections.abc import Callable

import pytest

from attest.receipt import Ended, Receipt
from sealroom import Trust
from sealroom.errors import (
    AlteredError,
    ReceiptError,
    RefusedByGuest,
)
from tests.sealroom.asking import TEXT, failure
from tests.sealroom.guest import DONE, Guest, Reply, base64url, head, records
from tests.sealroom.relay import Relay
from wire import bhttp_pieces as pieces
from wire.api import (
    EVENT_STREAM,
    JSON,
    RECEIPT,
    RECEIPT_SIGNATURE,
    ErrorCode,
    Failure,
    write_failure,
)
from wire.sse import Delta, write_event


def without(name: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda trailers: {key: value for key, value in trailers.items() if key != name}


def flipped(name: str) -> Callable[[dict[str, str]], dict[str, str]]:
    def flip(trailers: dict[str, str]) -> dict[str, str]:
        text = trailers[name]
        return trailers | {name: ("B" if text[0] == "A" else "A") + text[1:]}

    return flip


BAD_TRAILERS = {
    "no receipt": without(RECEIPT),
    "no signature": without(RECEIPT_SIGNATURE),
    "no trailers": lambda trailers: {},
    "another signature": flipped(RECEIPT_SIGNATURE),
    "another receipt": flipped(RECEIPT),
    "padded base64": lambda trailers: trailers | {RECEIPT: trailers[RECEIPT] + "="},
    "no base64": lambda trailers: trailers | {RECEIPT_SIGNATURE: "!"},
    "empty": lambda trailers: trailers | {RECEIPT_SIGNATURE: ""},
}

BAD_RECEIPTS: dict[str, Callable[[Receipt], Receipt]] = {
    "another exchange": lambda good: dataclasses.replace(good, exchange=b"x" * 32),
    "another epoch": lambda good: dataclasses.replace(good, epoch=good.epoch + 1),
    "killed": lambda good: dataclasses.replace(good, ended=Ended.KILLED, code=9),
    "signalled": lambda good: dataclasses.replace(good, ended=Ended.SIGNALLED, code=11),
    "unknown": lambda good: dataclasses.replace(good, ended=Ended.UNKNOWN),
    "exit code": lambda good: dataclasses.replace(good, code=1),
}


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("spoil", BAD_TRAILERS.values(), ids=BAD_TRAILERS)
def test_an_answer_without_its_signed_receipt_is_not_complete(
    guest: Guest, trust: Trust, spoil: Callable[[dict[str, str]], dict[str, str]], batch: bool
) -> None:
    error = failure(Relay(guest, reply=Reply(trailers=spoil)), trust, batch=batch)
    assert isinstance(error, ReceiptError)
    assert error.partial == ("" if batch else TEXT)


@pytest.mark.parametrize("spoil", BAD_RECEIPTS.values(), ids=BAD_RECEIPTS)
def test_an_answer_whose_receipt_says_something_else_is_not_complete(
    guest: Guest, trust: Trust, spoil: Callable[[Receipt], Receipt]
) -> None:
    error = failure(Relay(guest, reply=Reply(receipt=spoil)), trust)
    assert isinstance(error, ReceiptError)
    assert error.partial == TEXT


def test_a_receipt_signed_by_another_guest_is_none(guest: Guest, trust: Trust) -> None:
    other = Guest()

    def resign(trailers: dict[str, str]) -> dict[str, str]:
        receipt = base64.urlsafe_b64decode(trailers[RECEIPT] + "==")
        return trailers | {RECEIPT_SIGNATURE: base64url(other.sign(receipt))}

    assert isinstance(failure(Relay(guest, reply=Reply(trailers=resign)), trust), ReceiptError)


def refusal(code: ErrorCode, status: int) -> tuple[bytes, ...]:
    return (head(status, JSON) + pieces.content(write_failure(Failure(code))),)


@pytest.mark.parametrize("batch", [False, True])
def test_a_failure_of_the_guest_is_told_with_its_code(
    guest: Guest, trust: Trust, batch: bool
) -> None:
    reply = Reply(content=refusal(ErrorCode.TOO_LONG, 413))
    error = failure(Relay(guest, reply=reply), trust, batch=batch)
    assert isinstance(error, RefusedByGuest)
    assert error.code is ErrorCode.TOO_LONG


def test_a_failure_in_mid_stream_is_told_with_its_code_and_the_part(
    guest: Guest, trust: Trust
) -> None:
    content = (head(200, EVENT_STREAM), *records(Delta("They "), Failure(ErrorCode.DEADLINE)))
    killed = BAD_RECEIPTS["killed"]
    error = failure(Relay(guest, reply=Reply(content=content, receipt=killed)), trust)
    assert isinstance(error, RefusedByGuest)
    assert (error.code, error.partial) == (ErrorCode.DEADLINE, "They ")
    assert error.receipt.ended is Ended.KILLED


def test_a_failure_without_a_receipt_is_none(guest: Guest, trust: Trust) -> None:
    reply = Reply(content=refusal(ErrorCode.TOO_LONG, 413), trailers=without(RECEIPT))
    assert isinstance(failure(Relay(guest, reply=reply), trust), ReceiptError)


def test_a_process_killed_in_mid_event_is_told_by_the_receipt(guest: Guest, trust: Trust) -> None:
    half = write_event(Delta("They meet"))[:20]
    content = (head(200, EVENT_STREAM), pieces.content(half + write_event(DONE)))
    reply = Reply(content=content, receipt=BAD_RECEIPTS["killed"])
    error = failure(Relay(guest, reply=reply), trust)
    assert isinstance(error, ReceiptError)


BAD_CONTENT = {
    "no head": (),
    "no last event": (head(200, EVENT_STREAM), *records(Delta("They "))),
    "no event stream": (head(200, EVENT_STREAM), pieces.content(b"hello\n\n")),
    "after the last event": (head(200, EVENT_STREAM), *records(DONE, Delta("more"))),
    "another media type": (head(200, "text/html"), pieces.content(b"hello")),
    "a stream with an error status": (head(500, EVENT_STREAM), *records(DONE)),
    "not JSON": (head(200, JSON), pieces.content(b"hello")),
    "a failure with another status": refusal(ErrorCode.TOO_LONG, 500),
    "an unknown code": (head(500, JSON) + pieces.content(b'{"error":"hungry"}'),),
    "a failure with 200": refusal(ErrorCode.TOO_LONG, 200),
}


@pytest.mark.parametrize("content", BAD_CONTENT.values(), ids=BAD_CONTENT)
def test_an_answer_in_no_agreed_format_is_refused(
    guest: Guest, trust: Trust, content: tuple[bytes, ...]
) -> None:
    assert isinstance(failure(Relay(guest, reply=Reply(content=content)), trust), AlteredError)
