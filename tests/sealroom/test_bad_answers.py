# SPDX-License-Identifier: Apache-2.0
"""One thing wrong with an answer, one typed error; and nothing is sent to whom is not trusted."""

import asyncio
import base64
import dataclasses
from collections.abc import Callable

import pytest
from aiohttp import web

from attest import Stage
from attest.evidence import EVIDENCE_MAX_BYTES
from attest.receipt import Ended, Receipt
from sealroom import Message, Timeouts, Trust, aio
from sealroom.errors import (
    AlteredError,
    Deadline,
    NotTrusted,
    ReceiptError,
    RefusedByGuest,
    SealroomError,
    Truncated,
    Unreachable,
)
from sealroom.transport import RESPONSE_MAX_BYTES
from tests.sealroom.guest import DONE, WORDS, Guest, Reply, base64url, head, records
from tests.sealroom.relay import Relay, always, problem, serving, stream
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
from wire.ohttp import Mode
from wire.sse import Delta, write_event
from wire.suites import PLAIN

CHAT = (Message("Ana", "18:04", "where do we meet?"),)
TEXT = "".join(WORDS)
SHORT = Timeouts(connect_s=1, evidence_s=0.3, first_byte_s=0.3, idle_s=0.3, total_s=5)
MEDIA = Mode.CHUNKED.response_media


def failure(
    relay: Relay, trust: Trust, *, timeouts: Timeouts = SHORT, batch: bool = False
) -> SealroomError:
    """The error that a summary through `relay` ends with."""

    async def run() -> None:
        async with (
            serving(relay),
            aio.connect(relay.url, trust=trust, timeouts=timeouts) as room,
        ):
            if batch:
                await room.summarize(CHAT)
            else:
                await room.summarize_stream(CHAT).rest()

    with pytest.raises(SealroomError) as caught:
        asyncio.run(run())
    assert TEXT not in str(caught.value) + repr(caught.value)
    return caught.value


# --- evidence: without a verified guest no byte is sealed


def spoilt(guest: Guest) -> bytes:
    """Evidence whose report has another signature (at byte 672 of the report, 896 of its text)."""
    data = bytearray(guest.evidence)
    at = data.index(b'"report":"') + len(b'"report":"') + 904
    data[at] = ord("A") if data[at] != ord("A") else ord("B")
    return bytes(data)


def test_to_a_guest_that_is_not_trusted_nothing_is_sent(guest: Guest, trust: Trust) -> None:
    evidence = always(lambda: web.Response(body=spoilt(guest)))

    relay = Relay(guest, on_evidence=evidence)
    error = failure(relay, trust)
    assert isinstance(error, NotTrusted)
    assert error.stage is Stage.SIGNATURE
    assert error.findings
    assert relay.posts == []


def test_malformed_evidence_is_not_trusted(guest: Guest, trust: Trust) -> None:
    evidence = always(lambda: web.Response(body=guest.evidence + b" "))

    relay = Relay(guest, on_evidence=evidence)
    error = failure(relay, trust)
    assert isinstance(error, NotTrusted)
    assert (error.stage, error.findings) == (Stage.FORMAT, ())
    assert relay.posts == []


def test_evidence_over_the_limit_is_not_read_to_its_end(guest: Guest, trust: Trust) -> None:
    async def evidence(request: web.Request, _body: bytes) -> web.StreamResponse:
        return await stream(request, [b" " * EVIDENCE_MAX_BYTES, b" "], "application/json")

    relay = Relay(guest, on_evidence=evidence)
    assert isinstance(failure(relay, trust), Unreachable)
    assert relay.posts == []


def test_evidence_that_does_not_come_in_time_is_a_deadline(guest: Guest, trust: Trust) -> None:
    evidence = always(web.Response, after_s=2)

    assert isinstance(failure(Relay(guest, on_evidence=evidence), trust), Deadline)


