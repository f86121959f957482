# SPDX-License-Identifier: Apache-2.0
"""What runs out, what stands still, who is slow: told by a word in time, and then it is over.

The guest has an engine that repeats what it is told (`tests.flow.programs.echo`). Memory that runs
out in a worker is in `tests.flow.test_worker_ends`.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from guest.door import Process
from lab.documents import GuestPlan
from sealroom import Busy, SealroomError, Tone
from sealroom.errors import AlteredError, Deadline, RefusedByGuest, StaleKey, Truncated, Unreachable
from tests.flow import processes
from tests.flow.client import key_configs, rewrite_message, seal
from tests.flow.programs.echo import answer_to
from tests.flow.site import SCANNABLE, Site, error_of, standing, together
from tests.flow.test_busy import health
from wire.suites import Kem

pytestmark = pytest.mark.slow

PLAN = GuestPlan(slots=2, waiting_max=2, idle_max_s=2, deadline_s=4, tick_ms=50)
MARK = "0123456789abcdef"
SLOW_SENDERS = 20
IDLE = 10_000
FILE_MAX_BYTES = 64
ROOM_FOR_SOCKETS = 12_000


def echo(site: Site, count: int = 5) -> bool:
    """Have a request answered to the letter."""
    with site.room() as room:
        text = room.rewrite(f"echo {MARK} {count}", Tone.FRIENDLY).text
    assert text.strip() == answer_to(MARK, count)
    return True


def echo_again(site: Site) -> bool:
    """Have one answered as soon as everything is back."""

    def attempt() -> bool:
        with contextlib.suppress(SealroomError):
            return echo(site)
        return False

    return processes.until("a good answer", attempt)


def echo_program(folder: Path, program: str = "echo") -> contextlib.AbstractContextManager[Site]:
    """A deployment whose zygote is one of those that need no model."""
    model = folder / "no-model"
    model.write_bytes(b"the echo needs no model")
    programs = {**SCANNABLE, "zygote": f"tests.flow.programs.{program}"}
    return standing(folder / "site", model, PLAN, programs)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with echo_program(tmp_path_factory.mktemp("echo")) as standing_site:
        yield standing_site


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still, and goes on afterwards."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# What runs out


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with echo_program(tmp_path_factory.mktemp("crowded"), "crowded") as standing_site:
        yield standing_site


@contextlib.contextmanager
def without(site: Site, what: signal.Signals) -> Iterator[None]:
    """A zygote for which the kernel has run out of something (`tests.flow.programs.crowded`)."""
    zygote = site.pids()[Process.ZYGOTE]
    os.kill(zygote, what)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(zygote, signal.SIGWINCH)


@pytest.mark.parametrize(
    "what", [signal.SIGUSR1, signal.SIGUSR2], ids=["process", "descriptor but one"]
)
def test_without_room_for_a_worker_a_request_is_busy(crowded: Site, what: signal.Signals) -> None:
    assert echo_again(crowded)
    pids = crowded.pids()
    with without(crowded, what), pytest.raises(Busy):
        echo(crowded)
    assert echo_again(crowded)
    assert crowded.pids() == pids


def test_without_any_descriptor_the_zygote_loses_its_door_and_the_guest_mends_itself(
    crowded: Site,
) -> None:
    """The FORK came without its socket: a broken door, which only a new start of the gate mends."""
    assert echo_again(crowded)
    gate = crowded.pids()[Process.GATE]
    with without(crowded, signal.SIGHUP), pytest.raises(SealroomError):
        echo(crowded)
    assert "zygote" in health(crowded).missing
    assert echo_again(crowded)
    assert crowded.pids()[Process.GATE] != gate


def test_a_disk_on_which_nothing_more_can_be_written_changes_nothing(site: Site) -> None:
    """The journal is longer than any file may be by now; every process is started so."""
    assert site.lab.log("guest").stat().st_size > FILE_MAX_BYTES
    soft, hard = resource.prlimit(site.init, resource.RLIMIT_FSIZE)
    resource.prlimit(site.init, resource.RLIMIT_FSIZE, (FILE_MAX_BYTES, hard))
    try:
        before = site.pids()
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        processes.until("their end", lambda: all(map(processes.gone, before.values())))
        assert echo_again(site)
        assert not set(before.values()) & set(site.pids().values())
    finally:
        resource.prlimit(site.init, resource.RLIMIT_FSIZE, (soft, hard))


# What stands still


@pytest.mark.parametrize("process", [Process.KEYHOLDER, Process.ZYGOTE, Process.GATE])
def test_a_process_that_stands_still_is_told_in_time_and_goes_on(
    site: Site, process: Process
) -> None:
    """Within the guest's deadline, or the device's own patience where the gate itself is silent."""
    echo_again(site)
    with site.room() as room, stopped(site.pids()[process]), together(2) as pool:
        asked = [pool.submit(room.rewrite, f"echo {MARK} 5", Tone.FRIENDLY) for _ in range(2)]
        errors = [error_of(future) for future in asked]
    allowed = Deadline | Unreachable | Busy | RefusedByGuest | Truncated | AlteredError | StaleKey
    assert all(isinstance(error, allowed) for error in errors), errors
    assert echo_again(site)
    site.is_idle()
    assert health(site).running == 0


def test_a_worker_that_stands_still_is_ended_at_its_deadline(site: Site) -> None:
    echo_again(site)
    with site.room() as room, together(1) as pool:
        asked = pool.submit(room.rewrite, f"echo {MARK} 700", Tone.FRIENDLY)
        (worker,) = processes.until("the worker", lambda: processes.workers(site.init))
        os.kill(worker, signal.SIGSTOP)
        error = error_of(asked)
    assert isinstance(error, RefusedByGuest | Unreachable | Deadline), error
    assert processes.gone(worker)
    assert echo(site)


def test_init_may_stand_still_while_requests_go_on(site: Site) -> None:
    echo_again(site)
    with stopped(site.init):
        assert echo(site)
    assert echo(site)


# Who is slow


def test_senders_of_one_byte_at_a_time_hold_up_nobody(site: Site) -> None:
    """Ten times as many as there are slots; each is refused when its time is over."""
    echo_again(site)
    sealed = seal(key_configs(site.lab.relay_url)[Kem.XWING], rewrite_message())
    parts = urlsplit(site.lab.relay_url)
    head = (
        f"POST /t/{sealed.target} HTTP/1.1\r\nHost: relay\r\nContent-Type: {sealed.mode.value}\r\n"
        f"Content-Length: {len(sealed.body)}\r\n\r\n"
    ).encode()
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection((parts.hostname or "", parts.port)))
            for _ in range(SLOW_SENDERS)
        ]
        for connection in slow:
            connection.sendall(head)
        served = 0
        for byte in sealed.body[:20]:
            for connection in slow:
                connection.sendall(bytes([byte]))
            served += echo(site)
            if served == 5:
                break
        for connection in slow:
            connection.settimeout(processes.PATIENCE_S)
            assert b" 504 " in connection.recv(64)
    assert echo(site)
    assert health(site).running == 0


@pytest.mark.parametrize("where", ["gate", "ingress"])
def test_ten_thousand_idle_connections_cost_a_place_and_no_answer(site: Site, where: str) -> None:
    """What is one too many is closed at once. The ingress gives a silent one up after some seconds,
    and until then tells the relay's new connections the same."""
    echo_again(site)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, ROOM_FOR_SOCKETS), hard))
    url = f"http://{site.lab.guest_address}" if where == "gate" else site.lab.ingress_url
    parts = urlsplit(url)
    idle: list[socket.socket] = []
    pids = site.pids()
    try:
        for _ in range(IDLE):
            with contextlib.suppress(OSError):
                idle.append(socket.create_connection((parts.hostname or "", parts.port), 5))
            if len(idle) > hard - 1000:
                idle.pop(0).close()
        if where == "gate":
            assert echo(site), "its own connection to the ingress was there before"
        else:
            with contextlib.suppress(Unreachable, Busy):
                echo(site)
        for pid in (*pids.values(), site.lab.pid("ingress")):
            assert processes.descriptors(pid) < 1200
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert echo_again(site)
    assert site.pids() == pids
