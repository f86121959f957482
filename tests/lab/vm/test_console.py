# SPDX-License-Identifier: Apache-2.0
"""A console whose other end is a thread of the test."""

import re
import socket
from pathlib import Path

import pytest

from lab.vm import console
from lab.vm.console import Console
from lab.vm.errors import VmError
from tests.lab.vm.fakes import listening


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "console"


def answer(link: socket.socket) -> None:
    """Say a line back in two pieces, and then go away."""
    line = link.recv(64)
    link.sendall(b"you said ")
    link.sendall(line)


def hear(link: socket.socket) -> None:
    """Say nothing."""
    link.recv(64)


def test_what_comes_of_a_line_is_read_until_it_is_the_awaited(place: Path) -> None:
    with listening(place, answer), Console(place) as typed:
        typed.type(b"hello")
        typed.wait(re.compile(rb"said hello"), within_s=30)


def test_another_answer_is_an_error_with_what_came(place: Path) -> None:
    with listening(place, answer), Console(place) as typed:
        typed.type(b"hello")
        with pytest.raises(VmError, match="got you said hello"):
            typed.wait(re.compile(rb"goodbye"), within_s=30)


def test_silence_is_an_error(place: Path) -> None:
    with (
        listening(place, hear),
        Console(place) as typed,
        pytest.raises(VmError, match="got nothing"),
    ):
        typed.wait(re.compile(rb"prompt"), within_s=0)


def test_a_console_that_says_too_much_is_an_error(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "SHOWN_MAX_BYTES", 4)
    with listening(place, answer), Console(place) as typed:
        typed.type(b"hello")
        with pytest.raises(VmError, match="you said"):
            typed.wait(re.compile(rb"never"), within_s=30)
