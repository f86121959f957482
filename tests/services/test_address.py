# SPDX-License-Identifier: Apache-2.0
"""Guest addresses in one spelling, and gRPC over vsock as far as this kernel can show it."""

from __future__ import annotations

import asyncio
import socket

import pytest
from grpclib.server import Server
from hypothesis import given
from hypothesis import strategies as st

from services.ingress.address import AddressError, GuestAddress, Transport, parse_address
from services.ingress.guest import Guest
from services.limits import Limits
from services.problems import DEADLINE, UNAVAILABLE, Problem, Refused
from tests.services.peer import Peer

LOOPBACK = 1  # VMADDR_CID_LOCAL, vsock(7)
NO_LISTENER_PORT = 0x7FFF_0001


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp:127.0.0.1:9000", GuestAddress(Transport.TCP, "127.0.0.1", 9000)),
        ("tcp:guest.example:1", GuestAddress(Transport.TCP, "guest.example", 1)),
        ("tcp:[::1]:65535", GuestAddress(Transport.TCP, "::1", 65535)),
        ("vsock:3:9000", GuestAddress(Transport.VSOCK, "3", 9000)),
        ("vsock:4294967295:4294967295", GuestAddress(Transport.VSOCK, "4294967295", 4294967295)),
    ],
)
def test_an_address_is_read(text: str, address: GuestAddress) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "127.0.0.1:9000", "udp:127.0.0.1:9000", "tcp:127.0.0.1", "tcp::9000"),
        *("tcp:127.0.0.1:0", "tcp:127.0.0.1:65536", "tcp:127.0.0.1:09", "tcp:127.0.0.1:9000 "),
        *("tcp:a/b:9000", "tcp:::1:9000", "TCP:127.0.0.1:9000", "tcp:127.0.0.1:9000\n"),
        *("vsock:3", "vsock:03:9000", "vsock:4294967296:9000", "vsock:3:4294967296", "vsock:-1:1"),
        *("vsock:3:0", "vsock:\u0663:9000", "tcp:127.0.0.1:\u0669"),
    ],
)
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address(text)


@given(st.one_of(st.text(), st.text().map("tcp:{}".format), st.text().map("vsock:{}".format)))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        parse_address(text)
    except AddressError as error:
        assert error.got == text


def vsock() -> socket.socket:
    try:
        return socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    except OSError as error:
        pytest.skip(f"this kernel has no vsock: {error}")


def test_a_grpclib_server_listens_on_a_vsock_socket() -> None:
    async def run() -> int:
        listener = vsock()
        listener.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        listener.setblocking(False)
        server = Server([Peer()])
        await server.start(sock=listener)
        try:
            return int(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        finally:
            server.close()
            await server.wait_closed()

    assert asyncio.run(run()) == 1


def test_a_vsock_guest_that_is_not_there_is_refused_in_time() -> None:
    vsock().close()

    async def run() -> Problem:
        guest = Guest(parse_address(f"vsock:{LOOPBACK}:{NO_LISTENER_PORT}"), Limits(connect_s=0.2))
        with pytest.raises(Refused) as caught:
            await guest.evidence()
        guest.close()
        return caught.value.problem

    assert asyncio.run(run()) in (UNAVAILABLE, DEADLINE)


def test_grpc_crosses_a_vsock_link() -> None:
    async def run() -> bytes:
        listener = vsock()
        listener.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        listener.setblocking(False)
        server = Server([Peer()])
        await server.start(sock=listener)
        guest = Guest(parse_address(f"vsock:{LOOPBACK}:{listener.getsockname()[1]}"), Limits())
        try:
            return (await guest.evidence()).evidence
        finally:
            guest.close()
            server.close()
            await server.wait_closed()

    skip_without_loopback()
    assert asyncio.run(run()) == Peer().evidence


def skip_without_loopback() -> None:
    """A VM without the kernel's vsock_loopback cannot connect to itself."""
    with vsock() as listener, vsock() as probe:
        listener.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        listener.listen()
        probe.settimeout(0.5)
        try:
            probe.connect((LOOPBACK, listener.getsockname()[1]))
        except OSError as error:
            pytest.skip(f"GRPC OVER VSOCK WAS NOT SHOWN: no vsock loopback here ({error})")
