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
from guest.sandbox import INHERITED, LATER, POLICY, WHERE_POSSIBLE, Place, SandboxError, Step
from tests.guest.isolation import possible
from tests.guest.rig import in_child

PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS = 2, 3, 39
MISSING = sandbox.missing()
LANDLOCK = sandbox.NO_PATHS.name not in MISSING

_libc = ctypes.CDLL(None, use_errno=True)


# The system call filter would answer before the other steps could; test_seccomp.py has it.
UNFILTERED = {
    process: tuple(step for step in steps if step is not sandbox.ONLY_LISTED_CALLS)
    for process, steps in POLICY.items()
}


UNFILTERED_AND_UNLOCKED = {
    process: tuple(step for step in steps if step is not sandbox.NO_PATHS)
    for process, steps in UNFILTERED.items()
}


# Nor does it matter to Landlock how many descriptors this test process happens to have.
LANDLOCK_ONLY = {
    Process.WORKER: (
        *(sandbox.DIE_WITH_PARENT, sandbox.NO_NEW_PRIVILEGES),
        *(sandbox.NO_PATHS, sandbox.NO_PORTS, sandbox.NO_FOREIGN_SIGNALS),
    )
}


def inside(
    process: Process,
    look: Callable[[], object],
    policy: Mapping[Process, tuple[Step, ...]] = UNFILTERED,
) -> object:
    """Enter the sandbox of a process in a child, and look around there."""
    parent, policy = os.getpid(), possible(policy)

    def work() -> object:
        sandbox.enter(process, parent, policy=policy)
        if process in LATER:
            sandbox.finish(process, policy=policy)
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


@pytest.mark.skipif(
    sandbox.NO_PORTS.name in MISSING, reason="this kernel's Landlock knows no network"
)
def test_a_worker_can_connect_to_no_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def look() -> object:
            with socket.socket() as client:
                return refusal_of(lambda: client.connect(("127.0.0.1", port)))

        assert inside(Process.WORKER, look, LANDLOCK_ONLY) == "EACCES"


@pytest.mark.skipif(
    sandbox.NO_FOREIGN_SIGNALS.name in MISSING, reason="this kernel's Landlock knows no scope"
)
def test_a_worker_can_signal_nobody() -> None:
    parent = os.getpid()
    assert inside(Process.WORKER, lambda: refusal_of(lambda: os.kill(parent, 0))) == "EPERM"


def test_a_process_dies_with_its_parent() -> None:
    ours, theirs = pair()
    policy = possible(UNFILTERED)
    middle = os.fork()
    if middle == 0:
        parent = os.getpid()
        if os.fork() == 0:
            sandbox.enter(Process.KEYHOLDER, parent, policy=policy)
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
    policy = possible()
    with pytest.raises(RuntimeError, match="die-with-parent"):
        in_child(lambda: sandbox.enter(Process.WORKER, 2**22 - 1, policy=policy))


@pytest.mark.parametrize("number", [errno.EPERM, errno.EMFILE, errno.ENOMEM, errno.ENOSYS])
def test_a_step_that_is_refused_ends_the_process(number: int) -> None:
    def refuse(_: Place) -> None:
        raise OSError(number, "no")

    policy = {Process.GATE: (Step("no-paths", "Landlock", refuse),)}
    with pytest.raises(SandboxError) as caught:
        sandbox.enter(Process.GATE, os.getppid(), policy=policy)
    assert (caught.value.step, caught.value.errno) == ("no-paths", number)


def test_a_step_that_cannot_be_taken_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Place) -> None:
        raise OSError(errno.EPERM, "no")

    step = Step("own-moon", "a moon of its own", refuse)
    monkeypatch.setattr(sandbox, "WHERE_POSSIBLE", (step,))
    sandbox.missing.cache_clear()
    try:
        assert "own-moon" in sandbox.missing()
    finally:
        sandbox.missing.cache_clear()


