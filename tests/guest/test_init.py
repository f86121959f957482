# SPDX-License-Identifier: Apache-2.0
"""init with real children that report what they were given; only their programs stand in."""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guest import init as init_module
from guest import sandbox
from guest.door import Process
from guest.environment import ENVIRONMENT
from guest.init import BACKOFF_MAX_S, BACKOFF_MIN_S, Init, bury
from tests.guest.documents import document
from tests.guest.rig import in_child, nothing_left_open

WAIT_MAX_S = 15.0
CHILDREN = (Process.KEYHOLDER, Process.ZYGOTE, Process.GATE)
MODEL = b"the model's bytes"

Report = dict[str, Any]


class House:
    """An init with reporting children, and what they have reported."""

    def __init__(self, path: Path, *, adopts: bool = False, **moods: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(WAIT_MAX_S)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.model = os.memfd_create("model")
        os.write(self.model, MODEL)
        self.ready = 0
        self.reports: list[Report] = []
        self.failure: BaseException | None = None
        self.init = Init(
            document(),
            model=self.model,
            prompts=b"p" * 32,
            lacking=sandbox.missing(),
            listener=self.listener,
            programs={
                process: (
                    "tests.guest.programs.reporter",
                    process.value,
                    str(path),
                    moods.get(process.value, "good"),
                )
                for process in CHILDREN
            },
            adopts=adopts,
            on_ready=self._on_ready,
        )

    def _on_ready(self) -> None:
        self.ready += 1

    def run(self, scenario: Callable[["House"], None]) -> None:
        """Run init here and the scenario on a thread; then stop init as the system would."""

        def act() -> None:
            try:
                scenario(self)
            except BaseException as error:  # noqa: BLE001 - it is raised again by the test itself
                self.failure = error
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

        acting = threading.Thread(target=act)
        acting.start()
        self.init.run()
        acting.join()
        if self.failure is not None:
            raise self.failure

    def until(self, holds: Callable[[Report], bool]) -> Report:
        """The first report that holds, of those before and those to come."""
        for earlier in self.reports:
            if holds(earlier):
                return earlier
        while True:
            report: Report = json.loads(self._socket.recv(1 << 16))
            self.reports.append(report)
            if holds(report):
                return report

    def born(self, process: Process, *, after: int | None = None) -> Report:
        """A start of this process, with another process id than ``after``."""
        return self.until(
            lambda r: r["event"] == "born" and r["process"] == process and r["pid"] != after
        )

    def linked(self, process: Process, peer: str, *, pid: int, said: int) -> Report:
        """That the process ``pid`` was linked to a peer that says ``said``."""
        return self.until(
            lambda r: (
                r["event"] == "link"
                and (r["process"], r["peer"], r["pid"], r["said"]) == (process, peer, pid, said)
            )
        )

    def close(self) -> None:
        self._socket.close()
        self.listener.close()
        os.close(self.model)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Init takes the signals; give them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(
    path: Path, scenario: Callable[[House], None], *, adopts: bool = False, **moods: str
) -> House:
    with nothing_left_open():
        house = House(path / "reports", adopts=adopts, **moods)
        try:
            house.run(scenario)
        finally:
            house.close()
    return house


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def all_linked(house: House, pids: dict[Process, int]) -> None:
    """Each pair of processes hears the other at the end of its link."""
    for one in CHILDREN:
        for other in CHILDREN:
            if one is not other:
                house.linked(one, other, pid=pids[one], said=pids[other])


def test_the_children_get_their_part_of_the_configuration_and_no_other(tmp_path: Path) -> None:
    def scenario(house: House) -> None:
        sections = {process: house.born(process)["sections"] for process in CHILDREN}
        assert sections == {
            Process.GATE: ["GateSettings", "Identity"],
            Process.KEYHOLDER: ["KeySettings", "StaplingSettings", "Identity"],
            Process.ZYGOTE: ["GateSettings", "ModelSettings", "AnswerSettings", "Identity"],
        }
        models = {process: house.born(process)["model"] for process in CHILDREN}
        assert models == {
            Process.GATE: None,
            Process.KEYHOLDER: None,
            Process.ZYGOTE: MODEL.decode(),
        }

    run(tmp_path, scenario)


def test_the_environment_is_literal_and_nothing_else_is_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALROOM_SECRET", "leaks")

    def scenario(house: House) -> None:
        for process in CHILDREN:
            report = house.born(process)
            assert report["environment"] == ENVIRONMENT
            assert report["isolated"]
            assert report["standard_input"] == "/dev/null"
            assert report["umask"] == 0o077
            assert report["inherited"] == [0, 1, 2, report["door"]]

    run(tmp_path, scenario)


def test_every_pair_is_linked_and_the_gate_has_the_network(tmp_path: Path) -> None:
    def scenario(house: House) -> None:
        all_linked(house, {process: house.born(process)["pid"] for process in CHILDREN})
        port = house.listener.getsockname()[1]
        house.until(lambda r: r["event"] == "link" and r["peer"] == "network" and r["said"] == port)

    house = run(tmp_path, scenario)
    networks = [r["process"] for r in house.reports if r.get("peer") == "network"]
    assert networks == [Process.GATE]
    assert house.ready == 1


@pytest.mark.parametrize("victim", CHILDREN)
def test_a_child_that_is_killed_comes_back_linked_to_both_others(
    tmp_path: Path, victim: Process
) -> None:
    def scenario(house: House) -> None:
        pids = {process: house.born(process)["pid"] for process in CHILDREN}
        all_linked(house, pids)
        os.kill(pids[victim], signal.SIGKILL)
        pids[victim] = house.born(victim, after=pids[victim])["pid"]
        all_linked(house, pids)

    house = run(tmp_path, scenario)
    births = [r["process"] for r in house.reports if r["event"] == "born"]
    assert sorted(births) == sorted([*CHILDREN, victim])
    assert house.ready == 1  # said once, however often a child comes back


def test_a_child_that_exits_by_itself_comes_back(tmp_path: Path) -> None:
    def scenario(house: House) -> None:
        first = house.born(Process.GATE)["pid"]
        os.kill(first, signal.SIGTERM)
        assert house.born(Process.GATE, after=first)["pid"] != first

    run(tmp_path, scenario)


def test_a_child_that_keeps_falling_is_started_less_and_less_often(tmp_path: Path) -> None:
    def scenario(house: House) -> None:
        seen = 0
        while seen < 3:
            house.reports.clear()
            house.until(lambda r: r["event"] == "born" and r["process"] == Process.KEYHOLDER)
            seen += 1

    house = run(tmp_path, scenario, keyholder="fall")
    child = house.init._children[Process.KEYHOLDER]
    assert 4 * BACKOFF_MIN_S <= child.backoff_s <= BACKOFF_MAX_S
    assert child.restarts >= 2
    assert house.ready == 0
    assert house.init._children[Process.GATE].restarts == 0


def test_a_child_that_breaks_its_door_is_ended(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def scenario(house: House) -> None:
        first = house.born(Process.ZYGOTE)["pid"]
        house.born(Process.ZYGOTE, after=first)
        assert not lives(first)

    run(tmp_path, scenario, zygote="break")
    assert '{"event":"door-broken"}' in capfd.readouterr().err


def test_stopping_ends_every_child(tmp_path: Path) -> None:
    pids: list[int] = []

    def scenario(house: House) -> None:
        pids.extend(house.born(process)["pid"] for process in CHILDREN)

    run(tmp_path, scenario)
    assert [lives(pid) for pid in pids] == [False] * 3


def test_stopping_ends_children_that_would_rather_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init_module, "STOP_MAX_S", 0.3)
    pids: list[int] = []

    def scenario(house: House) -> None:
        pids.extend(house.born(process)["pid"] for process in CHILDREN)

    run(tmp_path, scenario, gate="stubborn", zygote="stubborn")
    assert [lives(pid) for pid in pids] == [False] * 3


def test_the_children_die_with_init(tmp_path: Path) -> None:
    house = House(tmp_path / "reports")
    middle = os.fork()
    if middle == 0:
        house.init.run()
        os._exit(0)
    pids = [house.born(process)["pid"] for process in CHILDREN]
    os.kill(middle, signal.SIGKILL)
    os.waitpid(middle, 0)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(pid)
            assert select.select([pidfd], [], [], WAIT_MAX_S)[0] == [pidfd]
            os.close(pidfd)
    house.close()


def test_what_happened_is_written_down_as_events_and_numbers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def scenario(house: House) -> None:
        pid = house.born(Process.GATE)["pid"]
        os.kill(pid, signal.SIGKILL)
        house.born(Process.GATE, after=pid)

    run(tmp_path, scenario)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    events = [line["event"] for line in lines]
    assert (events[0], events[-1]) == ("started", "stopped")
    fell = next(line for line in lines if line["event"] == "fell")
    assert fell == {
        "event": "fell",
        "process": list(Process).index(Process.GATE),
        "code": -signal.SIGKILL,
        "restarts": 0,
    }


def test_each_program_of_the_guest_can_be_found() -> None:
    assert set(init_module.PROGRAMS) == set(CHILDREN)
    for (module,) in init_module.PROGRAMS.values():
        assert (Path(sys.modules["guest"].__path__[0]).parent / module.replace(".", "/")).is_dir()


def born_and_ended() -> int:
    """The process id of a child of ours that has ended and was not collected."""
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def test_orphans_are_buried_and_the_children_are_spared() -> None:
    def buried() -> list[bool]:
        strangers = [born_and_ended(), born_and_ended()]
        bury(())
        child = born_and_ended()
        bury({child})
        spared = os.waitpid(child, 0)[1] == 3 << 8
        bury(())  # without any child at all
        return [*(not lives(pid) for pid in strangers), spared]

    assert in_child(buried) == [True, True, True]


def test_an_init_that_adopts_buries_who_comes_to_it(tmp_path: Path) -> None:
    orphan = born_and_ended()

    def scenario(house: House) -> None:
        gate = house.born(Process.GATE)["pid"]
        os.kill(gate, signal.SIGKILL)
        house.born(Process.GATE, after=gate)
        until = time.monotonic() + WAIT_MAX_S
        while lives(orphan) and time.monotonic() < until:
            time.sleep(0.01)
        assert not lives(orphan)

    before = signal.getsignal(signal.SIGCHLD)
    run(tmp_path, scenario, adopts=True)
    signal.signal(signal.SIGCHLD, before)
