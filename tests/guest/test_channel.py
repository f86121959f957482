# SPDX-License-Identifier: Apache-2.0
"""Parcels over real sockets: what arrives, what is refused, and that no descriptor is lost."""

import fcntl
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.channel import FDS_MAX, HEAD, PARCEL_MAX_BYTES, Channel, GoneError, Parcel, pack, pair
from guest.door import DoorError, Process, Say
from tests.guest.rig import descriptors, door, half_door, is_open, nothing_left_open

WORKER, KEYHOLDER, GATE, ZYGOTE = (
    Process.WORKER,
    Process.KEYHOLDER,
    Process.GATE,
    Process.ZYGOTE,
)


def heard(channel: Channel) -> Parcel:
    parcel = channel.hear()
    assert parcel is not None
    return parcel


def test_a_parcel_arrives_as_it_was_said() -> None:
    worker, gate = door(WORKER, GATE)
    worker.say(Say.CHUNK, 2**64 - 1, b"sealed")
    assert heard(gate) == Parcel(Say.CHUNK, 2**64 - 1, b"sealed", ())
    worker.close()
    gate.close()


def test_the_largest_parcel_passes_whole() -> None:
    keyholder, gate = door(KEYHOLDER, GATE)
    body = os.urandom(PARCEL_MAX_BYTES - HEAD.size)
    keyholder.say(Say.PUBLISH, body=body)
    assert heard(gate).body == body
    keyholder.close()
    gate.close()


def test_two_parcels_stay_two() -> None:
    worker, keyholder = door(WORKER, KEYHOLDER)
    worker.say(Say.MARK, body=b"\x01")
    worker.say(Say.MARK, body=b"\x02")
    assert [heard(keyholder).body, heard(keyholder).body] == [b"\x01", b"\x02"]
    worker.close()
    keyholder.close()


def test_a_descriptor_arrives_open_closed_on_exec_and_the_sender_keeps_its_own() -> None:
    with nothing_left_open():
        gate, zygote = door(GATE, ZYGOTE)
        read, write = os.pipe()
        gate.say(Say.FORK, 1, b"body", (write,))
        parcel = heard(zygote)
        (fd,) = parcel.fds
        assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        os.write(fd, b"through the copy")
        os.write(write, b" and the original")
        assert os.read(read, 64) == b"through the copy and the original"
        parcel.close()
        assert not is_open(fd)
        os.close(read)
        os.close(write)
        gate.close()
        zygote.close()


def test_nothing_said_is_nothing_heard() -> None:
    worker, gate = door(WORKER, GATE)
    assert gate.hear(wait=False) is None
    worker.close()
    gate.close()


@pytest.mark.parametrize("wait", [True, False])
def test_a_closed_door_is_gone(wait: bool) -> None:
    worker, gate = door(WORKER, GATE)
    worker.close()
    with pytest.raises(GoneError):
        gate.hear(wait=wait)
    gate.close()


def test_speaking_to_a_closed_door_is_gone() -> None:
    worker, gate = door(WORKER, GATE)
    gate.close()
    with pytest.raises(GoneError):
        worker.say(Say.CHUNK, body=b"sealed")
    worker.close()


def test_what_was_said_before_leaving_is_still_heard() -> None:
    worker, gate = door(WORKER, GATE)
    worker.say(Say.REFUSE, body=b"refused")
    worker.close()
    assert heard(gate).body == b"refused"
    with pytest.raises(GoneError):
        gate.hear()
    gate.close()


def test_what_was_said_before_leaving_with_our_words_unread_is_still_heard() -> None:
    worker, gate = door(WORKER, GATE)
    gate.say(Say.DATA, body=b"never read")
    worker.say(Say.REFUSE, body=b"refused")
    worker.close()
    assert heard(gate).body == b"refused"
    with pytest.raises(GoneError):
        gate.hear()
    gate.close()


