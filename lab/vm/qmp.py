# SPDX-License-Identifier: Apache-2.0
"""The QEMU Machine Protocol, as much of it as a test needs (qemu, docs/interop/qmp-spec.rst).

One JSON object a line, both ways. Events that come in between are passed over.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lab.vm.errors import VmError

LINE_MAX_BYTES: Final = 1 << 20
REPLY_MAX_S: Final = 60.0
DUMP_MAX_S: Final = 300.0


class Qmp:
    """A connection to one machine, ready for commands."""

    def __init__(self, path: Path) -> None:
        """Connect and agree on capabilities.

        Raises:
            VmError: nobody answers there as qemu does.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._rest = b""
        try:
            self._socket.settimeout(REPLY_MAX_S)
            self._socket.connect(str(path))
            if "QMP" not in self._hear("greeting"):
                raise VmError("QMP greeting", "the member QMP", "another object")
            self.execute("qmp_capabilities")
        except OSError as error:
            self._socket.close()
            raise VmError("QMP", "a connection", error.strerror or str(error)) from error
        except VmError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def execute(self, command: str, *, wait_s: float = REPLY_MAX_S, **arguments: Any) -> Any:
        """Have a command done and return what it returns.

        Raises:
            VmError: qemu refuses it, or says nothing for ``wait_s``.
        """
        self._socket.settimeout(wait_s)
        asked = {"execute": command, "arguments": arguments}
        try:
            self._socket.sendall(json.dumps(asked).encode("ascii") + b"\n")
            while True:
                said = self._hear(command)
                if "return" in said:
                    return said["return"]
                if "error" in said:
                    raise VmError(f"QMP {command}", "success", str(said["error"].get("desc")))
        except OSError as error:
            raise VmError(f"QMP {command}", "an answer", error.strerror or str(error)) from error

    def status(self) -> str:
        """What the machine does: "running", "paused", "shutdown" and others of RunState."""
        return str(self.execute("query-status")["status"])

    def dump_memory(self, into: Path) -> None:
        """Write all of the guest's memory into a file, as ELF; the machine stands meanwhile.

        It may not be heard of afterwards, see `lab.vm.memory`.

        Raises:
            VmError: it could not be written, or not in `DUMP_MAX_S`.
        """
        self.execute("dump-guest-memory", wait_s=DUMP_MAX_S, paging=False, protocol=f"file:{into}")

    def stop(self) -> None:
        """Hold the machine still."""
        self.execute("stop")

    def go_on(self) -> None:
        """Let it run again."""
        self.execute("cont")

    def _hear(self, what: str) -> dict[str, Any]:
        while b"\n" not in self._rest:
            if len(self._rest) > LINE_MAX_BYTES:
                raise VmError(f"QMP {what}", f"a line of at most {LINE_MAX_BYTES} bytes", "more")
            piece = self._socket.recv(65536)
            if not piece:
                raise VmError(f"QMP {what}", "an answer", "the end of the connection")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            said = json.loads(line)
        except ValueError as error:
            raise VmError(f"QMP {what}", "JSON", "something else") from error
        if not isinstance(said, dict):
            raise VmError(f"QMP {what}", "an object", "something else")
        return said
