# SPDX-License-Identifier: Apache-2.0
"""The system call filter of a worker, in real processes under the whole policy."""

import ctypes
import errno
import faulthandler
import os
import platform
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guest import calls, sandbox, seccomp
from guest.door import Process
from guest.kernel import prctl
from guest.sandbox import Place
from tests.guest.isolation import possible
from tests.guest.rig import in_child

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
CLONE_VM, SIGCHLD = 0x100, 17
_libc = ctypes.CDLL(None, use_errno=True)

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the table is of x86-64, the processor of SNP and TDX"
)


def call(number: int, *arguments: int) -> Callable[[], object]:
    """A system call by its number, with an OSError for what the kernel refuses."""

    def make() -> object:
        result = _libc.syscall(number, *arguments)
        if result == -1:
            raise OSError(ctypes.get_errno(), "refused")
        return result

    return make


DENIED: dict[str, Callable[[], object]] = {
    "open": lambda: os.open("/", os.O_RDONLY),
    "stat": Path("/").stat,
    "socket": socket.socket,
    "socketpair": socket.socketpair,
    "fork": os.fork,
    "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "subprocess": lambda: subprocess.run(["/bin/true"], check=True),
    "memfd": lambda: os.memfd_create("x"),
    "dup": lambda: os.dup(0),
    "pipe": os.pipe,
    "kill": lambda: os.kill(os.getpid(), 0),
    "setsid": os.setsid,
    "priority": lambda: os.nice(1),
    "ptrace": call(101, 0),
    "process_vm_readv": call(310, 1, 0, 0, 0, 0, 0),
    "io_uring_setup": call(425, 1, 0),
    "userfaultfd": call(323, 0),
    "bpf": call(321, 0, 0, 0),
    "keyctl": call(250, 0),
    "mount": call(165, 0, 0, 0, 0, 0),
    "unshare": call(272, 0x10000000),
    "prctl": call(157, 4, 1),
    "seccomp": call(317, 0, 0, 0),
    "pidfd_open": call(434, 1, 0),
    "tgkill of init": call(234, 1, 1, 0),
    "clone of a process": call(56, SIGCHLD, 0, 0, 0, 0),
    "clone that shares memory": call(56, CLONE_VM | SIGCHLD, 0, 0, 0, 0),
}


def inside(look: Callable[[], object]) -> object:
    """Enter a worker's whole sandbox in a child, and try something there."""
    parent = os.getpid()

    def work() -> object:
        sandbox.enter(Process.WORKER, parent, policy=possible())
        return look()

    return in_child(work)


def error_of(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return None


@pytest.mark.parametrize("what", DENIED)
def test_a_worker_is_denied(what: str) -> None:
    assert inside(lambda: error_of(DENIED[what])) == "EPERM"


def test_clone3_looks_as_if_the_kernel_did_not_have_it() -> None:
    assert inside(lambda: error_of(call(calls.CLONE3, 0, 0))) == "ENOSYS"


def test_a_worker_can_compute_sleep_and_have_threads() -> None:
    def look() -> object:
        heard: list[int] = []
        thread = threading.Thread(target=lambda: heard.append(len(os.urandom(8))))
        thread.start()
        thread.join()
        time.sleep(0.001)
        return [heard, len(bytearray(64 << 20))]

    assert inside(look) == [[8], 64 << 20]


def test_a_thread_is_under_the_filter_too() -> None:
    def look() -> object:
        found: list[str | None] = []
        thread = threading.Thread(target=lambda: found.append(error_of(os.fork)))
        thread.start()
        thread.join()
        return found

    assert inside(look) == ["EPERM"]


def ends_by_signal(last: Callable[[], object]) -> int:
    """The signal that a child under the filter dies of."""
    parent, policy = os.getpid(), possible()
    pid = os.fork()
    if pid == 0:
        try:
            faulthandler.disable()  # pytest's would tell of a death that is meant
            sandbox.enter(Process.WORKER, parent, policy=policy)
            last()
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def test_abort_still_ends_the_process_with_its_own_signal() -> None:
    assert ends_by_signal(os.abort) == signal.SIGABRT


def test_a_call_with_the_bit_of_the_x32_abi_kills() -> None:
    x32_getpid = seccomp.X32_SYSCALL_BIT | 39
    assert ends_by_signal(call(x32_getpid)) == signal.SIGSYS


def test_the_filter_is_the_last_step_of_a_worker_and_comes_after_no_new_privileges() -> None:
    steps = sandbox.POLICY[Process.WORKER]
    assert steps[-1] is sandbox.ONLY_LISTED_CALLS
    assert sandbox.NO_NEW_PRIVILEGES in steps


def test_the_numbers_are_the_kernels() -> None:
    """Compared with the header that every C compiler on Debian brings (linux-libc-dev)."""
    defined = dict(re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text("ascii")))
    ours = {**calls.NUMBERS, "clone3": calls.CLONE3}
    assert ours == {name: int(defined[name]) for name in ours}


