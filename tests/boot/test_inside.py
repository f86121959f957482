# SPDX-License-Identifier: Apache-2.0
"""What is inside a running image, seen by a probe that keeps every right (`lab.vm.inside`).

The machine is the test variant, because only a machine with a provider gets as far as to run the
guest. Its files are production's to the byte; its kernel is production's and the mock provider.
"""

from typing import Any

import pytest

from guest.door import Process
from guest.init import PROGRAMS
from guest.users import USERS
from image import layout
from lab.vm.probe import PROGRAM
from tests.boot.house import House
from tests.boot.refusals import NOISE, REFUSED

FILTERED = "2"  # SECCOMP_MODE_FILTER
WRITABLE = {"/sys/kernel/config", "/sys/fs/cgroup"}
"""Mounts that stay so: the TSM's entry and the control groups are written to."""

Report = dict[str, Any]


@pytest.fixture(scope="module")
def seen(house: House) -> Report:
    return house.probe.look()


def module_of(process: Report) -> str:
    """What a process of the guest runs, by its words: python -I -m MODULE …"""
    return str(process["words"][3]) if process["words"][1:3] == ["-I", "-m"] else "init"


def guest_processes(report: Report) -> dict[str, Report]:
    return {module_of(each): each for each in report["processes"] if not each["probe"]}


def test_the_processes_are_pid_1_and_its_three_children(seen: Report) -> None:
    others = [each for each in seen["processes"] if not each["probe"]]
    assert len(others) == 4
    children = {module for module, *_ in PROGRAMS.values()}
    assert set(guest_processes(seen)) == {"init", *children}
    assert guest_processes(seen)["init"]["pid"] == 1
    assert {each["parent"] for each in others if each["pid"] != 1} == {1}


@pytest.mark.parametrize("process", PROGRAMS)
def test_each_child_has_its_own_user_no_capability_and_a_filter(
    seen: Report, process: Process
) -> None:
    child = guest_processes(seen)[PROGRAMS[process][0]]
    ids = USERS[process]
    assert child["uids"][:3] == [ids.real, ids.effective, ids.saved]
    assert int(child["capabilities"], 16) == 0
    assert (child["seccomp"], child["no_new_privileges"]) == (FILTERED, "1")


def test_what_must_be_refused_to_everybody_is_refused_as_it_should_be(seen: Report) -> None:
    assert seen["refusals"] == REFUSED


def test_no_module_is_loaded(seen: Report) -> None:
    assert seen["modules"] == []


def test_the_only_programs_are_the_interpreter_and_what_starts_it(seen: Report) -> None:
    assert set(seen["executables"]) == {f"/{path}" for path in layout.EXECUTED}


def test_nothing_can_be_written_but_the_tsm_and_the_control_groups(seen: Report) -> None:
    mounts = [line.split() for line in seen["mounts"]]
    writable = {where for _, where, _, options, *_ in mounts if "rw" in options.split(",")}
    assert writable == WRITABLE


def test_there_is_no_network_and_no_further_disk(seen: Report) -> None:
    assert set(seen["interfaces"]) <= {"lo"}
    assert seen["disks"] == ["vda", "vdb"]


def test_what_is_written_to_the_console_comes_out_nowhere(house: House, seen: Report) -> None:
    assert seen["noise"] == NOISE
    assert house.machine.serial == b""


def test_the_journal_has_only_events(house: House) -> None:
    assert house.machine.journal.strange == []
    assert house.machine.failures == []
    assert house.machine.journal.named("fault") == []


def test_the_probe_is_the_only_addition(house: House) -> None:
    report = house.probe.first()
    assert [each["words"][-1] for each in report["processes"] if each["probe"]] == [f"/{PROGRAM}"]
