# SPDX-License-Identifier: Apache-2.0
"""The research image shows itself on the console, and a shell there looks at the same guest.

What is looked at is PID 1 at work, whose system calls strace shows. The machine has the stand-in
for a model, so it stays up; nobody asks it anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from guest.settings import Variant
from lab.documents import GuestPlan, write_config
from lab.mocktsm import MockSnp, MockTsm
from lab.vm.machine import Machine
from lab.vm.plan import Disk, MachinePlan
from lab.vm.release import load_image
from lab.vm.tools import Tools
from tests.boot.house import SMALL_MIB, StandIn

SHOWN_MAX_S = 60.0
PROMPT = re.compile(rb"research# ")
MOCKED = b"mock_tsm: reports as sev_guest come from the host"
# What is typed comes back as an echo, so what is waited for has something that was not typed.
TRACED_A_FILE = re.compile(rb'open(at)?\(.*"/proc/cmdline", O_RDONLY.*\) = [0-9]')
TRACED_PID_1 = re.compile(rb"epoll_p?wait2?\(\d|restart_syscall\(")


@pytest.fixture(scope="module")
def machine(
    tmp_path_factory: pytest.TempPathFactory, tools: Tools, stand_in: StandIn
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("research")
    image = stand_in.published_by(load_image("research"), folder)
    (folder / "config").write_bytes(
        write_config(GuestPlan(variant=Variant.RESEARCH), stand_in.digest)
    )
    plan = MachinePlan(
        kernel=image.kernel,
        initrd=image.initrd,
        cmdline=image.cmdline,
        disks=(Disk(stand_in.path), Disk(folder / "config")),
        console=True,
        memory_mib=SMALL_MIB,
    )
    with Machine(plan, tools, mock=MockTsm(MockSnp())) as machine:
        machine.wait_event("started")
        yield machine


def test_the_research_image_has_a_shell_on_its_console(machine: Machine) -> None:
    with machine.console() as console:
        console.type(b"")
        console.wait(PROMPT, within_s=SHOWN_MAX_S)
    assert MOCKED in machine.serial


def test_the_shell_has_strace(machine: Machine) -> None:
    with machine.console() as console:
        console.type(b"strace cat /proc/cmdline")
        console.wait(TRACED_A_FILE, within_s=SHOWN_MAX_S)


def test_strace_looks_at_the_guest_itself(machine: Machine) -> None:
    with machine.console() as console:
        console.type(b"strace -p 1")
        console.wait(TRACED_PID_1, within_s=SHOWN_MAX_S)
