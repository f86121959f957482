# SPDX-License-Identifier: Apache-2.0
"""The research image shows itself on the console, and a shell there looks at the same guest."""

from lab.vm.machine import Machine
from lab.vm.plan import MachinePlan
from lab.vm.release import load_image
from lab.vm.tools import Tools

OFF_MAX_S = 400


def test_the_research_image_has_a_shell_on_its_console(tools: Tools) -> None:
    image = load_image("research")
    plan = MachinePlan(kernel=image.kernel, initrd=image.initrd, cmdline=image.cmdline)
    with Machine(plan, tools) as machine:
        # Without a model it goes off by itself; the shell is there before PID 1 has looked for one.
        machine.wait_off(within_s=OFF_MAX_S)
        assert b"research# " in machine.serial
        assert b"mock_tsm: reports as sev_guest come from the host" in machine.serial
