# SPDX-License-Identifier: Apache-2.0
"""Doors with the test on one side, and what a process holds open, for the tests of the guest."""

import contextlib
import fcntl
import json
import os
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from guest.channel import Channel, pair
from guest.door import Process


def door(one: Process, other: Process) -> tuple[Channel, Channel]:
    """Both ends of a door, each with its own side's rules."""
    near, far = pair()
    return Channel(near, us=one, them=other), Channel(far, us=other, them=one)


def half_door(us: Process, them: Process) -> tuple[Channel, socket.socket]:
    """One end with rules, and a bare socket that can say anything."""
    near, far = pair()
    return Channel(near, us=us, them=them), far


def descriptors() -> set[int]:
    """The descriptors that this process has open."""
    found = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
    return {fd for fd in found if is_open(fd)}  # less the one that listed them


def is_open(fd: int) -> bool:
    """Whether a descriptor is open in this process."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_GETFD)
        return True
    return False


def descriptors_of(pid: int) -> set[int]:
    """The descriptors that another process has open."""
    return {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}


@contextlib.contextmanager
def few_descriptors(pid: int, room: int) -> Iterator[None]:
    """Let another process open only ``room`` more descriptors than it has open now."""
    taken, limit = descriptors_of(pid), 0
    while room or limit in taken:
        room -= limit not in taken
        limit += 1
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def nothing_left_open() -> Iterator[None]:
    """Fail if the block leaves a descriptor behind that was not there before."""
    before = descriptors()
    yield
    left = descriptors() - before
    assert left == set(), [str(Path(f"/proc/self/fd/{fd}").readlink()) for fd in left]


def in_child(work: Callable[[], object]) -> object:
    """Run ``work`` in a forked process, which may give anything up; its value as JSON.

    An exception there is raised here as a RuntimeError with its name.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(read)
            try:
                told = json.dumps({"value": work()})
            except Exception as error:  # noqa: BLE001 - it is told to the parent, whatever it is
                told = json.dumps({"error": repr(error)})
            os.write(write, told.encode())
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = json.loads(pipe.read())
    _, status = os.waitpid(pid, 0)
    assert status == 0
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["value"]
