# SPDX-License-Identifier: Apache-2.0
"""From inside each process of the guest every attempt of `lab.escapes` is denied, root or not."""

import errno
import os
import signal
import time
from collections.abc import Mapping

import pytest

from guest import sandbox
from guest.door import Process
from lab.escapes import ATTEMPTS
from tests.guest import isolation
from tests.guest.isolation import DENIED, NOBODY, WHO

ABSENT = errno.ENOSYS  # the kernel is built without it, or the filter says so
VICTIM_MAX_S = 5
AS_IF_ABSENT = {"clone3": ABSENT}
# What a process may call, it may; the answers show that there is nothing behind the call for it.
LISTED: Mapping[Process, Mapping[str, int]] = {
    Process.WORKER: {},
    Process.GATE: {
        "socketpair": 0,
        "listen": errno.ENOTSOCK,
        "accept4": errno.ENOTSOCK,
        "setsockopt": errno.ENOTSOCK,
    },
    Process.KEYHOLDER: {"socketpair": 0, "setsockopt": errno.ENOTSOCK},
    Process.ZYGOTE: {
        "socketpair": 0,
        "setsockopt": errno.ENOTSOCK,
        "pidfd_open: the parent": 0,  # and then? see the last test
        "pidfd_send_signal": errno.EBADF,
        "capset": errno.EFAULT,  # a worker of it asks for none at all
    },
}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("process", LISTED)
def test_every_attempt_is_denied(process: Process, who: str) -> None:
    got = isolation.try_all(process, who)
    known = {**AS_IF_ABSENT, **LISTED[process]}
    assert got.keys() == {attempt.name for attempt in ATTEMPTS}
    assert {name: got[name] for name in known} == known
    assert {name: code for name, code in got.items() if code not in DENIED} == known


@pytest.mark.slow  # a process of its own for each
@pytest.mark.parametrize("who", WHO)
def test_no_attempt_is_denied_without_a_sandbox(who: str) -> None:
    """But those that the kernel does not know, and, to who is not root, root's."""
    for attempt in ATTEMPTS:
        got = isolation.try_outside(attempt, who)
        refused = DENIED if who == NOBODY and attempt.by_root else set()
        assert got in {attempt.outside, ABSENT, *refused}, (attempt.name, errno.errorcode.get(got))


def test_attempts_have_names_of_their_own() -> None:
    assert len({attempt.name for attempt in ATTEMPTS}) == len(ATTEMPTS)


def test_what_is_wanted_outside_is_no_denial() -> None:
    assert all(attempt.outside not in DENIED for attempt in ATTEMPTS)


@pytest.mark.parametrize("who", WHO)
def test_a_captured_zygote_can_end_nobody_but_its_workers(who: str) -> None:
    def inside(tell: isolation.Tell) -> None:
        victim = os.fork()
        if victim == 0:
            os.closerange(3, 16)
            signal.alarm(VICTIM_MAX_S)  # its parent may not even end it by dying
            signal.pause()
        pidfd = os.pidfd_open(victim)
        heard, ready = os.pipe()
        policy = isolation.possible()
        isolation.enter(Process.ZYGOTE)
        zygote = os.getpid()
        worker = os.fork()
        if worker == 0:
            sandbox.enter(Process.WORKER, zygote, policy=policy)
            os.write(ready, b".")
            time.sleep(60)
        os.read(heard, 1)
        tell({"victim": kills(pidfd), "worker": kills(os.pidfd_open(worker))})

    assert isolation.in_throwaway(who, inside) == {"victim": errno.EPERM, "worker": 0}


def kills(pidfd: int) -> int:
    """The error number of a SIGKILL."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except OSError as error:
        return error.errno or -1
    return 0
