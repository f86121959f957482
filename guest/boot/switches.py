# SPDX-License-Identifier: Apache-2.0
"""What PID 1 switches off in the kernel before it looks whether everything is off.

The measured command line sets most of this; so nothing hangs on who wrote that. A switch that the
kernel was built without is already as it should be; one that it refuses ends the machine. The
self-test then reads what holds (`guest.selftest_rows`).
"""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from guest.boot.published import Variant
from guest.boot.reasons import BootError, Reason
from guest.limits import no_core

FOLDER: Final = Path("/proc/sys")
SWITCHES: Final[Mapping[str, str]] = {
    "fs/suid_dumpable": "0",
    "kernel/core_pattern": "",
    "kernel/dmesg_restrict": "1",
    "kernel/io_uring_disabled": "2",
    "kernel/kexec_load_disabled": "1",
    "kernel/kptr_restrict": "2",
    "kernel/perf_event_paranoid": "3",
    "kernel/sysrq": "0",
    "kernel/unprivileged_bpf_disabled": "1",
    "user/max_user_namespaces": "0",
    "vm/memfd_noexec": "2",
    "vm/unprivileged_userfaultfd": "0",
    "kernel/modules_disabled": "1",
}
NO_TRACING: Final[Mapping[str, str]] = {"kernel/yama/ptrace_scope": "3"}
UMASK: Final = 0o077
LOCKED_BYTES: Final = 8 << 20  # which PID 1 may lock, and its children; the kernel's default


def switches(variant: Variant) -> Mapping[str, str]:
    """What each switch is set to; whether a research image may be traced, its command line says."""
    return SWITCHES if variant is Variant.RESEARCH else {**SWITCHES, **NO_TRACING}


def set_all(values: Mapping[str, str], folder: Path = FOLDER) -> None:
    """Set those that the kernel has.

    Raises:
        BootError: the kernel refused one.
    """
    for name, value in values.items():
        try:
            fd = os.open(folder / name, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BootError(Reason.SWITCHES, error.errno or 0) from error
        try:
            os.write(fd, f"{value}\n".encode("ascii"))
        except OSError as error:
            raise BootError(Reason.SWITCHES, error.errno or 0) from error
        finally:
            os.close(fd)


def limit_self() -> None:
    """What PID 1 keeps for itself and its children inherit."""
    no_core()
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (LOCKED_BYTES, LOCKED_BYTES))
    os.umask(UMASK)
