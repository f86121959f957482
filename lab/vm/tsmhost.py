# SPDX-License-Identifier: Apache-2.0
"""The host's answer to the mock TSM provider of a test kernel (`image/kernel/mock_tsm.c`).

The guest's kernel connects once per report (CID 2, `lab.vm.vsock.TSM_PORT`), little endian:

    asks      u32 version = 1, u32 privilege level, u32 bytes of inblob (64), u32 zero; inblob
    is told   u32 status (0, or an errno), u32 bytes of outblob, of auxblob, of manifestblob; these

What answers is `lab.mocktsm`, over the four verbs that the guest itself uses on a host without a
kernel for it; so every fault of a plan there is a fault here.
"""

from __future__ import annotations

import errno
import itertools
import socket
import struct
import threading
from typing import Final

from lab.mocktsm import MockTsm
from lab.mocktsm.configfs import INBLOB_BYTES
from lab.vm.errors import VmError

VERSION: Final = 1
ASK: Final = struct.Struct("<IIII")
ANSWER: Final = struct.Struct("<IIII")
ASK_MAX_S: Final = 10.0


class TsmHost:
    """Reports of one mock platform for one guest.

    Attributes:
        reports: how many were asked for.
    """

    def __init__(self, mock: MockTsm) -> None:
        self.reports = 0
        self._mock = mock
        self._lock = threading.Lock()
        self._names = (f"report-{number}" for number in itertools.count())

    def serve(self, link: socket.socket) -> None:
        """Answer one call; called by `lab.vm.callers`.

        Raises:
            VmError: the guest's kernel spoke another language.
        """
        link.settimeout(ASK_MAX_S)
        version, level, size, zero = ASK.unpack(_take(link, ASK.size))
        if (version, size, zero) != (VERSION, INBLOB_BYTES, 0):
            wanted = f"version {VERSION} and {INBLOB_BYTES} bytes"
            raise VmError("mock TSM", wanted, f"version {version} and {size} bytes")
        inblob = _take(link, size)
        with self._lock:
            self.reports += 1
            link.sendall(self._answer(inblob, level))

    def _answer(self, inblob: bytes, level: int) -> bytes:
        name = next(self._names)
        try:
            self._mock.make(name)
            try:
                if "privlevel" in self._mock.driver.attributes:
                    self._mock.write(name, "privlevel", str(level).encode("ascii"))
                self._mock.write(name, "inblob", inblob)
                out = self._mock.read(name, "outblob")
                has_aux = "auxblob" in self._mock.driver.attributes
                aux = self._mock.read(name, "auxblob") if has_aux else b""
            finally:
                self._mock.remove(name)
        except OSError as error:
            return ANSWER.pack(error.errno or errno.EIO, 0, 0, 0)
        return ANSWER.pack(0, len(out), len(aux), 0) + out + aux


def _take(link: socket.socket, size: int) -> bytes:
    """Exactly so many bytes.

    Raises:
        VmError: the end came first.
    """
    data = b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        if not piece:
            raise VmError("mock TSM", f"{size} bytes", f"{len(data)}")
        data += piece
    return data
