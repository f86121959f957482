# SPDX-License-Identifier: Apache-2.0
"""Where the journal goes: to the host over vsock, if it takes it at once, else nowhere.

The host is not trusted with more than the journal says, and cannot hold up a process by not reading
it: the stream does not block, and a line for which there is no room is lost.
"""

from __future__ import annotations

import os
import socket
from typing import Final

NOWHERE: Final = "/dev/null"
PORT: Final = 5001  # of the host, CID 2
CONNECT_MAX_S: Final = 1.0
STANDARD_ERROR: Final = 2


def into_nothing() -> None:
    """Point all three standard streams at nothing; the kernel may have left them closed."""
    fd = os.open(NOWHERE, os.O_RDWR | os.O_NOCTTY)
    for stream in range(STANDARD_ERROR + 1):
        if fd != stream:
            os.dup2(fd, stream)
    if fd > STANDARD_ERROR:
        os.close(fd)


def to_the_host() -> None:
    """Point standard error, on which the journal is written, at the host if it listens."""
    try:
        stream = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    except OSError:
        return  # a kernel without vsock: the gate's listener will say so
    with stream:
        stream.settimeout(CONNECT_MAX_S)
        try:
            stream.connect((socket.VMADDR_CID_HOST, PORT))
        except OSError:
            return
        stream.setblocking(False)
        os.dup2(stream.fileno(), STANDARD_ERROR)