def test_without_a_process_to_try_in_nothing_is_called_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> int:
        raise OSError(errno.EAGAIN, "no")

    sandbox.missing.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", refuse)
        with pytest.raises(OSError, match="no"):
            sandbox.missing()


@pytest.mark.parametrize("step", WHERE_POSSIBLE, ids=lambda step: str(step.name))
def test_a_step_that_is_lacking_is_left_out_by_every_process(step: Step) -> None:
    left = sandbox.without(POLICY, (step.name,))
    assert left.keys() == POLICY.keys()
    for process, steps in POLICY.items():
        assert left[process] == tuple(one for one in steps if one is not step)


def test_no_other_step_can_be_left_out() -> None:
    others = {
        step.name for steps in POLICY.values() for step in steps if step not in WHERE_POSSIBLE
    }
    assert sandbox.without(POLICY, others) == POLICY


def test_trying_what_is_possible_gives_nothing_up() -> None:
    before = (os.getresuid(), resource.getrlimit(resource.RLIMIT_NPROC), _namespaces())
    sandbox.missing.cache_clear()
    sandbox.missing()
    assert (os.getresuid(), resource.getrlimit(resource.RLIMIT_NPROC), _namespaces()) == before


def _namespaces() -> list[str]:
    return [str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in ("net", "ipc", "uts", "user")]


def test_what_root_can_give_up_is_named_as_missing_by_others() -> None:
    def look() -> object:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        sandbox.missing.cache_clear()
        return sandbox.missing()

    found = in_child(look)
    assert isinstance(found, list)
    assert sandbox.OWN_USER.name in found
    assert sandbox.OWN_CGROUP in found
    assert found == sorted(found)
    assert set(found) <= {step.name for step in WHERE_POSSIBLE} | {sandbox.OWN_CGROUP}


def test_the_filter_is_the_last_step_of_each_process() -> None:
    for steps in POLICY.values():
        assert steps[-1] is sandbox.ONLY_LISTED_CALLS


def test_death_with_the_parent_is_asked_for_after_the_ids_have_changed() -> None:
    """The kernel forgets it when they change."""
    for steps in POLICY.values():
        assert steps.index(sandbox.DIE_WITH_PARENT) > steps.index(sandbox.OWN_USER)
        assert steps.index(sandbox.DIE_WITH_PARENT) > steps.index(sandbox.NO_CAPABILITIES)


def test_landlock_is_entered_before_descriptors_become_few() -> None:
    """It needs one itself."""
    steps = POLICY[Process.WORKER]
    assert steps.index(sandbox.NO_PATHS) < steps.index(sandbox.FEW_DESCRIPTORS)


def test_only_steps_that_exist_are_taken_where_possible() -> None:
    assert {step for steps in POLICY.values() for step in steps} >= set(WHERE_POSSIBLE)


def test_the_worker_takes_or_inherits_every_step_that_any_other_takes() -> None:
    assert set(INHERITED) <= set(POLICY[Process.ZYGOTE])
    for steps in POLICY.values():
        assert set(steps) <= {*POLICY[Process.WORKER], *INHERITED}


def test_what_is_taken_later_is_the_end_of_a_policy() -> None:
    for process, steps in LATER.items():
        assert POLICY[process][-len(steps) :] == steps


def test_each_step_has_one_name_and_says_what_it_does() -> None:
    steps = {step for row in POLICY.values() for step in row}
    assert len({step.name for step in steps}) == len(steps)
    assert all(step.describe for step in steps)


def test_the_memory_of_a_sandboxed_process_belongs_to_root_whoever_runs_it() -> None:
    def look() -> object:
        if os.getuid() == 0:
            os.setuid(65534)
            sandbox.missing.cache_clear()
        policy = possible(UNFILTERED_AND_UNLOCKED)
        sandbox.enter(Process.KEYHOLDER, os.getppid(), policy=policy)
        return Path("/proc/self/mem").stat().st_uid

    # In a user namespace without a map, root of the host is nobody.
    assert in_child(look) in (0, 65534)