def test_every_number_is_of_a_call_in_a_table() -> None:
    assert set(calls.NUMBERS) == {name for table in calls.CALLS.values() for name in table}


def test_the_zygotes_table_contains_its_workers() -> None:
    """Its filter stays over them. What a worker may do in fewer ways is its own filter's."""
    zygote, worker = calls.CALLS[Process.ZYGOTE], calls.CALLS[Process.WORKER]
    for name, ways in worker.items():
        assert not zygote[name] or set(ways) <= set(zygote[name])


NOWHERE = {
    *("execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"),
    *("socket", "connect", "bind", "open", "openat2", "mount", "unshare", "setns", "kill", "bpf"),
    *("io_uring_setup", "userfaultfd", "perf_event_open", "keyctl", "kexec_load", "fork", "vfork"),
}


def test_no_process_has_a_call_that_reaches_out_of_it() -> None:
    for table in calls.CALLS.values():
        assert not NOWHERE & set(table)


def test_only_the_keyholder_opens_paths_and_only_the_zygote_makes_processes() -> None:
    opening = {process for process, table in calls.CALLS.items() if "openat" in table}
    forking = {
        process
        for process, table in calls.CALLS.items()
        if any(way[0].mask == 0xFFFFFFFF for way in table.get("clone", ()))
    }
    assert (opening, forking) == ({Process.KEYHOLDER}, {Process.ZYGOTE})


@pytest.mark.parametrize("process", calls.CALLS)
def test_every_jump_of_the_program_lands_inside_it(process: Process) -> None:
    code = seccomp.program(calls.CALLS[process], os.getpid())
    instructions = list(struct.iter_unpack("=HBBI", code))
    for at, (kind, true, false, _) in enumerate(instructions):
        if kind & 0x07 == 0x05:
            assert at + 1 + max(true, false) < len(instructions)
    assert instructions[-1][0] == 0x06


def test_a_call_with_ways_is_allowed_in_each_of_them_and_in_no_other() -> None:
    table: calls.Calls = {
        "getpid": (),
        "exit_group": (),
        "write": (),
        "dup2": (
            (calls.Argument(0, 1), calls.Argument(1, 60)),
            (calls.Argument(0, 2), calls.Argument(1, 0x40, mask=0xF0)),
        ),
    }

    def look() -> object:
        sandbox.NO_NEW_PRIVILEGES.apply(Place(Process.GATE))
        filters = seccomp.program(table, os.getpid())
        dup2 = {pair: call(33, *pair) for pair in ((1, 60), (2, 0x41), (2, 60), (1, 0x41), (0, 60))}
        enter_filter(filters)
        return [error_of(attempt) for attempt in dup2.values()]

    assert in_child(look) == [None, None, "EPERM", "EPERM", "EPERM"]


def enter_filter(filters: bytes) -> None:
    buffer = ctypes.create_string_buffer(filters, len(filters))
    header = struct.pack("@HxxxxxxP", len(filters) // 8, ctypes.addressof(buffer))
    prctl(seccomp.PR_SET_SECCOMP, seccomp.SECCOMP_MODE_FILTER, header)
