# SPDX-License-Identifier: Apache-2.0
"""Limits and namespaces, in processes that may lose something."""

import errno
import mmap
import os
import resource
import socket
import threading

import pytest

from guest import limits, namespaces, sandbox
from guest.door import Process
from tests.guest.rig import in_child

MIB = limits.MIB
NAMESPACES = pytest.mark.skipif(
    sandbox.OWN_NAMESPACES.name in sandbox.missing(), reason="the host does not allow it"
)


def test_a_process_may_grow_by_its_share_and_not_by_more() -> None:
    def look() -> object:
        limits.bounded_memory(Process.ZYGOTE)
        most = limits.GROWTH_MAX_MIB[Process.ZYGOTE] * MIB
        kept = mmap.mmap(-1, most // 2, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        try:
            mmap.mmap(-1, most, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError:
            return len(kept) == most // 2
        return False

    assert in_child(look) is True


def test_a_child_may_not_grow_beyond_what_its_parent_may() -> None:
    def look() -> object:
        limits.bounded_memory(Process.ZYGOTE)
        wanted = list(resource.getrlimit(resource.RLIMIT_DATA))
        return in_child(lambda: resource.getrlimit(resource.RLIMIT_DATA)) == wanted

    assert in_child(look) is True


@NAMESPACES
def test_what_has_left_sees_loopback_alone_and_it_is_down() -> None:
    def look() -> object:
        namespaces.leave()
        with socket.socket() as probe:
            try:
                probe.connect(("127.0.0.1", 9))
            except OSError as error:
                return [socket.if_nameindex(), errno.errorcode[error.errno or 0]]
        return None

    assert in_child(look) == [[[1, "lo"]], "ENETUNREACH"]


@NAMESPACES
def test_a_listening_socket_from_before_still_accepts() -> None:
    """So the gate needs no network of its own."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(10)

    def look() -> object:
        namespaces.leave()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1)
        except OSError:
            connection, _ = server.accept()
            return connection.recv(1) == b"."
        return False

    port = server.getsockname()[1]
    with server, socket.create_connection(("127.0.0.1", port)) as client:
        client.send(b".")
        assert in_child(look) is True


def test_a_process_with_threads_does_not_leave_half_of_itself_behind() -> None:
    def look() -> object:
        done = threading.Event()
        thread = threading.Thread(target=done.wait)
        thread.start()
        try:
            namespaces.leave()
        except namespaces.NamespaceError:
            return "refused"
        finally:
            done.set()
            thread.join()
        return "left"

    assert in_child(look) == "refused"


def test_every_process_has_each_limit() -> None:
    assert set(limits.DESCRIPTORS_MAX) == set(sandbox.POLICY)
    assert set(limits.GROWTH_MAX_MIB) == set(sandbox.POLICY) - {Process.WORKER}


def test_a_worker_has_room_for_its_descriptors_and_no_more_than_others() -> None:
    assert limits.DESCRIPTORS_MAX[Process.WORKER] == min(limits.DESCRIPTORS_MAX.values())
    assert os.sysconf("SC_OPEN_MAX") >= limits.DESCRIPTORS_MAX[Process.GATE]
