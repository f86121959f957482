# SPDX-License-Identifier: Apache-2.0
"""One thing wrong with an answer, one typed error; a clear reply is believed in nothing."""

import asyncio
import dataclasses

import pytest
from aiohttp import web

from sealroom import Trust, aio
from sealroom.errors import (
    AlteredError,
    Deadline,
    SealroomError,
    Truncated,
    Unreachable,
)
from sealroom.transport import RESPONSE_MAX_BYTES
from tests.sealroom.asking import CHAT, MEDIA, SHORT, TEXT, failure
from tests.sealroom.guest import WORDS, Guest, Reply
from tests.sealroom.relay import Relay, always, problem, serving, stream
from wire import bhttp_pieces as pieces


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
