# SPDX-License-Identifier: Apache-2.0
"""Ids and capabilities: what a process gives up is gone, and who may still do what to whom."""

import functools
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from guest import users
from guest.door import Process
from tests.guest.rig import in_child

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has ids to give up")
ALONE = [process for process in users.USERS if process is not Process.ZYGOTE]


def refusal(deed: Callable[[], object]) -> str:
    try:
        deed()
    except PermissionError:
        return "refused"
    return "done"


def capabilities() -> dict[bytes, bytes]:
    """The sets of this process. As bytes: its user may not be able to load a codec."""
    lines = Path("/proc/self/status").read_bytes().splitlines()
    return dict(line.split(b":\t") for line in lines if line.startswith(b"Cap"))


@ROOT
@pytest.mark.parametrize("process", users.USERS)
def test_root_becomes_the_processs_user_and_is_no_longer_in_any_group(process: Process) -> None:
    def look() -> object:
        os.setgroups([0, 4])
        users.become(process)
        return [os.getresuid(), os.getresgid(), os.getgroups()]

    ids = users.USERS[process]
    wanted = [ids.real, ids.effective, ids.saved]
    assert in_child(look) == [wanted, wanted, []]


@ROOT
@pytest.mark.parametrize("process", users.USERS)
def test_there_is_no_way_back_to_root_or_to_another_process(process: Process) -> None:
    mine = {users.USERS[process].real, users.USERS[process].effective}
    others = {0, *(ids.effective for ids in users.USERS.values())} - mine

    def look() -> object:
        users.become(process)
        return [refusal(functools.partial(os.setuid, other)) for other in others]

    assert in_child(look) == ["refused"] * len(others)


@ROOT
def test_a_zygote_becomes_a_worker_without_a_capability_and_then_nobody_else() -> None:
    def look() -> object:
        users.become(Process.ZYGOTE)
        users.drop_capabilities()
        users.become(Process.WORKER)
        back = users.USERS[Process.ZYGOTE].effective
        return [os.getresuid(), refusal(lambda: os.setuid(back))]

    worker = users.USERS[Process.WORKER].real
    assert in_child(look) == [[worker] * 3, "refused"]


@ROOT
@pytest.mark.parametrize("process", users.USERS)
def test_only_the_zygote_may_signal_a_worker(process: Process) -> None:
    """By ids; what else stops a worker is in test_isolation.py."""

    def look() -> object:
        worker = os.fork()
        if worker == 0:
            users.become(Process.WORKER)
            os.write(write, b".")
            signal.pause()
        os.read(read, 1)
        pidfd = os.pidfd_open(worker)
        root = os.fork()
        if root == 0:
            users.become(process)
            said = refusal(lambda: signal.pidfd_send_signal(pidfd, 0))
            os._exit(1 if said == "done" else 0)
        _, status = os.waitpid(root, 0)
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        return os.waitstatus_to_exitcode(status) == 1

    read, write = os.pipe()
    may = {Process.ZYGOTE, Process.WORKER}  # a worker by ids only
    assert in_child(look) == (process in may)
    os.close(read)
    os.close(write)


def test_no_capability_is_left_in_any_set() -> None:
    def look() -> object:
        users.drop_capabilities()
        return [int(capabilities()[name], 16) for name in (b"CapInh", b"CapPrm", b"CapEff")]

    assert in_child(look) == [0, 0, 0]


@ROOT
def test_the_bounding_set_is_empty_and_a_program_of_root_gets_nothing() -> None:
    """No new privileges would refuse it too; here it is not set."""

    def look() -> object:
        users.become(Process.KEYHOLDER)
        return int(capabilities()[b"CapBnd"], 16)

    assert in_child(look) == 0


@ROOT
def test_a_user_may_have_only_so_many_processes() -> None:
    def look() -> object:
        users.become(Process.GATE)
        return resource.getrlimit(resource.RLIMIT_NPROC)

    assert in_child(look) == [users.PROCESSES_MAX[Process.GATE]] * 2


@pytest.mark.parametrize("process", ALONE)
def test_who_is_not_the_zygote_has_one_id(process: Process) -> None:
    ids = users.USERS[process]
    assert ids.real == ids.effective == ids.saved


def test_no_two_processes_have_the_same_effective_user() -> None:
    assert len({ids.effective for ids in users.USERS.values()}) == len(users.USERS)


def test_the_zygotes_real_user_is_the_workers_and_nothing_else_of_it_is() -> None:
    zygote, worker = users.USERS[Process.ZYGOTE], users.USERS[Process.WORKER]
    assert zygote.real == worker.real
    assert worker.real not in {zygote.effective, zygote.saved}
    assert zygote.effective == zygote.saved


def test_the_ids_are_of_a_range_that_nobody_gives_out() -> None:
    """systemd.io/UIDS-GIDS: 60578 to 61183 is unused."""
    given = {i for ids in users.USERS.values() for i in (ids.real, ids.effective, ids.saved)}
    assert all(60578 <= number <= 61183 for number in given)