def test_a_peer_that_reads_nothing_is_gone_in_time() -> None:
    near, far = pair()
    worker = Channel(near, us=WORKER, them=GATE, send_max_s=1)
    with pytest.raises(GoneError):
        for _ in range(1000):
            worker.say(Say.CHUNK, body=bytes(16384))
    worker.close()
    far.close()


@pytest.mark.parametrize(
    ("say", "body", "fds"),
    [
        (Say.SECRET, b"", 0),
        (Say.MARK, b"\x01\x01", 0),
        (Say.ASK, b"", 1),
    ],
)
def test_what_is_not_ours_to_say_is_not_sent(say: Say, body: bytes, fds: int) -> None:
    worker, keyholder = door(WORKER, KEYHOLDER)
    with pytest.raises(ValueError, match=say.name):
        worker.say(say, body=body, fds=(0,) * fds)
    assert keyholder.hear(wait=False) is None
    worker.close()
    keyholder.close()


@pytest.mark.parametrize(
    "packet",
    [
        b"\x00",
        HEAD.pack(Say.MARK, 0)[:-1],
        HEAD.pack(0, 0),
        HEAD.pack(255, 0),
        pack(Say.SECRET, 0, b""),
        pack(Say.MARK, 0, b"\x01\x01"),
        pack(Say.ASK, 0, bytes(2049)),
    ],
)
def test_a_packet_that_may_not_be_said_is_refused(packet: bytes) -> None:
    keyholder, bare = half_door(KEYHOLDER, WORKER)
    bare.send(packet)
    with pytest.raises(DoorError):
        keyholder.hear()
    keyholder.close()
    bare.close()


def test_a_packet_longer_than_any_parcel_is_refused_as_cut() -> None:
    gate, bare = half_door(GATE, KEYHOLDER)
    bare.send(pack(Say.PUBLISH, 0, bytes(PARCEL_MAX_BYTES)))
    with pytest.raises(DoorError, match="cut"):
        gate.hear()
    gate.close()
    bare.close()


@pytest.mark.parametrize("count", [1, FDS_MAX, FDS_MAX + 1, 32])
def test_descriptors_that_may_not_come_along_are_closed(count: int) -> None:
    keyholder, bare = half_door(KEYHOLDER, WORKER)
    with nothing_left_open():
        socket.send_fds(bare, [pack(Say.MARK, 0, b"\x01")], [0] * count)
        with pytest.raises(DoorError):
            keyholder.hear()
    keyholder.close()
    bare.close()


def test_descriptors_of_a_parcel_that_is_not_listed_are_closed() -> None:
    keyholder, bare = half_door(KEYHOLDER, WORKER)
    with nothing_left_open():
        socket.send_fds(bare, [pack(Say.BORN, 0, b"")], [0, 1])
        with pytest.raises(DoorError):
            keyholder.hear()
    keyholder.close()
    bare.close()


def test_descriptors_of_an_empty_packet_are_closed() -> None:
    keyholder, bare = half_door(KEYHOLDER, WORKER)
    with nothing_left_open():
        socket.send_fds(bare, [b""], [0, 1])
        with pytest.raises(GoneError):
            keyholder.hear()
    keyholder.close()
    bare.close()


@given(st.lists(st.binary(min_size=1, max_size=64), max_size=8))
def test_any_packets_are_parcels_or_refused(packets: list[bytes]) -> None:
    keyholder, bare = half_door(KEYHOLDER, WORKER)
    for packet in packets:
        bare.send(packet)
    bare.close()
    try:
        while True:
            parcel = heard(keyholder)
            assert parcel.say in {Say.ASK, Say.MARK}
    except (DoorError, GoneError):
        keyholder.close()


def test_a_pair_is_closed_on_exec() -> None:
    before = descriptors()
    near, far = pair()
    made = descriptors() - before
    assert made == {near.fileno(), far.fileno()}
    assert all(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for fd in made)
    near.close()
    far.close()
