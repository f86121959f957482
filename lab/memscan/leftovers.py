# SPDX-License-Identifier: Apache-2.0
"""What a process holds open: files and memfds whole, and what waits unread in pipes and sockets.

Nothing is taken away: pipes are copied with tee(2), sockets are peeked at. A socket shows what was
received and not read yet, and of a socket that keeps messages apart only the first message; what
waits to be sent, and what else the kernel holds, cannot be seen from here (`docs/leak-search.md`).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lab.memscan.stream import Stream, Survey, Unread

WAITING_MAX_BYTES: Final = 1 << 20
"""Looked at in one pipe or socket: the most an unprivileged process may make a pipe hold."""

_SYS_PIDFD_GETFD: Final = 438  # the same number on every architecture
_SPLICE_F_NONBLOCK: Final = 2
_NOTHING_WAITS: Final = (errno.EAGAIN, errno.ENOTCONN, errno.EINVAL, errno.ECONNRESET, errno.EPIPE)
"""An empty queue, a socket that listens or is not connected, or one whose peer is gone."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def look_at_descriptors(search: Stream, pid: int, survey: Survey) -> None:
    """Search what a process holds open; a file that several hold is read once."""
    folder = Path(f"/proc/{pid}/fd")
    try:
        numbers = sorted(int(entry.name) for entry in folder.iterdir())
    except OSError as error:
        survey.unread.append(Unread(f"descriptors of {pid}", error.strerror or str(error)))
        return
    for number in numbers:
        path = folder / str(number)
        try:
            name, status = str(path.readlink()), path.stat()
        except FileNotFoundError:
            continue  # closed while we looked
        where = f"descriptor {number} of {pid}: {name}"
        look = _KINDS.get(stat.S_IFMT(status.st_mode))
        known = (status.st_dev, status.st_ino)
        if look is None or known in survey.seen or name.startswith("/proc/"):
            continue  # a device or an object of the kernel has no content; /proc is a view
        survey.seen.add(known)
        try:
            look(search, pid, number, where, survey)
        except FileNotFoundError:
            continue
        except OSError as error:
            survey.unread.append(Unread(where, error.strerror or str(error)))


def _look_at_file(search: Stream, pid: int, number: int, where: str, survey: Survey) -> None:
    search.file(Path(f"/proc/{pid}/fd/{number}"), survey, where=where)


def _look_at_pipe(search: Stream, pid: int, number: int, where: str, survey: Survey) -> None:
    theirs = os.open(f"/proc/{pid}/fd/{number}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    copy, into = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, WAITING_MAX_BYTES)
        count = _LIBC.tee(theirs, into, ctypes.c_size_t(WAITING_MAX_BYTES), _SPLICE_F_NONBLOCK)
        if count < 0 and ctypes.get_errno() not in _NOTHING_WAITS:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        waiting = os.read(copy, count) if count > 0 else b""
    finally:
        for descriptor in (theirs, copy, into):
            os.close(descriptor)
    search.pieces(where, [waiting], survey)


def _look_at_socket(search: Stream, pid: int, number: int, where: str, survey: Survey) -> None:
    pidfd = os.pidfd_open(pid)
    try:
        copy = _LIBC.syscall(_SYS_PIDFD_GETFD, pidfd, number, 0)
        if copy < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(pidfd)
    with socket.socket(fileno=copy) as theirs:
        try:
            waiting = theirs.recv(WAITING_MAX_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError as error:
            if error.errno not in _NOTHING_WAITS:
                raise
            waiting = b""
    search.pieces(where, [waiting], survey)


_KINDS: Final[dict[int, Callable[[Stream, int, int, str, Survey], None]]] = {
    stat.S_IFREG: _look_at_file,
    stat.S_IFIFO: _look_at_pipe,
    stat.S_IFSOCK: _look_at_socket,
}
