# SPDX-License-Identifier: Apache-2.0
"""Carrying parcels over a Unix SEQPACKET socket, with file descriptors, one parcel per packet.

A parcel is ``say(1) || worker(8, big endian) || body``. What may be said is decided by
`guest.door`; this file moves the bytes. A packet is atomic, so nothing is ever half said. Sending
is bounded: a peer that reads nothing for `SEND_MAX_S` is treated as gone, unless the door is one
where waiting is back-pressure, or one where nothing may ever wait (``send_max_s`` 0).
"""

from __future__ import annotations

import array
import os
import socket
import struct
from dataclasses import dataclass
from typing import Final, Self

from guest.door import DoorError, Ear, Process, Say, rules

HEAD: Final = struct.Struct(">BQ")
PARCEL_MAX_BYTES: Final = HEAD.size + 128 * 1024
FDS_MAX: Final = 4
SEND_MAX_S: Final = 2
RELINK_MAX_S: Final = 15.0  # init starts a fallen peer again within 10 s, and links it at once
_NOTES_BYTES: Final = socket.CMSG_LEN(FDS_MAX * array.array("i").itemsize)


def pack(say: Say, worker: int, body: bytes) -> bytes:
    """The packet that carries one parcel."""
    return HEAD.pack(say, worker) + body


def unpack(ear: Ear, packet: bytes, fds: int = 0) -> tuple[Say, int, bytes]:
    """What a packet says, if it may be said on this door now.

    Raises:
        DoorError: the packet is cut or not in the table.
    """
    if len(packet) < HEAD.size:
        raise DoorError("a parcel was cut")
    kind, worker = HEAD.unpack_from(packet)
    return ear.admit(kind, len(packet) - HEAD.size, fds), worker, packet[HEAD.size :]


class GoneError(Exception):
    """The other end of the door is closed or has stopped reading."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One thing said. The listener owns ``fds`` and closes what it does not keep."""

    say: Say
    worker: int
    body: bytes
    fds: tuple[int, ...]

    def close(self) -> None:
        """Close the descriptors that came along."""
        for fd in self.fds:
            os.close(fd)


class Channel:
    """One end of a door: what this process says there and what it hears."""

    def __init__(
        self, sock: socket.socket, *, us: Process, them: Process, send_max_s: int = SEND_MAX_S
    ) -> None:
        sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", send_max_s, 0))
        self._sock = sock
        self._send_flags = 0 if send_max_s else socket.MSG_DONTWAIT
        self._speaks = rules(us, them)
        self._ear = Ear(them, us)

    @classmethod
    def adopt(cls, fd: int, *, us: Process, them: Process, send_max_s: int = SEND_MAX_S) -> Self:
        """Take over a socket that was received as a bare descriptor."""
        return cls(socket.socket(fileno=fd), us=us, them=them, send_max_s=send_max_s)

    def fileno(self) -> int:
        """The socket's descriptor, for a selector."""
        return self._sock.fileno()

    def say(self, say: Say, worker: int = 0, body: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        """Send one parcel; the descriptors are duplicated by the kernel and stay ours as well.

        Raises:
            GoneError: the peer is gone, or read nothing for the time allowed.
            ValueError: our own table does not allow this parcel (a bug here).
        """
        rule = self._speaks.get(say)
        if rule is None or len(body) > rule.body_max_bytes or len(fds) != rule.fds:
            raise ValueError(f"{say.name} is not ours to say like this")
        packet = pack(say, worker, body)
        try:
            notes = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            self._sock.sendmsg([packet], notes, self._send_flags)
        except OSError as error:
            raise GoneError(error.errno) from error

    def hear(self, *, wait: bool = True) -> Parcel | None:
        """Return the next parcel; None when ``wait`` is false and nothing is there.

        Raises:
            GoneError: the peer closed the door.
            DoorError: the parcel may not be said here.
        """
        flags = socket.MSG_CMSG_CLOEXEC | (0 if wait else socket.MSG_DONTWAIT)
        try:
            packet, fds, got = self._receive(flags)
        except BlockingIOError:
            return None
        except OSError as error:
            raise GoneError(error.errno) from error
        if not packet:
            for fd in fds:
                os.close(fd)
            raise GoneError(0)
        try:
            if got & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise DoorError("a parcel was cut")
            say, worker, body = unpack(self._ear, packet, len(fds))
        except DoorError:
            for fd in fds:
                os.close(fd)
            raise
        return Parcel(say, worker, body, tuple(fds))

    def _receive(self, flags: int) -> tuple[bytes, list[int], int]:
        """One packet; not by `socket.recv_fds`, which in Python 3.11 forgets its flags."""
        try:
            packet, notes, got, _ = self._sock.recvmsg(PARCEL_MAX_BYTES, _NOTES_BYTES, flags)
        except ConnectionResetError:
            # The peer left with our words unread. Linux says so once, before what the peer itself
            # had said; that is still there.
            packet, notes, got, _ = self._sock.recvmsg(PARCEL_MAX_BYTES, _NOTES_BYTES, flags)
        fds = array.array("i")
        for level, kind, data in notes:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        return packet, fds.tolist(), got

    def close(self) -> None:
        """Close our end; the peer hears `GoneError`."""
        self._sock.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """A connected pair of SEQPACKET sockets, closed on exec."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
