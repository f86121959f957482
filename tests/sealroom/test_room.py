# SPDX-License-Identifier: Apache-2.0
"""A room that works: what goes out, what comes back, and when evidence is looked at again."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from sealroom import Message, Phase, Tone, Trust, aio
from sealroom.errors import Busy, InputError, NotTrusted, StaleKey
from sealroom.refusals import OHTTP_KEY_PROBLEM
from sealroom.room import AsyncRoom
from tests.sealroom.guest import DONE, LIFE_S, WORDS, Guest
from tests.sealroom.relay import Relay, always, problem, serving
from wire.api import EVENT_STREAM, JSON, REWRITE, SUMMARIZE, parse_rewrite, parse_summarize
from wire.ohttp import HEADER_BYTES, Mode
from wire.padding import REQUEST_BUCKETS_BYTES
from wire.suites import DEFAULT

CHAT = (Message("Ana", "18:04", "where do we meet?"), Message("Bo", "18:05", "at the station"))
TEXT = "".join(WORDS)


def in_room(
    relay: Relay,
    trust: Trust,
    scenario: Callable[[AsyncRoom], Awaitable[None]],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_phase: Callable[[Phase], None] = lambda phase: None,
) -> None:
    async def run() -> None:
        async with (
            serving(relay),
            aio.connect(relay.url, trust=trust, now=now, on_phase=on_phase) as room,
        ):
            await scenario(room)

    asyncio.run(run())


def test_a_summary_streams_in_pieces_and_ends_in_an_answer(guest: Guest, trust: Trust) -> None:
    async def scenario(room: AsyncRoom) -> None:
        stream = room.summarize_stream(CHAT)
        with pytest.raises(RuntimeError):
            _ = stream.answer
        assert "".join([piece async for piece in stream]) == TEXT
        assert (stream.answer.text, stream.answer.done) == (TEXT, DONE)
        assert stream.answer.receipt.lived_ms == 10
        assert stream.answer.guest is room.guest
        assert [piece async for piece in stream] == []

    relay = Relay(guest)
    in_room(relay, trust, scenario)
    request = guest.open(relay.posts[0]).request
    assert (request.path, dict(request.headers)["accept"]) == (SUMMARIZE, EVENT_STREAM)
    assert parse_summarize(request.content).messages == CHAT


def test_a_summary_comes_in_one_piece(guest: Guest, trust: Trust) -> None:
    async def scenario(room: AsyncRoom) -> None:
        assert (await room.summarize(CHAT)).text == TEXT

    relay = Relay(guest)
    in_room(relay, trust, scenario)
    assert dict(guest.open(relay.posts[0]).request.headers)["accept"] == JSON


def test_a_text_is_rewritten_in_the_tone_asked_for(guest: Guest, trust: Trust) -> None:
    async def scenario(room: AsyncRoom) -> None:
        assert (await room.rewrite("hey", Tone.FRIENDLY)).text == TEXT
        assert (await room.rewrite_stream("hey", "shorter").rest()).text == TEXT
        with pytest.raises(ValueError, match="angry"):
            await room.rewrite("hey", "angry")

    relay = Relay(guest)
    in_room(relay, trust, scenario)
    requests = [guest.open(post).request for post in relay.posts]
    assert [request.path for request in requests] == [REWRITE, REWRITE]
    assert [parse_rewrite(request.content).tone for request in requests] == ["friendly", "shorter"]


def test_timing_accounts_for_the_whole(guest: Guest, trust: Trust) -> None:
    async def scenario(room: AsyncRoom) -> None:
        timing = (await room.summarize(CHAT)).timing
        assert (timing.queue, timing.open, timing.prefill, timing.decode) == (1, 2, 3, 4)
        assert (timing.lived, timing.erased) == (10, 1)
        assert timing.total >= timing.seal + timing.first_byte
        assert timing.relay == max(0, timing.total - timing.seal - timing.queue - timing.lived)

    in_room(Relay(guest), trust, scenario)


def test_what_goes_out_names_nobody(guest: Guest, trust: Trust) -> None:
    async def scenario(room: AsyncRoom) -> None:
        await room.summarize(CHAT)

    relay = Relay(guest)
    in_room(relay, trust, scenario)
    evidence, post = ({name.lower() for name in headers} for headers in relay.headers)
    assert evidence == {"host", "connection"}
    assert post == evidence | {"content-type", "incremental", "transfer-encoding"}
    assert relay.headers[1]["Content-Type"] == Mode.CHUNKED
    assert relay.headers[1]["Incremental"] == "?1"


def test_cookies_are_never_sent_back(guest: Guest, trust: Trust) -> None:
    async def evidence(_request: web.Request, _body: bytes) -> web.Response:
        response = web.Response(body=guest.evidence)
        response.set_cookie("who", "me")
        return response

    async def scenario(room: AsyncRoom) -> None:
        await room.summarize(CHAT)

    relay = Relay(guest, on_evidence=evidence)
    in_room(relay, trust, scenario)
    assert "Cookie" not in relay.headers[1]


def test_the_size_of_a_request_tells_its_bucket_only(guest: Guest, trust: Trust) -> None:
    async def scenario(room: AsyncRoom) -> None:
        for length in (1, 10, 2000, 5000, 9000):
            await room.rewrite("x" * length, "shorter")

    relay = Relay(guest)
    in_room(relay, trust, scenario)
    small, medium = {len(post) for post in relay.posts}
    overhead = HEADER_BYTES + DEFAULT.enc_bytes
    buckets = [bucket for bucket in REQUEST_BUCKETS_BYTES if overhead + bucket < max(small, medium)]
    assert len(buckets) == 2


def test_each_request_is_sealed_with_a_key_of_its_own(guest: Guest, trust: Trust) -> None:
    async def scenario(room: AsyncRoom) -> None:
        await asyncio.gather(*(room.summarize(CHAT) for _ in range(5)))

    relay = Relay(guest)
    in_room(relay, trust, scenario)
    assert len({guest.open(post).enc for post in relay.posts}) == 5
    assert relay.fetched == 1


def test_the_phases_are_told_in_their_order(guest: Guest, trust: Trust) -> None:
    phases: list[Phase] = []

    async def scenario(room: AsyncRoom) -> None:
        await room.summarize(CHAT)

    in_room(Relay(guest), trust, scenario, on_phase=phases.append)
    assert phases == list(Phase)


def test_a_stale_key_costs_one_refresh_and_a_new_encryption() -> None:
    guest = Guest()

    async def scenario(room: AsyncRoom) -> None:
        first = room.guest
        guest.rotate()
        assert (await room.summarize(CHAT)).text == TEXT
        assert room.guest is not first

    relay = Relay(guest)
    in_room(relay, Trust.parse(guest.trust_file()), scenario)
    assert relay.fetched == 2
    old, new = relay.posts
    assert old[HEADER_BYTES:][:32] != new[HEADER_BYTES:][:32]


def test_many_stale_requests_share_one_refresh() -> None:
    guest = Guest()

    async def scenario(room: AsyncRoom) -> None:
        guest.rotate()
        answers = await asyncio.gather(*(room.summarize(CHAT) for _ in range(4)))
        assert [answer.text for answer in answers] == [TEXT] * 4

    relay = Relay(guest)
    in_room(relay, Trust.parse(guest.trust_file()), scenario)
    assert relay.fetched == 2


def test_a_relay_that_says_stale_forever_gets_two_ciphertexts_and_no_more(
    guest: Guest, trust: Trust
) -> None:
    stale = always(lambda: problem(422, "unknown-key", OHTTP_KEY_PROBLEM))

    async def scenario(room: AsyncRoom) -> None:
        with pytest.raises(StaleKey):
            await room.summarize(CHAT)

    relay = Relay(guest, on_post=stale)
    in_room(relay, trust, scenario)
    assert relay.fetched == 2
    assert len(set(relay.posts)) == len(relay.posts) == 2


def test_busy_is_told_with_its_time_and_not_tried_again(guest: Guest, trust: Trust) -> None:
    busy = always(lambda: problem(503, "busy", Retry_After="3"))

    async def scenario(room: AsyncRoom) -> None:
        with pytest.raises(Busy) as caught:
            await room.summarize(CHAT)
        assert caught.value.retry_after_s == 3
        relay.on_post = None
        assert (await room.summarize(CHAT)).text == TEXT

    relay = Relay(guest, on_post=busy)
    in_room(relay, trust, scenario)
    assert len(relay.posts) == 2


def test_evidence_that_nears_its_end_is_renewed_before_it_is_used() -> None:
    guest = Guest()
    now = [datetime.now(UTC)]

    async def scenario(room: AsyncRoom) -> None:
        await room.summarize(CHAT)
        assert relay.fetched == 1
        now[0] += timedelta(seconds=LIFE_S - 40)
        guest.rotate(not_before=now[0].timestamp())
        await room.summarize(CHAT)
        assert relay.fetched == 2

    relay = Relay(guest)
    in_room(relay, Trust.parse(guest.trust_file()), scenario, now=lambda: now[0])


def test_after_evidence_that_fails_to_verify_nothing_is_sealed_any_more() -> None:
    guest = Guest()
    now = [datetime.now(UTC)]

    async def scenario(room: AsyncRoom) -> None:
        now[0] += timedelta(seconds=LIFE_S)
        for _ in range(2):
            with pytest.raises(NotTrusted):
                await room.summarize(CHAT)
            with pytest.raises(RuntimeError):
                _ = room.guest

    relay = Relay(guest)
    in_room(relay, Trust.parse(guest.trust_file()), scenario, now=lambda: now[0])
    assert relay.posts == []


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (Message("Ana", "", "x" * 20_000),),
        (Message("Ana", "", "hi"),) * 2001,
        (Message("Ana", "", "x" * 16_000),) * 20,
        (Message("Ana", "", "\ud800"),),
        (Message("", "", "hi"),),
    ],
    ids=["none", "long message", "many", "long chat", "half a surrogate", "no sender"],
)
def test_a_chat_that_no_guest_takes_is_refused_unsent(
    guest: Guest, trust: Trust, messages: tuple[Message, ...]
) -> None:
    async def scenario(room: AsyncRoom) -> None:
        with pytest.raises(InputError):
            await room.summarize(messages)

    relay = Relay(guest)
    in_room(relay, trust, scenario)
    assert relay.posts == []


def test_a_stream_that_is_closed_ends_its_request(guest: Guest, trust: Trust) -> None:
    gone = asyncio.Event()

    async def slow(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": Mode.CHUNKED.response_media})
        await response.prepare(request)
        for part in relay.reply.seal(guest, guest.open(body))[:4]:
            await response.write(part)
        for _ in range(500):
            await asyncio.sleep(0.01)
            if request.transport is None:
                gone.set()
                break
        return response

    async def scenario(room: AsyncRoom) -> None:
        stream = room.summarize_stream(CHAT)
        assert TEXT.startswith(await anext(stream))
        stream.close()
        await asyncio.wait_for(gone.wait(), 5)
        with pytest.raises(RuntimeError):
            await anext(stream)

    relay = Relay(guest, on_post=slow)
    in_room(relay, trust, scenario)


def test_a_stream_that_is_closed_while_it_waits_ends_its_request(
    guest: Guest, trust: Trust
) -> None:
    came, gone = asyncio.Event(), asyncio.Event()

    async def silent(request: web.Request, _body: bytes) -> web.StreamResponse:
        came.set()
        for _ in range(500):
            await asyncio.sleep(0.01)
            if request.transport is None:
                gone.set()
                break
        return web.Response()

    async def scenario(room: AsyncRoom) -> None:
        stream = room.summarize_stream(CHAT)
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.wait_for(came.wait(), 5)
        stream.close()
        with pytest.raises(RuntimeError, match="closed"):
            await reading
        await asyncio.wait_for(gone.wait(), 5)

    in_room(Relay(guest, on_post=silent), trust, scenario)


def test_a_stream_left_half_read_is_closed_with_the_room(guest: Guest, trust: Trust) -> None:
    async def begun(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": Mode.CHUNKED.response_media})
        await response.prepare(request)
        for part in relay.reply.seal(guest, guest.open(body))[:4]:
            await response.write(part)
        await asyncio.sleep(5)
        return response

    async def scenario(room: AsyncRoom) -> None:
        assert await anext(room.summarize_stream(CHAT))

    relay = Relay(guest, on_post=begun)
    in_room(relay, trust, scenario)
    gc.collect()  # warns, as an error, of a response or a connection that nobody closed
