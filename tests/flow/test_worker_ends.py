# SPDX-License-Identifier: Apache-2.0
"""However a worker ends, its client gets a sealed reason with a receipt, and the next is served."""

import os
import signal

import pytest

from attest.receipt import Ended
from sealroom import RefusedByGuest, Room, Tone
from tests.flow import processes
from tests.flow.programs.drills import COUNTED, Drill
from tests.flow.site import Site, error_of, together
from wire.api import ErrorCode

# How a worker ends, what the receipt says of it, and its exit code or signal.
DEATHS = {
    Drill.RAISE: (Ended.EXITED, os.EX_SOFTWARE),
    Drill.ABORT: (Ended.SIGNALLED, signal.SIGABRT),
    Drill.KILLED: (Ended.SIGNALLED, signal.SIGKILL),
    Drill.MEMORY: (Ended.EXITED, os.EX_SOFTWARE),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["batch", "stream"])
@pytest.mark.parametrize("how", DEATHS)
def test_a_worker_that_dies_is_told_of_under_seal(drill: Site, how: Drill, streamed: bool) -> None:
    with drill.room() as room, pytest.raises(RefusedByGuest) as caught:
        if streamed:
            list(room.rewrite_stream(how, Tone.FRIENDLY))
        else:
            room.rewrite(how, Tone.FRIENDLY)
    assert caught.value.code is ErrorCode.WORKER_FAILED
    assert (caught.value.receipt.ended, caught.value.receipt.code) == DEATHS[how]
    drill.serves()


@pytest.mark.slow
def test_a_worker_that_does_not_end_is_killed_at_its_deadline(drill: Site) -> None:
    """Three kinds at once, because waiting for a deadline takes its time."""

    def drain(room: Room, how: Drill) -> None:
        list(room.rewrite_stream(how, Tone.FRIENDLY))

    with drill.room() as room, together(3) as pool:
        hangs = {how: pool.submit(drain, room, how) for how in (Drill.FREEZE, Drill.SLEEP)}
        hangs[Drill.BABBLE] = pool.submit(drain, room, Drill.BABBLE)
        errors = {how: error_of(future) for how, future in hangs.items()}
    for how, error in errors.items():
        assert isinstance(error, RefusedByGuest), (how, error)
        assert error.code is ErrorCode.DEADLINE
        assert (error.receipt.ended, error.receipt.code) == (Ended.KILLED, signal.SIGKILL)
    assert errors[Drill.FREEZE].partial == ""
    assert errors[Drill.BABBLE].partial.startswith(" ".join(COUNTED[:3]))
    drill.serves()


def test_a_client_that_goes_takes_its_worker_along(drill: Site) -> None:
    with drill.room() as room:
        stream = room.rewrite_stream(Drill.BABBLE, Tone.FRIENDLY)
        next(stream)
        (worker,) = processes.workers(drill.init)
        stream.close()
        processes.until("the worker's end", lambda: processes.gone(worker), patience_s=5)
    drill.serves()


def test_a_client_that_goes_frees_its_slot(drill: Site) -> None:
    """There is no queue: a slot that stayed taken would make one of these Busy."""
    with drill.room() as room:
        for _ in range(drill.plan.slots + 1):
            stream = room.rewrite_stream(Drill.BABBLE, Tone.FRIENDLY)
            next(stream)
            stream.close()
            drill.is_idle()
    drill.serves()


@pytest.mark.slow
def test_a_client_that_does_not_read_stops_nobody(drill: Site) -> None:
    with drill.room() as room:
        unread = room.rewrite_stream(Drill.BABBLE, Tone.FRIENDLY)
        next(unread)
        counted = "".join(room.rewrite_stream(Drill.COUNT, Tone.FRIENDLY))
        unread.close()
    assert counted.split() == COUNTED
    drill.is_idle()
    drill.serves()
