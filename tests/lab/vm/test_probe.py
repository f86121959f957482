# SPDX-License-Identifier: Apache-2.0
"""The host's end of the probe, told by a fake of the other; and the probe itself, on this host."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.vm import inside
from lab.vm.errors import VmError
from lab.vm.probe import REPORT_MAX_BYTES, Probe

IMPORTED = ("ctypes", "json", "socket")
FILES = Path("image") / "files.txt"


@contextmanager
def serving(probe: Probe) -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        thread = threading.Thread(target=probe.serve, args=(ours,))
        thread.start()
        yield theirs
        theirs.shutdown(socket.SHUT_RDWR)
        thread.join()


def tell(link: socket.socket, number: int) -> None:
    link.sendall(json.dumps({"number": number}).encode("ascii") + b"\n")


def test_the_first_report_stays_the_first() -> None:
    probe = Probe()
    with serving(probe) as link:
        tell(link, 0)
        assert probe.first() == {"number": 0}
        tell(link, 1)
        assert probe.first() == {"number": 0}


def test_each_look_is_a_question_and_a_new_report() -> None:
    probe = Probe()

    def answer(link: socket.socket) -> None:
        for number in (1, 2):
            assert link.recv(64) == b"look\n"
            tell(link, number)

    with serving(probe) as link:
        tell(link, 0)
        probe.first()
        answering = threading.Thread(target=answer, args=(link,))
        answering.start()
        assert [probe.look(), probe.look()] == [{"number": 1}, {"number": 2}]
        answering.join()


def test_a_report_without_end_is_refused() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writing = threading.Thread(target=theirs.sendall, args=(b"x" * (REPORT_MAX_BYTES + 65537),))
        writing.start()
        with pytest.raises(VmError, match="wanted at most"):
            Probe().serve(ours)
        writing.join()


def test_the_probe_imports_only_what_is_in_the_image() -> None:
    listed = FILES.read_text("ascii")
    missing = [name for name in IMPORTED if f"/usr/lib/python3.13/{name}" not in listed]
    assert missing == []


def test_an_attempt_that_fails_is_told_by_the_name_of_its_errno(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts = {"good": lambda: None, "bad": lambda: Path("/nonexistent").unlink()}
    monkeypatch.setattr(inside, "ATTEMPTS", attempts)
    assert inside.refusals() == {"good": "allowed", "bad": "ENOENT"}


def test_the_probe_sees_itself_among_the_processes() -> None:
    mine = [each for each in inside.processes() if each["probe"]]
    assert [each["words"] for each in mine] != [[]]
    assert all(each["parent"] > 0 for each in mine)
