# SPDX-License-Identifier: Apache-2.0
"""What somebody reads who waits for a machine."""

import re
import socket

import pytest

from lab.vm import progress
from lab.vm.journal import Journal
from lab.vm.progress import Progress


def write(journal: Journal, *lines: bytes) -> None:
    """Lines of the guest."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(b"".join(line + b"\n" for line in lines))
        journal.read(ours)


def words(told: list[str]) -> list[str]:
    """The lines without their seconds."""
    assert all(re.fullmatch(r" {3,}\d+ s  .+", line) for line in told)
    return [line.partition(" s  ")[2] for line in told]


def test_each_thing_is_told_once() -> None:
    told: list[str] = []
    journal = Journal()
    progress = Progress(journal, told.append)
    write(journal, b'{"event":"started"}', b'{"event":"started"}')
    progress.look()
    progress.look()
    write(journal, b'{"event":"fell","process":2,"code":-9,"restarts":1}', b'{"event":"ready"}')
    progress.look()
    first, second, *last = words(told)
    assert first == "switched on; the kernel boots"
    assert second.startswith("every check of the boot has held")
    assert last == ["fell process 2 code -9 restarts 1", "ready"]


def test_silence_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TELL_EVERY_S", 0.0)
    told: list[str] = []
    Progress(Journal(), told.append).look()
    assert words(told) == ["switched on; the kernel boots", "…"]
