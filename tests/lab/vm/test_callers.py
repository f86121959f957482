# SPDX-License-Identifier: Apache-2.0
"""The host's side of a guest's calls: served in turn without end, and not too many at once."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.vm.callers import OPEN_MAX, Callers
from lab.vm.errors import VmError

PATIENCE_S = 20


@contextmanager
def calling(path: Path) -> Iterator[socket.socket]:
    """One call of the guest."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(PATIENCE_S)
        link.connect(str(path))
        yield link


def echo(link: socket.socket) -> None:
    while piece := link.recv(16):
        link.sendall(piece)


def answered(link: socket.socket) -> bytes:
    link.sendall(b"?")
    return link.recv(16)


def test_a_guest_may_call_as_often_as_it_likes(tmp_path: Path) -> None:
    with Callers(tmp_path / "port", echo) as callers:
        for _ in range(4 * OPEN_MAX):
            with calling(tmp_path / "port") as link:
                assert answered(link) == b"?"
        assert callers.failures == []


def test_one_too_many_at_once_is_closed(tmp_path: Path) -> None:
    with Callers(tmp_path / "port", echo):
        links = []
        try:
            for _ in range(OPEN_MAX):
                link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                links.append(link)
                link.settimeout(PATIENCE_S)
                link.connect(str(tmp_path / "port"))
                assert answered(link) == b"?"
            with calling(tmp_path / "port") as more:
                assert more.recv(1) == b""
        finally:
            for link in links:
                link.close()


def test_leaving_ends_what_is_open(tmp_path: Path) -> None:
    with Callers(tmp_path / "port", echo) as callers, calling(tmp_path / "port") as link:
        assert answered(link) == b"?"
        callers.close()
        assert link.recv(1) == b""


def test_what_a_guest_must_not_say_is_kept(tmp_path: Path) -> None:
    def refuse(_link: socket.socket) -> None:
        raise VmError("guest", "a question", "a riddle")

    with Callers(tmp_path / "port", refuse) as callers:
        with calling(tmp_path / "port") as link:
            assert link.recv(1) == b""
        (failure,) = callers.failures
    assert str(failure) == "guest: wanted a question, got a riddle"


def test_a_guest_may_go_away_in_mid_sentence(tmp_path: Path) -> None:
    def broken(_link: socket.socket) -> None:
        raise ConnectionResetError

    with Callers(tmp_path / "port", broken) as callers:
        with calling(tmp_path / "port") as link:
            assert link.recv(1) == b""
        assert callers.failures == []
