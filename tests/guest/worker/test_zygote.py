# SPDX-License-Identifier: Apache-2.0
"""The zygote as a real process that forks real workers; only what a worker does stands in."""

import os
import select
import signal
import socket
import time
from pathlib import Path

import pytest

from guest.channel import Channel, GoneError, pack, pair
from guest.door import Cause, Ended, Ending, Opening, Process, Say
from guest.worker import zygote as zygote_module
from tests.guest.rig import descriptors_of, few_descriptors
from tests.guest.worker.zygote_hall import WAIT_MAX_S, Hall, hall, heard

UNBORN = Ending(Ended.UNBORN, 0, Cause.NONE)


def test_a_worker_that_returns_has_exited_with_zero() -> None:
    with hall() as it:
        door = it.fork(5, "return")
        assert it.ended(5) == Ending(Ended.EXITED, 0, Cause.NONE)
        with pytest.raises(GoneError):
            door.hear()
        door.close()


def test_the_keyholder_hears_of_the_birth_with_a_door_and_a_pidfd_and_then_of_the_end() -> None:
    with hall() as it:
        door = it.fork(5, "ask")
        born = heard(it.keyholder)
        assert (born.say, born.worker, len(born.fds)) == (Say.BORN, 5, 2)
        worker_door = Channel.adopt(born.fds[0], us=Process.KEYHOLDER, them=Process.WORKER)
        assert heard(worker_door).body == b"question"
        assert select.select([born.fds[1]], [], [], WAIT_MAX_S)[0] == [born.fds[1]]
        with pytest.raises(GoneError):  # nobody else holds the worker's end
            heard(worker_door)
        end = heard(it.keyholder)
        assert (end.say, end.worker) == (Say.ENDED, 5)
        assert Ending.parse(end.body) == it.ended(5)
        worker_door.close()
        os.close(born.fds[1])
        door.close()


def test_a_worker_hears_how_long_its_request_waited() -> None:
    with hall() as it:
        door = it.fork(5, "opening", queued_ms=321)
        assert Opening.parse(heard(door).body) == Opening(True, 321)
        door.close()


def test_a_worker_holds_its_two_sockets_and_nothing_else() -> None:
    with hall() as it:
        idle = it.fork(4)
        door = it.fork(5, "look")
        socket_fd, door_fd, *found = heard(door).body.decode().split()
        open_now = dict(entry.split("=", 1) for entry in found)
        assert set(open_now) == {"0", "1", "2", socket_fd, door_fd}
        assert {open_now[fd] for fd in "012"} == {"/dev/null"}
        idle.close()
        door.close()


def test_a_worker_that_fails_exits_with_70_and_writes_nothing() -> None:
    with hall() as it:
        door = it.fork(5, "print and fail")
        assert it.ended(5) == Ending(Ended.EXITED, os.EX_SOFTWARE, Cause.NONE)
        assert it.written() == b'{"event":"worker-ended","exited":1,"code":70}\n'
        door.close()


@pytest.mark.parametrize(
    ("word", "ending"),
    [
        ("exit", Ending(Ended.EXITED, 7, Cause.NONE)),
        ("crash", Ending(Ended.SIGNALLED, signal.SIGSEGV, Cause.NONE)),
    ],
)
def test_the_end_is_told_as_it_was(word: str, ending: Ending) -> None:
    with hall() as it:
        door = it.fork(5, word)
        assert it.ended(5) == ending
        door.close()


@pytest.mark.parametrize("cause", [Cause.CANCELLED, Cause.DEADLINE])
def test_a_worker_is_killed_on_the_gates_word(cause: Cause) -> None:
    with hall() as it:
        door = it.fork(5, "hang")
        heard(door)
        it.kill(5, cause)
        it.kill(5, Cause.CANCELLED)  # the first cause stays
        assert it.ended(5) == Ending(Ended.SIGNALLED, signal.SIGKILL, cause)
        door.close()


