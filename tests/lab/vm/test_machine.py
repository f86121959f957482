# SPDX-License-Identifier: Apache-2.0
"""The life of a machine, with programs in the places of qemu and of its vsock device."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lab.mocktsm import MockSnp, MockTsm
from lab.vm.errors import VmError
from lab.vm.machine import QEMU, Machine
from lab.vm.memory import memory_of
from lab.vm.plan import MachinePlan
from lab.vm.tools import Tools
from tests.flow.processes import gone, until
from tests.lab.vm.programs import qemu, vsock

pytestmark = pytest.mark.slow  # each starts processes of its own

# The loader of the locked tools gets two words of its own, the program, and the program's words.
LOADER = """#!/bin/sh
shift 2
exec {python} "$@"
"""


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """A folder laid out as the locked tools are."""
    loader = tmp_path / "usr" / "lib64" / "ld-linux-x86-64.so.2"
    programs = {"qemu-system-x86_64": qemu, "vhost-device-vsock": vsock}
    loader.parent.mkdir(parents=True)
    loader.write_text(LOADER.format(python=sys.executable))
    loader.chmod(stat.S_IRWXU)
    (tmp_path / "usr" / "bin").mkdir()
    for name, module in programs.items():
        (tmp_path / "usr" / "bin" / name).write_bytes(Path(str(module.__file__)).read_bytes())
    return Tools(tmp_path)


def plan(played: str) -> MachinePlan:
    return MachinePlan(kernel=Path("vmlinuz"), initrd=Path("initrd"), cmdline=played)


def test_a_machine_that_comes_up_is_waited_for(tools: Tools) -> None:
    with Machine(plan("ready"), tools, mock=MockTsm(MockSnp())) as machine:
        assert machine.wait_ready() == machine.ready_s
        assert machine.is_on
        with machine.qmp() as control:
            assert control.status() == "running"
        assert machine.failures == []


def test_the_gate_of_the_guest_can_be_connected_to(tools: Tools) -> None:
    with Machine(plan("ready"), tools) as machine, machine.connect() as link:
        assert link.recv(1) == b""


def test_a_machine_that_switches_itself_off_is_waited_for(tools: Tools) -> None:
    with Machine(plan("off print"), tools) as machine:
        assert machine.wait_event("power-off") == {"event": "power-off"}
        machine.wait_off()
        assert not machine.is_on
        assert machine.serial == b"a line on the console\n"


def test_a_machine_that_is_held_shows_all_of_its_memory_and_goes_on(tools: Tools) -> None:
    with Machine(plan("ready"), tools) as machine:
        machine.wait_ready()
        pids = [process.pid for process in machine._processes.values()]
        with machine.held() as memory:
            assert {state(pid) for pid in pids} == {"T"}
            assert memory.stat().st_size == machine.plan.memory_mib << 20
        until("it to go on", lambda: "T" not in {state(pid) for pid in pids})


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_machine_that_is_off_cannot_be_held(tools: Tools) -> None:
    with Machine(plan("off"), tools) as machine:
        machine.wait_off()
        with pytest.raises(VmError, match="wanted it on, to be held, got its end"):
            machine.held().__enter__()


def test_a_memory_of_another_size_is_not_the_machines(tools: Tools) -> None:
    with Machine(plan("ready"), tools) as machine:
        machine.wait_ready()
        with pytest.raises(VmError, match="wanted a memory of 4096 bytes, got none"):
            memory_of(machine._processes[QEMU].pid, 4096)


def test_leaving_ends_every_process_and_removes_the_folder(tools: Tools) -> None:
    with Machine(plan("ready"), tools) as machine:
        machine.wait_ready()
        pids = [process.pid for process in machine._processes.values()]
        folder = machine.places.folder
        assert folder.is_dir()
    assert all(gone(pid) for pid in pids)
    assert not folder.exists()


def test_a_qemu_that_does_not_start_is_an_error_with_its_words(tools: Tools) -> None:
    with pytest.raises(VmError, match="wanted the socket qmp, got qemu: no such machine"):
        Machine(plan("silent"), tools).__enter__()


@pytest.mark.parametrize(
    ("played", "told"),
    [
        ("off print", r"the event ready, got {\"event\":\"power-off\"}; console: a line"),
        ("strange", "Traceback.*console silent"),
    ],
)
def test_a_machine_that_does_not_come_up_is_an_error_with_its_last_words(
    tools: Tools, played: str, told: str
) -> None:
    with Machine(plan(played), tools) as machine, pytest.raises(VmError, match=told):
        machine.wait_ready()


def test_a_machine_that_stays_on_is_an_error(tools: Tools) -> None:
    with Machine(plan("ready"), tools) as machine:
        machine.wait_ready()
        with pytest.raises(VmError, match="it still on"):
            machine.wait_off(within_s=0)


def test_a_program_that_is_not_locked_is_an_error(tools: Tools) -> None:
    with pytest.raises(VmError, match=r"wanted swtpm in vm\.json"):
        tools.command("swtpm")


def test_a_program_ends_when_the_process_that_started_it_is_killed() -> None:
    """A process that starts one on a leash, tells its id, and waits to be killed."""
    code = (
        "import os, subprocess, sys, time; leashed = subprocess.Popen([sys.executable, '-m',"
        " 'lab.vm.leash', str(os.getpid()), sys.executable, '-c', 'import time; time.sleep(3600)'"
        "]); print(leashed.pid, flush=True); time.sleep(3600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        leashed = int(parent.stdout.readline())
        until("the program", lambda: b"3600" in cmdline(leashed))
        parent.kill()
    until("its end", lambda: gone(leashed))


def cmdline(pid: int) -> bytes:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"" if b"lab.vm.leash" in words else b" ".join(words)


def test_a_leash_to_nobody_holds_nothing() -> None:
    words = [sys.executable, "-m", "lab.vm.leash", "1", "/nonexistent"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert os.getpid() != 1
    assert (ended.returncode, ended.stderr) == (1, "lab.vm.leash: the parent has ended\n")