def test_a_redirect_of_the_evidence_is_not_followed(guest: Guest, trust: Trust) -> None:
    again = {"Location": "/.well-known/sealroom-evidence"}
    evidence = always(lambda: web.Response(status=302, headers=again))

    relay = Relay(guest, on_evidence=evidence)
    error = failure(relay, trust)
    assert isinstance(error, Unreachable)
    assert error.status == 302
    assert relay.fetched == 1


def test_a_guest_without_the_one_suite_is_not_sealed_to() -> None:
    guest = Guest(PLAIN)
    relay = Relay(guest)
    error = failure(relay, Trust.parse(guest.trust_file()))
    assert isinstance(error, Unreachable | NotTrusted)
    assert relay.posts == []


def test_a_relay_that_is_not_there_is_unreachable(guest: Guest, trust: Trust) -> None:
    async def run() -> None:
        async with serving(Relay(guest)) as relay:
            url = relay.url
        async with aio.connect(url, trust=trust, timeouts=SHORT):
            pass

    with pytest.raises(Unreachable):
        asyncio.run(run())


# --- refusals in the clear


@pytest.mark.parametrize(
    ("status", "title", "error"),
    [
        (400, "refused", Unreachable),
        (404, "not-found", Unreachable),
        (413, "too-large", Unreachable),
        (415, "media", Unreachable),
        (422, "unknown-key", Unreachable),  # without the problem type it is no hint
        (500, "failed", Unreachable),
        (503, "unavailable", Unreachable),
        (504, "deadline", Deadline),
        (204, "", Unreachable),
    ],
)
def test_a_refusal_in_the_clear_has_its_error(
    guest: Guest, trust: Trust, status: int, title: str, error: type[SealroomError]
) -> None:
    refuse = always(lambda: problem(status, title))

    relay = Relay(guest, on_post=refuse)
    assert type(failure(relay, trust)) is error
    assert len(relay.posts) == 1


@pytest.mark.parametrize("body", [b"", b"[" * 4000, b'"busy"', b'{"title":7}', b"\xff"])
def test_a_refusal_with_any_body_has_its_error(guest: Guest, trust: Trust, body: bytes) -> None:
    refuse = always(lambda: web.Response(status=503, body=body))

    error = failure(Relay(guest, on_post=refuse), trust)
    assert isinstance(error, Unreachable)
    assert error.status == 503


def test_words_that_are_not_ours_do_not_get_into_an_error(guest: Guest, trust: Trust) -> None:
    refuse = always(lambda: problem(500, "\x1b[2J call this number"))

    assert "number" not in str(failure(Relay(guest, on_post=refuse), trust))


# --- answers that are not sealed, or not whole


def test_a_plaintext_answer_is_not_read(guest: Guest, trust: Trust) -> None:
    plain = always(lambda: web.json_response({"text": "trust me"}))

    error = failure(Relay(guest, on_post=plain), trust)
    assert isinstance(error, AlteredError)
    assert error.partial == ""


def test_plaintext_under_the_right_media_type_does_not_open(guest: Guest, trust: Trust) -> None:
    async def plain(request: web.Request, _body: bytes) -> web.StreamResponse:
        return await stream(request, [b"n" * 16 + b"\0" + b"trust me " * 9])

    assert isinstance(failure(Relay(guest, on_post=plain), trust), AlteredError)


def test_a_compressed_answer_is_not_read(guest: Guest, trust: Trust) -> None:
    compressed = always(
        lambda: web.Response(headers={"Content-Type": MEDIA, "Content-Encoding": "gzip"})
    )

    assert isinstance(failure(Relay(guest, on_post=compressed), trust), AlteredError)


@pytest.mark.parametrize("batch", [False, True])
def test_an_answer_without_its_final_chunk_is_truncated(
    guest: Guest, trust: Trust, batch: bool
) -> None:
    error = failure(Relay(guest, reply=Reply(final=False)), trust, batch=batch)
    assert isinstance(error, Truncated)
    assert error.partial == ("" if batch else TEXT)