def test_another_process_that_kills_a_worker_is_no_cause_of_ours() -> None:
    with hall() as it:
        door = it.fork(5, "hang")
        os.kill(int(heard(door).body), signal.SIGKILL)
        assert it.ended(5) == Ending(Ended.SIGNALLED, signal.SIGKILL, Cause.NONE)
        door.close()


def test_a_worker_that_ended_by_itself_before_the_word_came_was_not_killed() -> None:
    with hall() as it:
        door = it.fork(5, "wait")
        born = heard(it.keyholder)
        heard(door)
        os.kill(it.pid, signal.SIGSTOP)  # the zygote learns of the word and the end at once
        it.kill(5, Cause.CANCELLED)
        door.say(Say.END)
        assert select.select([born.fds[1]], [], [], WAIT_MAX_S)[0]
        os.kill(it.pid, signal.SIGCONT)
        assert it.ended(5) == Ending(Ended.EXITED, 0, Cause.NONE)
        born.close()
        door.close()


def test_a_worker_past_the_deadline_is_killed_without_a_word() -> None:
    with hall(deadline_s=0) as it:
        door = it.fork(5, "hang")
        assert it.ended(5) == Ending(Ended.SIGNALLED, signal.SIGKILL, Cause.DEADLINE)
        door.close()


def test_a_gate_that_is_gone_takes_its_workers_along() -> None:
    with hall() as it:
        door = it.fork(5, "hang")
        heard(door)
        it.gate.close()
        born = heard(it.keyholder)
        words = heard(it.keyholder)
        assert Ending.parse(words.body) == Ending(Ended.SIGNALLED, signal.SIGKILL, Cause.CANCELLED)
        born.close()
        door.close()
        it.gate = it.link(Process.GATE)
        assert heard(it.gate).say is Say.READY
        door = it.fork(6, "return")
        assert it.ended(6).ended is Ended.EXITED
        door.close()


def test_without_a_keyholder_no_worker_is_made() -> None:
    with hall() as it:
        it.keyholder.close()
        time.sleep(0.05)
        door = it.fork(5, "return")
        assert it.ended(5).cause in {Cause.NONE, Cause.CANCELLED}
        door.close()
        door = it.fork(6, "return")
        assert it.ended(6) == UNBORN
        door.close()
        it.keyholder = it.link(Process.KEYHOLDER)
        ends: list[Ended] = []
        while Ended.EXITED not in ends:  # the new door and the forks come by different ways
            it.fork(7 + len(ends), "return").close()
            ends.append(it.ended(7 + len(ends)).ended)
            assert len(ends) < 1000


def test_more_workers_than_there_may_be_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote_module, "WORKERS_MAX", 2)
    with hall() as it:
        doors = [it.fork(number, "hang") for number in (1, 2)]
        for door in doors:
            heard(door)
        third = it.fork(3, "hang")
        assert it.ended(3) == UNBORN
        it.kill(1, Cause.CANCELLED)
        it.ended(1)
        fourth = it.fork(4, "return")
        assert it.ended(4).ended is Ended.EXITED
        for door in (*doors, third, fourth):
            door.close()


def settled(it: Hall) -> set[int]:
    """What the zygote holds once it has all of its doors, and no worker."""
    number, ended = 100, UNBORN
    while ended == UNBORN:
        it.fork(number, "return").close()
        ended = it.ended(number)
        number += 1
    return descriptors_of(it.pid)


def until_holds(it: Hall, held: set[int]) -> None:
    """The zygote says that a worker has ended a moment before it has put everything away."""
    end = time.monotonic() + WAIT_MAX_S
    while descriptors_of(it.pid) != held:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("room", [1, 2], ids=["no pair", "half a pair"])
