# SPDX-License-Identifier: Apache-2.0
"""Attempts to break out, run inside real processes of each kind after they gave up what they do.

A worker is made as the guest makes it: a child of a process that took the zygote's steps. A test
that is root also runs everything as an ordinary user, as a developer or CI without root would.
"""

import errno
import json
import os
from collections.abc import Callable, Mapping
from typing import Final

from guest import sandbox
from guest.door import Process
from lab.escapes import ATTEMPTS, Attempt

ROOT, NOBODY = "root", "nobody"
WHO: Final = (ROOT, NOBODY) if os.geteuid() == 0 else (NOBODY,)
NOBODYS_ID: Final = 65534
Tell = Callable[[Mapping[str, int]], None]
DENIED: Final = frozenset({errno.EPERM, errno.EACCES})


def become(who: str) -> None:
    """Be an ordinary user from now on, if that is asked for."""
    if who == NOBODY and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(*(NOBODYS_ID,) * 3)
        os.setresuid(*(NOBODYS_ID,) * 3)
        sandbox.missing.cache_clear()


def try_all(process: Process, who: str) -> Mapping[str, int]:
    """What each attempt gives inside a process of this kind."""
    return in_throwaway(who, lambda tell: _inside(process, tell))


def try_outside(attempt: Attempt, who: str) -> int:
    """What an attempt gives without a sandbox."""
    return in_throwaway(who, lambda tell: tell({attempt.name: attempt.run()}))[attempt.name]


def possible(policy: sandbox.Policy = sandbox.POLICY) -> sandbox.Policy:
    """What init would have its children do here as this user; ask before anything is given up."""
    return sandbox.without(policy, sandbox.missing())


def _inside(process: Process, tell: Tell) -> None:
    policy = possible()
    if process is not Process.WORKER:
        enter(process)
        tell({attempt.name: attempt.run() for attempt in ATTEMPTS})
        return
    enter(Process.ZYGOTE)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        sandbox.enter(Process.WORKER, parent, policy=policy)
        tell({attempt.name: attempt.run() for attempt in ATTEMPTS})
        os._exit(0)
    os.waitpid(pid, 0)


def enter(process: Process) -> None:
    """Take every step of a child of init."""
    policy = possible()
    sandbox.enter(process, os.getppid(), policy=policy)
    if process in sandbox.LATER:
        sandbox.finish(process, policy=policy)


def in_throwaway(who: str, work: Callable[[Tell], None]) -> dict[str, int]:
    """What ``work`` tells in a process that ends with it, whose parent is the same user."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become(who)
            if os.fork() == 0:
                _furnished(write, work)
            os.wait()
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer: dict[str, int] = json.loads(pipe.read())
    os.waitpid(pid, 0)
    return answer


def _furnished(write: int, work: Callable[[Tell], None]) -> None:
    """With as few descriptors as a process of the guest has."""
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)  # what the attempts are made on
    os.dup2(write, 3)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    work(lambda answers: _write(3, answers))
    os._exit(0)


def _write(fd: int, answers: Mapping[str, int]) -> None:
    os.write(fd, json.dumps(answers).encode("utf-8"))
