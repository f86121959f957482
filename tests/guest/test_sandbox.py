# SPDX-License-Identifier: Apache-2.0
"""The sandbox in real processes: what is given up is gone, and what is not there is named."""

import ctypes
import errno
import os
import resource
import select
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from guest import sandbox
from guest.channel import pair
from guest.door import Process
from guest.sandbox import NOT_YET, POLICY, WHERE_POSSIBLE, SandboxError, Step
from tests.guest.rig import in_child

PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS = 2, 3, 39
LANDLOCK = sandbox.NO_PATHS.name not in sandbox.missing()

_libc = ctypes.CDLL(None, use_errno=True)


# The system call filter would answer before the other steps could; test_seccomp.py has it.
UNFILTERED = {
    process: tuple(step for step in steps if step is not sandbox.ONLY_LISTED_CALLS)
    for process, steps in POLICY.items()
}


# Nor does it matter to Landlock how many descriptors this test process happens to have.
LANDLOCK_ONLY = {
    Process.WORKER: (sandbox.DIE_WITH_PARENT, sandbox.NO_NEW_PRIVILEGES, sandbox.NO_PATHS)
}


def inside(
    process: Process,
    look: Callable[[], object],
    policy: Mapping[Process, tuple[Step, ...]] = UNFILTERED,
) -> object:
    """Enter the sandbox of a process in a child, and look around there."""
    parent = os.getpid()

    def work() -> object:
        sandbox.enter(process, parent, policy=policy)
        return look()

    return in_child(work)


def refusal_of(attempt: Callable[[], object]) -> str | None:
    """The name of the error number that the kernel answers with, if it does."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return None


@pytest.mark.parametrize("process", POLICY)
def test_every_process_is_undumpable_without_privileges_and_dies_with_its_parent(
    process: Process,
) -> None:
    def look() -> object:
        signal_number = ctypes.c_int()
        _libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(signal_number), 0, 0, 0)
        return [
            signal_number.value,
            _libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0),
            _libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
            resource.getrlimit(resource.RLIMIT_CORE),
        ]

    assert inside(process, look) == [signal.SIGKILL, 0, 1, [0, 0]]


@pytest.mark.parametrize("process", [Process.GATE, Process.WORKER])
def test_gate_and_worker_can_make_no_file_longer(process: Process) -> None:
    def look() -> object:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        return refusal_of(lambda: os.write(fd, b"x"))

    fd = os.memfd_create("file")
    assert inside(process, look) == "EFBIG"
    assert os.fstat(fd).st_size == 0
    os.close(fd)


def test_a_worker_can_open_few_descriptors() -> None:
    def look() -> object:
        made = []
        while (error := refusal_of(lambda: made.append(os.dup(0)))) is None:
            assert len(made) < 100
        return error

    assert inside(Process.WORKER, look) == "EMFILE"


@pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock; health names it as missing")
@pytest.mark.parametrize("path", ["/", "/etc/passwd", "/proc/self/mem", "/dev/null", __file__])
def test_a_worker_can_open_no_path(path: str) -> None:
    def look() -> object:
        return refusal_of(lambda: os.open(path, os.O_RDONLY))

    assert inside(Process.WORKER, look, LANDLOCK_ONLY) == "EACCES"


@pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock; health names it as missing")
def test_a_worker_can_make_no_file(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def look() -> object:
        return refusal_of(lambda: os.open(path, os.O_CREAT | os.O_WRONLY))

    assert inside(Process.WORKER, look, LANDLOCK_ONLY) == "EACCES"
    assert not path.exists()


@pytest.mark.skipif(sandbox._landlock_abi() < 4, reason="this kernel's Landlock knows no network")
def test_a_worker_can_connect_to_no_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def look() -> object:
            with socket.socket() as client:
                return refusal_of(lambda: client.connect(("127.0.0.1", port)))

        assert inside(Process.WORKER, look, LANDLOCK_ONLY) == "EACCES"


@pytest.mark.skipif(sandbox._landlock_abi() < 6, reason="this kernel's Landlock knows no scope")
def test_a_worker_can_signal_nobody() -> None:
    parent = os.getpid()
    assert inside(Process.WORKER, lambda: refusal_of(lambda: os.kill(parent, 0))) == "EPERM"


def test_a_process_dies_with_its_parent() -> None:
    ours, theirs = pair()
    middle = os.fork()
    if middle == 0:
        parent = os.getpid()
        if os.fork() == 0:
            sandbox.enter(Process.KEYHOLDER, parent)
            theirs.send(str(os.getpid()).encode())
            signal.pause()
        signal.pause()
    theirs.close()
    pid = int(ours.recv(64))
    pidfd = os.pidfd_open(pid)
    os.kill(middle, signal.SIGKILL)
    os.waitpid(middle, 0)
    assert select.select([pidfd], [], [], 10)[0] == [pidfd]
    os.close(pidfd)
    ours.close()


def test_a_process_whose_parent_is_already_gone_ends() -> None:
    with pytest.raises(RuntimeError, match="die-with-parent"):
        in_child(lambda: sandbox.enter(Process.WORKER, 2**22 - 1))


def test_a_step_that_is_refused_ends_the_process() -> None:
    def refuse() -> None:
        raise OSError(errno.EPERM, "no")

    policy = {Process.GATE: (Step("own-user", "another user", refuse),)}
    with pytest.raises(SandboxError) as caught:
        sandbox.enter(Process.GATE, os.getppid(), policy=policy)
    assert (caught.value.step, caught.value.errno) == ("own-user", errno.EPERM)


@pytest.mark.parametrize("number", sandbox.ABSENT)
def test_a_step_that_is_taken_where_possible_may_be_absent(number: int) -> None:
    def refuse() -> None:
        raise OSError(number, "no")

    policy = {Process.GATE: (Step("no-paths", "Landlock", refuse),)}
    sandbox.enter(Process.GATE, os.getppid(), policy=policy)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EPERM, errno.ENOMEM, errno.E2BIG])
def test_a_step_that_the_kernel_has_and_refuses_ends_the_process(number: int) -> None:
    def refuse() -> None:
        raise OSError(number, "no")

    policy = {Process.GATE: (Step("no-paths", "Landlock", refuse),)}
    with pytest.raises(SandboxError):
        sandbox.enter(Process.GATE, os.getppid(), policy=policy)


def test_landlock_is_entered_before_descriptors_become_few() -> None:
    """It needs one itself."""
    steps = POLICY[Process.WORKER]
    assert steps.index(sandbox.NO_PATHS) < steps.index(sandbox.FEW_DESCRIPTORS)


def test_what_is_missing_is_named() -> None:
    assert set(sandbox.missing()) - {sandbox.NO_PATHS.name} == set(NOT_YET)


def test_only_steps_that_exist_are_taken_where_possible() -> None:
    assert {step.name for steps in POLICY.values() for step in steps} >= WHERE_POSSIBLE


def test_the_worker_takes_every_step_that_any_other_takes() -> None:
    for steps in POLICY.values():
        assert set(steps) <= set(POLICY[Process.WORKER])


def test_each_step_has_one_name_and_says_what_it_does() -> None:
    steps = {step for row in POLICY.values() for step in row}
    assert len({step.name for step in steps}) == len(steps)
    assert all(step.describe for step in steps)


def test_the_memory_of_a_sandboxed_process_belongs_to_root_whoever_runs_it() -> None:
    def look() -> object:
        if os.getuid() == 0:
            os.setuid(65534)
        sandbox.enter(Process.KEYHOLDER, os.getppid())
        return [os.getuid() == 0, Path("/proc/self/mem").stat().st_uid]

    assert in_child(look) == [False, 0]
