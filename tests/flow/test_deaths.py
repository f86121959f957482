# SPDX-License-Identifier: Apache-2.0
"""Each process is killed in mid-request: what its client is told, and that all comes back.

The device has verified a guest and is reading a stream when the process dies.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from attest.receipt import Ended
from guest.door import Process
from sealroom import RefusedByGuest, SealroomError, Stream, Tone, Truncated
from tests.flow import processes
from tests.flow.programs.drills import COUNTED, Drill
from tests.flow.site import Site, together
from wire.api import ErrorCode


@contextmanager
def talking(site: Site) -> Iterator[Stream]:
    """A stream whose first words have come, and which would not end before its deadline."""
    site.is_idle()
    with site.room() as room:
        stream = room.rewrite_stream(Drill.BABBLE, Tone.FRIENDLY)
        next(stream)
        yield stream


def end_of(stream: Stream) -> SealroomError:
    """The error by which the stream ends."""
    with pytest.raises(SealroomError) as caught:
        list(stream)
    return caught.value


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    processes.until(f"the end of {pid}", lambda: processes.gone(pid))


def test_a_killed_worker_is_told_of_under_seal(drill: Site) -> None:
    with talking(drill) as stream:
        (worker,) = processes.workers(drill.init)
        kill(worker)
        error = end_of(stream)
    assert isinstance(error, RefusedByGuest), error
    assert error.code is ErrorCode.WORKER_FAILED
    assert (error.receipt.ended, error.receipt.code) == (Ended.SIGNALLED, signal.SIGKILL)
    drill.serves()


@pytest.mark.slow
def test_the_neighbour_of_a_killed_worker_notices_nothing(drill: Site) -> None:
    with talking(drill) as stream:
        (worker,) = processes.workers(drill.init)
        with drill.room() as room, together(1) as pool:
            counting = room.rewrite_stream(Drill.COUNT, Tone.FRIENDLY)
            counted = [next(counting)]
            rest = pool.submit(list, counting)
            kill(worker)
            counted += rest.result()
        assert isinstance(end_of(stream), RefusedByGuest)
    assert "".join(counted).split() == COUNTED
    drill.serves()


@pytest.mark.slow
def test_a_killed_zygote_is_told_of_under_seal(drill: Site) -> None:
    """Its workers die with it, and nobody is left to say how."""
    with talking(drill) as stream:
        kill(drill.pids()[Process.ZYGOTE])
        error = end_of(stream)
    assert isinstance(error, RefusedByGuest), error
    assert error.code is ErrorCode.WORKER_FAILED
    assert error.receipt.ended is Ended.UNKNOWN
    drill.serves_again()


@pytest.mark.slow
def test_a_killed_keyholder_leaves_an_answer_without_its_end(drill: Site) -> None:
    """The keys are gone: nobody can seal the final chunk, and what is sealed next is to others."""
    with drill.room() as room:
        before = room.guest.key_configs
    with talking(drill) as stream:
        kill(drill.pids()[Process.KEYHOLDER])
        assert isinstance(end_of(stream), Truncated)
    after = drill.serves_again().guest.key_configs
    assert set(before).isdisjoint(after)


def test_a_killed_gate_leaves_an_answer_without_its_end(drill: Site) -> None:
    with talking(drill) as stream:
        (worker,) = processes.workers(drill.init)
        kill(drill.pids()[Process.GATE])
        assert isinstance(end_of(stream), Truncated)
        processes.until("the worker's end", lambda: processes.gone(worker), patience_s=5)
    drill.serves_again()


@pytest.mark.slow
def test_a_killed_init_takes_everything_along(drill: Site) -> None:
    pids = list(drill.pids().values())
    with talking(drill) as stream:
        pids += processes.workers(drill.init)
        kill(drill.init)
        assert isinstance(end_of(stream), Truncated)
    processes.until("everybody's end", lambda: all(map(processes.gone, pids)), patience_s=5)
    drill.lab.restart("guest")
    drill.serves_again()


@pytest.mark.parametrize("name", ["ingress", pytest.param("relay", marks=pytest.mark.slow)])
def test_a_killed_middleman_cuts_the_answer_and_its_worker(drill: Site, name: str) -> None:
    with talking(drill) as stream:
        (worker,) = processes.workers(drill.init)
        kill(drill.lab.pid(name))
        assert isinstance(end_of(stream), Truncated)
        processes.until("the worker's end", lambda: processes.gone(worker), patience_s=5)
    drill.lab.restart(name)
    drill.serves_again()
