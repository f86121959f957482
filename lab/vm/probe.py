# SPDX-License-Identifier: Apache-2.0
"""Looking inside an image that has no shell: a probe beside the real PID 1.

The overlay replaces ``/init`` by the same program with a few lines before it, which start the probe
(`lab.vm.inside`) and then go on as PID 1 of the image, unchanged. Kernel, command line and every
other file are the published ones; the probe leaves itself out of what it tells.
"""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any, Final

from image import cpio, layout
from lab.vm import inside
from lab.vm.errors import VmError

FOUND_MAX_S: Final = 420.0
REPORT_MAX_BYTES: Final = 1 << 20
INIT: Final = "init"
PROGRAM: Final = "probe.py"
_START: Final = f"""
import os

if os.environ.get("HOME") == "/" and os.fork() == 0:
    os.execv("/usr/bin/python3.13", ["python3.13", "-I", "/{PROGRAM}"])
"""
"""Before the lines of PID 1, which the kernel starts with this HOME and which starts itself again
with another."""


def overlay(init: bytes = layout.INIT) -> list[cpio.Entry]:
    """The entries that put the probe into an image with this ``/init``."""
    first, newline, rest = init.partition(b"\n")
    wrapped = first + newline + _START.encode("ascii") + rest
    return [
        cpio.file(INIT, wrapped, 0o755),
        cpio.file(PROGRAM, Path(inside.__file__).read_bytes()),
    ]


class Probe:
    """The host's end: what the probe told last.

    Its `serve` is what `lab.vm.Machine` answers the port `inside.PORT` with.
    """

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._reports: list[dict[str, Any]] = []
        self._link: socket.socket | None = None

    def serve(self, link: socket.socket) -> None:
        """Read one report a line until the guest goes away."""
        self._link = link
        rest = b""
        while piece := link.recv(65536):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > REPORT_MAX_BYTES:
                raise VmError("probe", f"at most {REPORT_MAX_BYTES} bytes", "more")
            with self._told:
                self._reports += [json.loads(line) for line in lines]
                self._told.notify_all()

    def first(self) -> dict[str, Any]:
        """What the probe saw when PID 1 had closed the root file system.

        Raises:
            VmError: it told nothing.
        """
        return self._report(0)

    def look(self) -> dict[str, Any]:
        """What it sees now.

        Raises:
            VmError: it tells nothing.
        """
        number = max(1, len(self._reports))
        self.first()
        if self._link is None:
            raise VmError("probe", "a connection", "none")
        self._link.sendall(b"look\n")
        return self._report(number)

    def _report(self, number: int) -> dict[str, Any]:
        with self._told:
            if not self._told.wait_for(lambda: len(self._reports) > number, FOUND_MAX_S):
                raise VmError("probe", f"report {number}", f"{len(self._reports)} reports")
            return self._reports[number]
