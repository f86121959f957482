# SPDX-License-Identifier: Apache-2.0
"""The room without asyncio: the same answers, the same errors, and no thread left behind."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sealroom import Message, NotTrusted, Timeouts, Truncated, Trust, Unreachable, connect
from tests.sealroom.guest import WORDS, Guest, Reply
from tests.sealroom.relay import Relay
from tests.sealroom.serve import serving_in_thread

CHAT = (Message("Ana", "18:04", "where do we meet?"),)
TEXT = "".join(WORDS)


def room_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sealroom"]


def test_all_four_ways_to_ask_give_the_same_text(guest: Guest, trust: Trust) -> None:
    with serving_in_thread(Relay(guest)) as relay, connect(relay.url, trust=trust) as room:
        assert room.guest.statement == guest.statement
        assert room.summarize(CHAT).text == TEXT
        assert room.rewrite("hey", "shorter").text == TEXT
        stream = room.summarize_stream(CHAT)
        assert "".join(stream) == TEXT
        assert stream.answer.text == TEXT
        assert "".join(room.rewrite_stream("hey", "shorter")) == TEXT
    assert room_threads() == []


def test_the_relay_of_the_trust_file_is_asked_unless_told_otherwise(guest: Guest) -> None:
    with serving_in_thread(Relay(guest)) as relay:
        trust = Trust.parse(guest.trust_file(relay.url))
        with connect(trust=trust) as room:
            assert room.summarize(CHAT).text == TEXT


def test_many_threads_may_use_one_room(guest: Guest, trust: Trust) -> None:
    with (
        serving_in_thread(Relay(guest)) as relay,
        connect(relay.url, trust=trust) as room,
        ThreadPoolExecutor(4) as pool,
    ):
        answers = list(pool.map(lambda _: room.summarize(CHAT).text, range(8)))
    assert answers == [TEXT] * 8


def test_an_error_comes_out_of_the_iterator_and_leaves_no_answer(
    guest: Guest, trust: Trust
) -> None:
    relay = Relay(guest, reply=Reply(final=False))
    with serving_in_thread(relay), connect(relay.url, trust=trust) as room:
        stream = room.summarize_stream(CHAT)
        with pytest.raises(Truncated) as caught:
            list(stream)
        assert caught.value.partial == TEXT
        with pytest.raises(RuntimeError):
            _ = stream.answer
        with pytest.raises(RuntimeError):
            next(stream)


def test_a_closed_stream_gives_nothing_more(guest: Guest, trust: Trust) -> None:
    with serving_in_thread(Relay(guest)) as relay, connect(relay.url, trust=trust) as room:
        stream = room.summarize_stream(CHAT)
        stream.close()
        with pytest.raises(RuntimeError):
            next(stream)


def test_a_room_that_cannot_be_entered_leaves_no_thread(guest: Guest) -> None:
    trust = Trust.parse(guest.trust_file(roots="pinned"))
    with (
        serving_in_thread(Relay(guest)) as relay,
        pytest.raises(NotTrusted),
        connect(relay.url, trust=trust),
    ):
        pass
    with pytest.raises(Unreachable), connect("http://127.0.0.1:1", trust=trust):
        pass
    assert room_threads() == []
    assert relay.posts == []


def test_a_room_after_its_block_is_no_room(guest: Guest, trust: Trust) -> None:
    with serving_in_thread(Relay(guest)) as relay, connect(relay.url, trust=trust) as room:
        pass
    with pytest.raises(RuntimeError):
        room.summarize(CHAT)


@pytest.mark.parametrize("wrong", ["http://relay.example", "", "https://a@b"])
def test_what_is_no_relay_is_the_callers_error(trust: Trust, wrong: str) -> None:
    with pytest.raises(ValueError, match="wanted"), connect(wrong, trust=trust):
        pass
    assert room_threads() == []


def test_a_timeout_of_nothing_is_the_callers_error() -> None:
    with pytest.raises(ValueError, match="idle_s"):
        Timeouts(idle_s=0)
