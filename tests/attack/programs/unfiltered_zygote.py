# SPDX-License-Identifier: Apache-2.0
"""The escaping zygote of the lab, without the system call filter of its workers."""

from unittest.mock import patch

from guest import sandbox
from guest.door import Process
from lab.attack.programs.escaping import EscapingEngine
from lab.attack.programs.stub import main

STEPS = tuple(
    step for step in sandbox.POLICY[Process.WORKER] if step.name != sandbox.ONLY_LISTED_CALLS.name
)

if __name__ == "__main__":
    with patch.object(sandbox, "POLICY", {**sandbox.POLICY, Process.WORKER: STEPS}):
        main(EscapingEngine)
