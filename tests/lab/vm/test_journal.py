# SPDX-License-Identifier: Apache-2.0
"""The journal as the host reads it."""

import socket
import threading

import pytest

from lab.vm.errors import VmError
from lab.vm.journal import LINE_MAX_BYTES, Journal


def read(*pieces: bytes) -> Journal:
    journal = Journal()
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            reading = threading.Thread(target=journal.read, args=(ours,))
            reading.start()
            for piece in pieces:
                theirs.sendall(piece)
        reading.join()
    return journal


def test_lines_are_kept_in_order_wherever_they_are_cut() -> None:
    journal = read(b'{"event":"sta', b'rted"}\n{"event":"ready"}', b"\n")
    assert [line["event"] for line in journal.lines] == ["started", "ready"]
    assert journal.strange == []


@pytest.mark.parametrize("line", [b"Traceback", b"[1]", b'"text"', b"\xff"])
def test_what_is_no_object_is_kept_apart(line: bytes) -> None:
    assert read(line + b"\n").strange == [line]


def test_a_line_without_end_is_read_too() -> None:
    assert read(b'{"event":"ready"}').named("ready") == [{"event": "ready"}]


def test_a_line_that_is_too_long_ends_the_reading() -> None:
    assert len(read(b"x" * (LINE_MAX_BYTES + 1)).strange) == 1


def test_an_event_that_came_is_not_waited_for() -> None:
    journal = read(b'{"event":"ready","code":3}\n')
    line = journal.wait("ready", within_s=0, alive=lambda: False)
    assert line == {"event": "ready", "code": 3}


def test_an_event_that_did_not_come_is_an_error_with_what_came() -> None:
    journal = read(b'{"event":"fell"}\n')
    with pytest.raises(VmError, match=r'wanted the event ready, got {"event":"fell"}'):
        journal.wait("ready", within_s=0, alive=lambda: True)


def test_a_machine_that_ended_is_waited_for_no_more() -> None:
    with pytest.raises(VmError, match="got no line"):
        Journal().wait("ready", within_s=3600, alive=lambda: False)


def test_a_line_that_no_guest_writes_ends_the_waiting() -> None:
    with pytest.raises(VmError, match="Traceback"):
        read(b"Traceback\n").wait("ready", within_s=3600, alive=lambda: True)
