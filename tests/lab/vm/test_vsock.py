# SPDX-License-Identifier: Apache-2.0
"""Connections to a guest, and what comes from it, against a fake of the vsock device."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.vm.callers import Callers
from lab.vm.errors import VmError
from lab.vm.vsock import Shuttle, connect
from tests.lab.vm.fakes import echo_at, listening

PORT = 5000
LONG = bytes(range(256)) * 1024


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    with listening(tmp_path / "vsock", echo_at(PORT)):
        yield tmp_path / "vsock"


def heard(link: socket.socket, size: int) -> bytes:
    link.settimeout(10)
    data = b""
    while len(data) < size and (piece := link.recv(65536)):
        data += piece
    return data


def test_a_connection_carries_the_guests_bytes_and_none_of_the_devices(device: Path) -> None:
    with connect(device, PORT) as link:
        link.sendall(b"hello")
        assert heard(link, 5) == b"hello"


def test_a_port_where_nobody_listens_is_an_error(device: Path) -> None:
    with pytest.raises(VmError, match="vsock port 5009: wanted a connection"):
        connect(device, 5009, wait_s=0.2)


def test_a_device_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VmError, match="No such file"):
        connect(tmp_path / "vsock", PORT, wait_s=0.2)


def test_a_tcp_connection_comes_out_at_the_guests_port_and_its_end_too(device: Path) -> None:
    with Shuttle(device, PORT) as shuttle:
        host, _, port = shuttle.address.partition(":")
        with socket.create_connection((host, int(port))) as link:
            link.sendall(LONG)
            link.shutdown(socket.SHUT_WR)
            assert heard(link, len(LONG) + 1) == LONG


def test_closing_a_shuttle_ends_its_connections(device: Path) -> None:
    shuttle = Shuttle(device, PORT)
    host, _, port = shuttle.address.partition(":")
    with socket.create_connection((host, int(port))) as link:
        link.sendall(b"hello")
        assert heard(link, 5) == b"hello"
        shuttle.close()
        assert heard(link, 1) == b""


def test_a_shuttle_to_nobody_closes_the_connection(device: Path) -> None:
    with Shuttle(device, 5009, wait_s=0.1) as shuttle:
        host, _, port = shuttle.address.partition(":")
        with socket.create_connection((host, int(port))) as link:
            assert heard(link, 1) == b""


def test_each_caller_is_served_and_what_it_must_not_say_is_kept(tmp_path: Path) -> None:
    def serve(link: socket.socket) -> None:
        if link.recv(5) == b"wrong":
            raise VmError("guest", "nothing wrong", "something")
        link.sendall(b"right")

    with Callers(tmp_path / "vsock_1", serve) as callers:
        for said, answer in ((b"hello", b"right"), (b"wrong", b"")):
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(str(tmp_path / "vsock_1"))
                link.sendall(said)
                assert heard(link, 5) == answer
    assert [failure.what for failure in callers.failures] == ["guest"]
