# SPDX-License-Identifier: Apache-2.0
"""A guest that has served holds no more than one that has just started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guest.door import Process
from guest.environment import ENVIRONMENT
from lab.memscan import children
from sealroom import Tone
from tests.flow import processes
from tests.flow.programs.drills import Drill
from tests.flow.site import Site, together

REQUESTS = 6


def held(site: Site) -> dict[Process, int]:
    """How many descriptors each of the three processes has open when nothing is under way."""
    site.is_idle()
    return {process: processes.descriptors(pid) for process, pid in site.pids().items()}


@pytest.mark.slow
def test_requests_leave_no_process_and_no_descriptor_behind(house: Site) -> None:
    before, pids = held(house), house.pids()
    with house.room() as room, together(2) as pool:
        list(pool.map(lambda _: room.rewrite("See you.", Tone.SHORTER), range(REQUESTS - 2)))
        for _ in range(2):
            stream = room.rewrite_stream("See you soon.", Tone.FRIENDLY)
            next(stream)
            stream.close()
    processes.until("every descriptor's end", lambda: held(house) == before)
    assert house.pids() == pids
    assert children(house.init) == sorted(pids.values())
    assert [children(pid) for pid in pids.values()] == [[], [], []]


def test_a_worker_was_told_nothing_by_its_arguments_or_environment(drill: Site) -> None:
    drill.is_idle()
    with drill.room() as room:
        stream = room.rewrite_stream(Drill.BABBLE, Tone.FRIENDLY)
        next(stream)
        (worker,) = processes.workers(drill.init)
        environment = Path(f"/proc/{worker}/environ").read_text().split("\0")[:-1]
        told = processes.arguments(worker)
        stream.close()
    assert told == processes.arguments(drill.pids()[Process.ZYGOTE])
    assert sorted(environment) == sorted(f"{key}={value}" for key, value in ENVIRONMENT.items())
    drill.is_idle()


def test_a_worker_holds_two_doors_and_nothing_of_the_zygote(drill: Site) -> None:
    drill.is_idle()
    with drill.room() as room:
        stream = room.rewrite_stream(Drill.BABBLE, Tone.FRIENDLY)
        next(stream)
        (worker,) = processes.workers(drill.init)
        held = sorted(str(fd.readlink()) for fd in Path(f"/proc/{worker}/fd").iterdir())
        stream.close()
    assert held[:3] == [os.devnull] * 3
    assert [name.partition(":")[0] for name in held[3:]] == ["socket", "socket"]
    drill.is_idle()
