# SPDX-License-Identifier: Apache-2.0
"""A test cannot reach another machine, and can reach this one."""

import socket

import pytest

# RFC 5737 §3: documentation addresses, nobody's.
ELSEWHERE = ("192.0.2.1", 9)


def test_a_test_that_connects_elsewhere_fails() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as peer,
        pytest.raises(RuntimeError, match="may not leave this machine"),
    ):
        peer.connect(ELSEWHERE)


def test_a_test_may_talk_to_itself() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()[:2]) as peer,
        server.accept()[0] as accepted,
    ):
        peer.sendall(b"hello")
        assert accepted.recv(5) == b"hello"
