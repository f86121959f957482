# SPDX-License-Identifier: Apache-2.0
"""Where the journal goes. The host's side of vsock is a local socket here."""

import fcntl
import json
import os
import socket
from pathlib import Path

import pytest
from typing_extensions import override

from guest import journal
from guest.boot import sink
from tests.guest.rig import descriptors, in_child, nothing_left_open


def streams() -> list[str]:
    return [str(Path(f"/proc/self/fd/{fd}").readlink()) for fd in range(3)]


@pytest.mark.parametrize("closed", [(), (0, 1, 2), (1,)])
def test_the_standard_streams_are_nothing_even_if_they_were_closed(closed: tuple[int, ...]) -> None:
    def pointed() -> list[object]:
        for fd in closed:
            os.close(fd)
        before = len(descriptors())
        sink.into_nothing()
        return [streams(), len(descriptors()) - before]

    assert in_child(pointed) == [["/dev/null"] * 3, len(closed)]


def host(path: str) -> type[socket.socket]:
    """A class of sockets that find a local listener where the host would be."""

    class Stream(socket.socket):
        def __init__(self, family: int, kind: int) -> None:
            assert (family, kind) == (socket.AF_VSOCK, socket.SOCK_STREAM)
            super().__init__(socket.AF_UNIX, kind)

        @override
        def connect(self, address: object) -> None:
            assert address == (socket.VMADDR_CID_HOST, 5001)
            super().connect(path)

    return Stream


@pytest.mark.slow
def test_the_host_gets_the_journal_and_holds_up_nobody_by_not_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()

        def written() -> bool:
            monkeypatch.setattr(socket, "socket", host(path))
            sink.into_nothing()
            sink.to_the_host()
            for _ in range(100_000):
                journal.record(journal.Event.READY)
            return bool(fcntl.fcntl(2, fcntl.F_GETFL) & os.O_NONBLOCK)

        assert in_child(written) is True
        stream, _ = listener.accept()
        with stream, stream.makefile("rb") as lines:
            assert json.loads(lines.readline()) == {"event": "ready"}


def test_without_a_host_that_listens_the_journal_goes_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept() -> list[str]:
        monkeypatch.setattr(socket, "socket", host(str(tmp_path / "nobody")))
        sink.into_nothing()
        sink.to_the_host()
        return streams()

    assert in_child(kept) == ["/dev/null"] * 3


def test_a_kernel_without_vsock_has_no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_: int) -> socket.socket:
        raise OSError(97, os.strerror(97))

    with nothing_left_open():
        monkeypatch.setattr(socket, "socket", without)
        sink.to_the_host()