def test_without_a_free_descriptor_no_worker_is_made_and_none_is_left(room: int) -> None:
    with hall() as it:
        before = settled(it)
        with few_descriptors(it.pid, room):
            doors = [it.fork(number, "return") for number in (1, 2)]
            assert [it.ended(number) for number in (1, 2)] == [UNBORN] * 2
            until_holds(it, before)
        doors.append(it.fork(3, "return"))
        assert it.ended(3) == Ending(Ended.EXITED, 0, Cause.NONE)
        assert it.lives()
        for door in doors:
            door.close()


def test_a_fork_whose_descriptor_was_lost_closes_the_gates_door() -> None:
    """The kernel drops a descriptor for which there is no room; the parcel is then cut."""
    with hall() as it:
        settled(it)
        with few_descriptors(it.pid, 0):
            door = it.fork(1, "return")
            with pytest.raises(GoneError):
                heard(it.gate)
        assert it.lives()
        door.close()


def test_a_keyholder_whose_door_is_broken_for_good_ends_the_zygote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zygote_module, "RELINK_MAX_S", 0.3)
    with hall() as it:
        it.keyholder.close()
        assert select.select([it.pidfd], [], [], WAIT_MAX_S)[0]


def test_a_keyholder_that_comes_back_in_time_keeps_the_zygote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zygote_module, "RELINK_MAX_S", 0.3)
    with hall() as it:
        before, it.keyholder = it.keyholder, it.link(Process.KEYHOLDER)
        before.close()
        assert not select.select([it.pidfd], [], [], 0.6)[0]


BROKEN = [
    pack(Say.KILL, 5, b"because"),
    pack(Say.KILL, 5, b"\xff"),
    pack(Say.READY, 0, b""),
    pack(Say.FORK, 9, b"\x01\x00\x00\x00\x00"),
]


@pytest.mark.parametrize("packet", BROKEN)
def test_a_gate_that_breaks_its_door_loses_it_and_its_workers_but_the_zygote_lives(
    packet: bytes,
) -> None:
    with hall() as it:
        door = it.fork(5, "hang")
        heard(door)
        it.gate._sock.send(packet)
        with pytest.raises(GoneError):
            heard(it.gate)
        born, end = heard(it.keyholder), heard(it.keyholder)
        assert Ending.parse(end.body).cause is Cause.CANCELLED
        born.close()
        assert b"door-broken" in it.written()
        assert it.lives()
        door.close()


@pytest.mark.parametrize(
    ("number", "opening"),
    [(6, b"\x02\x00\x00\x00\x00"), (6, b""), (5, b"\x01\x00\x00\x00\x00")],
    ids=["another spelling", "no opening", "a number that lives"],
)
def test_a_fork_that_cannot_be_meant_breaks_the_door(number: int, opening: bytes) -> None:
    with hall() as it:
        door = it.fork(5, "hang")
        heard(door)
        near, far = pair()
        socket.send_fds(it.gate._sock, [pack(Say.FORK, number, opening)], [far.fileno()])
        far.close()
        born, end = heard(it.keyholder), heard(it.keyholder)
        assert (born.worker, end.worker, end.say) == (5, 5, Say.ENDED)
        born.close()
        assert near.recv(1) == b""  # the worker's end was closed, and there is no worker
        assert it.lives()
        near.close()
        door.close()


def test_a_zygote_that_is_killed_takes_its_workers_along() -> None:
    with hall() as it:
        door = it.fork(5, "hang")
        heard(door)
        os.kill(it.pid, signal.SIGKILL)
        with pytest.raises(GoneError):
            heard(door)
        door.close()


def test_many_workers_leave_no_descriptor_behind() -> None:
    with hall() as it:
        counts = []
        for number in range(12):
            door = it.fork(number, "return")
            it.ended(number)
            born, end = heard(it.keyholder), heard(it.keyholder)
            assert end.say is Say.ENDED
            born.close()
            door.close()
            counts.append(len(list(Path(f"/proc/{it.pid}/fd").iterdir())))
        assert len(set(counts[1:])) == 1
