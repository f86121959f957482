# SPDX-License-Identifier: Apache-2.0
"""Run by the image's own interpreter: pytest, and whether it tests what is in the image.

The rule that holds here: the packages under test come from the image's folder for packages, however
the tests were found; a module of theirs from elsewhere ends the run. And what is left out is left
out for its reason: each such test is tried first, in a process of its own, and must fail as the
table says (`image.interpreter.LEFT_OUT`).

This file imports nothing of ours: it is the other side of `image.interpreter`, which hands it one
JSON object, `Task`.
"""

import fcntl
import json
import os
import socket
import struct
import sys
import tempfile
from typing import TypedDict

import pytest

SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # netdevice(7)


class Task(TypedDict):
    """What is to be run.

    Attributes:
        checkout: the folder from which pytest runs.
        packages: the image's folder for packages.
        ours: the packages under test.
        plugins: pytest's options for every run.
        left_out: tests that cannot pass here, and what their failure says.
        tests: pytest's arguments for the rest.
    """

    checkout: str
    packages: str
    ours: tuple[str, ...]
    plugins: list[str]
    left_out: dict[str, str]
    tests: list[str]


def loopback_up() -> None:
    """Switch the loopback on; a network namespace begins with it down."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


def elsewhere(task: Task) -> list[str]:
    """Return the modules of our packages that were imported from elsewhere than the image."""
    found = []
    for name, module in sorted(sys.modules.items()):
        top = name.partition(".")[0]
        file = getattr(module, "__file__", None)
        if top in task["ours"] and not str(file).startswith(f"{task['packages']}/{top}/"):
            found.append(f"{name}: wanted it from {task['packages']}, got {file}")
    return found


def outcome(arguments: list[str]) -> tuple[int, str]:
    """Run pytest in a process of its own; return its exit status and what it printed."""
    with tempfile.TemporaryFile() as printed:
        child = os.fork()
        if child == 0:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            status = pytest.main(arguments)
            sys.stdout.flush()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        printed.seek(0)
        return os.waitstatus_to_exitcode(status), printed.read().decode(errors="replace")


def needless(task: Task) -> list[str]:
    """Return the tests that are left out and do not fail in the way that is the reason for it."""
    failed = {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}
    found = []
    for name, says in task["left_out"].items():
        status, printed = outcome([*task["plugins"], name])
        if status not in failed or says not in printed:
            found.append(f"{name}: wanted it to fail with {says!r}, got:\n{printed}")
    return found


def main() -> int:
    """Check the table, run the tests, check where the packages came from; say what is wrong."""
    task: Task = json.loads(sys.argv[1])
    loopback_up()
    os.chdir(task["checkout"])
    wrong = needless(task)
    status = int(pytest.main([*task["plugins"], *task["tests"]]))
    wrong += elsewhere(task)
    for line in wrong:
        print(line, file=sys.stderr, flush=True)
    return status or int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
