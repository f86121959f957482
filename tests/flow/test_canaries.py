# SPDX-License-Identifier: Apache-2.0
"""What was in a request is nowhere when it is over: not in memory, not in a log, not on disk.

A search that finds nothing proves nothing by itself, so the same search finds the canary where it
must be: in the worker in mid-request, and in a zygote that was built to leak.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from guest.door import Process
from lab.memscan import Survey, look_into
from sealroom import Message, RefusedByGuest, Room, Tone
from tests.flow import processes
from tests.flow.canaries import Canaries, stopped
from tests.flow.client import key_configs, message, rewrite_message, seal
from tests.flow.programs.drills import Drill
from tests.flow.site import Site, together
from wire.api import SUMMARIZE
from wire.keyconfig import KeyConfig
from wire.ohttp import Mode
from wire.suites import Kem

ROUNDS = 5
KEPT = {"utf-8", "token-ids", "kv-values+0"}
"""A worker has its request as text, as token ids, and in its first layer's cache."""


@pytest.fixture(scope="module")
def canaries(model: Path) -> Canaries:
    return Canaries(model)


def well(room: Room, canaries: Canaries) -> None:
    """Four good requests, two at a time."""
    tones = (Tone.FRIENDLY, Tone.SHORTER, Tone.PROOFREAD)
    texts = [canaries.text() for _ in tones]
    chat = [Message(canaries.text().split()[3], "", canaries.text())]
    with together(2) as pool:
        answers = [pool.submit(room.rewrite, *each) for each in zip(texts, tones, strict=True)]
        answers.append(pool.submit(room.summarize, chat))
        assert all(answer.result().text for answer in answers)


def left_early(room: Room, canaries: Canaries) -> None:
    """A device that goes away in the middle of its answer."""
    stream = room.rewrite_stream(canaries.text(), Tone.PROFESSIONAL)
    next(stream)
    stream.close()


def badly(config: KeyConfig, url: str, canaries: Canaries) -> None:
    """Five that are refused: by the gate, by the keyholder, and by the worker when it has read."""
    broken = seal(config, rewrite_message(canaries.text()))
    assert broken.post(url, broken.body[:-1]).status == 400
    too_long = seal(config, rewrite_message(canaries.text()).ljust(300 * 1024, b"\0"))
    assert too_long.post(url).status == 400
    told = (
        message(f"/v1/{canaries.text().split()[3]}", canaries.text().encode()),
        message(SUMMARIZE, b'{"messages":[{"sender":"' + canaries.text().encode()),
    )
    for plain in told:
        sealed = seal(config, plain)
        assert sealed.open(sealed.post(url)).status in {400, 404}
    whole = seal(config, rewrite_message(canaries.text()), Mode.WHOLE)
    assert whole.open(whole.post(url)).status == 200
    assert whole.post(url).status == 400


def test_the_search_finds_a_canary_in_the_worker_in_mid_request(
    house: Site, canaries: Canaries
) -> None:
    house.is_idle()
    with house.room() as room, together(1) as pool:
        stream = room.rewrite_stream(" ".join([canaries.text()] * 20), Tone.FRIENDLY)
        pool.submit(list, stream)

        def forms() -> set[str]:
            """What is found in the worker, which has read its request or is about to."""
            found: set[str] = set()
            for worker in processes.workers(house.init):
                survey = Survey()
                with suppress(ProcessLookupError), stopped(worker):  # it may end before it is held
                    look_into(canaries.plain, worker, survey)
                found |= {hit.form for hit in survey.hits}
            return found

        processes.until("a worker", lambda: processes.workers(house.init))
        processes.until("the canary", lambda: forms() >= KEPT)
        stream.close()
    house.is_idle()


@pytest.mark.slow
def test_the_search_finds_a_canary_in_a_zygote_that_leaks(drill: Site) -> None:
    canaries = Canaries()
    with drill.room() as room:
        assert room.rewrite(f"{Drill.LEAK} {canaries.text()}", Tone.FRIENDLY).text
    drill.is_idle()
    zygote = drill.pids()[Process.ZYGOTE]
    assert {hit.form for hit in canaries.search.process(zygote)} == {"utf-8"}


@pytest.mark.slow
def test_a_worker_that_dies_leaves_no_canary_behind(drill: Site, canaries: Canaries) -> None:
    since = time.time()
    with drill.room() as room:
        for how in (Drill.RAISE, Drill.ABORT, Drill.KILLED):
            with pytest.raises(RefusedByGuest):
                room.rewrite(f"{how} {canaries.text()}", Tone.FRIENDLY)
    drill.is_idle()
    assert canaries.in_guest(drill) == []
    assert canaries.on_disk(drill, since) == []
    drill.serves()


@pytest.mark.slow
def test_after_fifty_requests_no_canary_is_left_anywhere(house: Site, canaries: Canaries) -> None:
    since = time.time()
    config = key_configs(house.lab.relay_url)[Kem.XWING]
    with house.room() as room:
        for _ in range(ROUNDS):
            well(room, canaries)
            left_early(room, canaries)
            badly(config, house.lab.relay_url, canaries)
    house.is_idle()
    assert canaries.in_guest(house) == []
    assert canaries.on_the_way(house) == []
    assert canaries.on_disk(house, since) == []
    house.serves()
