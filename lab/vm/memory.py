# SPDX-License-Identifier: Apache-2.0
"""A machine that stands still, and all of its memory as a file.

Its processes are held by signals and not by QMP's ``stop``, with which qemu takes the rings away
from its vsock device. A byte that comes from the host meanwhile, and the device serves none of its
connections any more and takes no new one (vhost-device-vsock 0.3.0: a pause of eight seconds in
which nothing comes goes well, one of two with a line in it does not); an ingress asks for evidence
every ten seconds. Held by signals, such a byte waits in its socket. The memory is a memfd that qemu
shares with the device, so nothing needs to be copied.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.vm.errors import VmError

MEMFD: Final = "/memfd:memory-backend-memfd"
"""How the kernel calls the memory that `lab.vm.plan` asks for, in /proc/PID/fd."""


@contextmanager
def held(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Hold processes still, each with all of its threads.

    Raises:
        VmError: one of them has ended.
    """
    try:
        for process in processes:
            process.send_signal(signal.SIGSTOP)  # nothing, if it is known to have ended
            if process.returncode is not None or not _has_stopped(process.pid):
                raise VmError("machine", "it on, to be held", "its end")
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def _has_stopped(pid: int) -> bool:
    """Whether it has, waited for; if not, it has ended."""
    state = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return state is not None and state.si_code == os.CLD_STOPPED


def memory_of(pid: int, size: int) -> Path:
    """The file that is the memory of a machine of this many bytes.

    Raises:
        VmError: the process has no such file.
    """
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if str(entry.readlink()).startswith(MEMFD) and entry.stat().st_size == size:
            return entry
    raise VmError("machine", f"a memory of {size} bytes", "none")
