# SPDX-License-Identifier: Apache-2.0
"""More requests than the guest takes: one word, at once, and no harm to those under way."""

from __future__ import annotations

import asyncio
import http.client
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from grpclib.client import Channel

from guestapi.guest_grpc import GuestStub
from guestapi.guest_pb2 import HealthReply, HealthRequest
from lab.documents import GuestPlan
from sealroom import Busy, Room, Stream, Tone
from tests.flow import processes
from tests.flow.client import PATIENCE_S, key_configs, rewrite_message, seal
from tests.flow.programs.drills import COUNTED, Drill
from tests.flow.site import DRILL, Site, standing, together
from wire.suites import Kem


def talking(room: Room) -> Stream:
    """A stream whose first word has come, and which would not end before its deadline."""
    stream = room.rewrite_stream(Drill.BABBLE, Tone.FRIENDLY)
    assert next(stream).split()[0] == COUNTED[0]
    return stream


def health(site: Site) -> HealthReply:
    """What the gate says of itself."""

    async def ask_gate() -> HealthReply:
        host, _, port = site.lab.guest_address.rpartition(":")
        async with Channel(host, int(port)) as channel:
            reply: HealthReply = await GuestStub(channel).Health(HealthRequest())
            return reply

    return asyncio.run(ask_gate())


def test_without_a_queue_one_more_than_there_are_slots_is_busy(drill: Site) -> None:
    drill.is_idle()
    with drill.room() as room:
        streams = [talking(room) for _ in range(drill.plan.slots)]
        with pytest.raises(Busy) as caught:
            room.rewrite("one more", Tone.FRIENDLY)
        assert all(next(stream) for stream in streams), "those under way notice nothing"
        for stream in streams:
            stream.close()
    assert caught.value.retry_after_s == 1
    drill.is_idle()
    drill.serves()


@pytest.mark.slow
def test_a_crowd_before_full_slots_is_busy_to_the_last(drill: Site) -> None:
    drill.is_idle()
    config = key_configs(drill.lab.relay_url)[Kem.XWING]
    crowd = [seal(config, rewrite_message()) for _ in range(20)]
    with drill.room() as room:
        streams = [talking(room) for _ in range(drill.plan.slots)]
        with together(len(crowd)) as pool:
            replies = set(pool.map(lambda sealed: sealed.post(drill.lab.relay_url), crowd))
        for stream in streams:
            stream.close()
    (reply,) = replies
    assert (reply.status, reply.word, dict(reply.fields)["retry-after"]) == (503, "busy", "1")
    drill.is_idle()
    drill.serves()


@pytest.mark.slow
def test_a_queue_takes_one_and_the_next_is_busy(tmp_path: Path, model: Path) -> None:
    plan = GuestPlan(slots=1, waiting_max=1)
    with ExitStack() as stack:
        narrow = stack.enter_context(standing(tmp_path, model, plan, DRILL))
        room = stack.enter_context(narrow.room())
        pool = stack.enter_context(together(1))
        first = talking(room)
        second = pool.submit(room.rewrite, Drill.COUNT, Tone.FRIENDLY)
        processes.until("the one who waits", lambda: health(narrow).waiting == 1)
        with pytest.raises(Busy):
            room.rewrite("one more", Tone.FRIENDLY)
        first.close()
        assert second.result().text.split()[-1] == COUNTED[-1]
        assert second.result().done.ms.queue > 0
        narrow.serves()


@pytest.mark.slow
def test_a_sender_that_pauses_in_its_request_loses_its_slot(drill: Site) -> None:
    sealed = seal(key_configs(drill.lab.relay_url)[Kem.XWING], rewrite_message())
    parts = urlsplit(drill.lab.relay_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    connection.putrequest("POST", f"/t/{sealed.target}")
    connection.putheader("Content-Type", sealed.mode.value)
    connection.putheader("Content-Length", str(len(sealed.body)))
    connection.endheaders(sealed.body[: len(sealed.body) // 2])
    assert connection.getresponse().status == 504
    connection.close()
    drill.is_idle()
    drill.serves()