@pytest.mark.parametrize("kept", range(1, 7))
def test_an_answer_cut_off_between_chunks_is_truncated(
    guest: Guest, trust: Trust, kept: int
) -> None:
    async def cut(request: web.Request, body: bytes) -> web.StreamResponse:
        return await stream(request, relay.reply.seal(guest, guest.open(body))[:kept])

    relay = Relay(guest, on_post=cut)
    assert isinstance(failure(relay, trust), Truncated)


def test_a_connection_that_breaks_off_is_truncated(guest: Guest, trust: Trust) -> None:
    async def cut(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MEDIA})
        await response.prepare(request)
        for part in relay.reply.seal(guest, guest.open(body))[:4]:
            await response.write(part)
        assert request.transport is not None
        request.transport.abort()
        return response

    relay = Relay(guest, on_post=cut)
    error = failure(relay, trust)
    assert isinstance(error, Truncated)
    assert TEXT.startswith(error.partial)


@pytest.mark.parametrize("at", [20, 40, 200, 700, -1])
def test_one_bit_turned_is_altered(guest: Guest, trust: Trust, at: int) -> None:
    async def turn(request: web.Request, body: bytes) -> web.StreamResponse:
        data = bytearray(b"".join(relay.reply.seal(guest, guest.open(body))))
        data[at] ^= 1
        return await stream(request, [bytes(data)])

    relay = Relay(guest, on_post=turn)
    assert isinstance(failure(relay, trust), AlteredError | Truncated)


def test_the_answer_to_another_request_does_not_open(guest: Guest, trust: Trust) -> None:
    async def swap(request: web.Request, body: bytes) -> web.StreamResponse:
        first.append(body)
        return await relay.answer(request, first[0])

    async def run() -> None:
        async with serving(relay), aio.connect(relay.url, trust=trust) as room:
            await room.summarize(CHAT)
            await room.summarize(CHAT)

    first: list[bytes] = []
    relay = Relay(guest, on_post=swap)
    with pytest.raises(AlteredError):
        asyncio.run(run())
    assert len(first) == 2


def test_a_response_over_the_limit_is_not_read_to_its_end(guest: Guest, trust: Trust) -> None:
    async def flood(request: web.Request, body: bytes) -> web.StreamResponse:
        chunk = pieces.informational(102) * 3000
        parts = Reply(content=(chunk,) * (RESPONSE_MAX_BYTES // len(chunk) + 2))
        return await stream(request, parts.seal(guest, guest.open(body)))

    timeouts = dataclasses.replace(SHORT, idle_s=5, first_byte_s=5)
    error = failure(Relay(guest, on_post=flood), trust, timeouts=timeouts)
    assert isinstance(error, AlteredError)


# --- time


def test_no_headers_in_time_is_a_deadline(guest: Guest, trust: Trust) -> None:
    slow = always(web.Response, after_s=2)

    assert isinstance(failure(Relay(guest, on_post=slow), trust), Deadline)


@pytest.mark.parametrize("sent", [0, 1, 4])
def test_no_further_byte_in_time_is_a_deadline(guest: Guest, trust: Trust, sent: int) -> None:
    async def slow(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MEDIA})
        await response.prepare(request)
        for part in relay.reply.seal(guest, guest.open(body))[:sent]:
            await response.write(part)
        await asyncio.sleep(2)
        return response

    relay = Relay(guest, on_post=slow)
    error = failure(relay, trust)
    assert isinstance(error, Deadline)
    assert error.partial == (WORDS[0] if sent == 4 else "")


def test_an_answer_that_never_ends_meets_the_total_deadline(guest: Guest, trust: Trust) -> None:
    async def drip(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MEDIA})
        await response.prepare(request)
        beats = Reply(content=(pieces.informational(102),) * 500)
        for part in beats.seal(guest, guest.open(body)):
            await response.write(part)
            await asyncio.sleep(0.02)
        return response

    error = failure(
        Relay(guest, on_post=drip), trust, timeouts=dataclasses.replace(SHORT, total_s=0.5)
    )
    assert isinstance(error, Deadline)
    assert error.limit_s == 0.5


# --- receipts


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


# --- what the guest itself says


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
