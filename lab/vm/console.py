# SPDX-License-Identifier: Apache-2.0
"""Typing into a machine's console, and reading what comes of it.

A guest takes what is typed a few bytes at a time, and qemu gives out a byte at a time: what was not
taken is lost at the close, and a guest whose bytes nobody reads stands still after some hundred.
"""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from re import Pattern
from typing import Final, Self

from lab.vm.errors import VmError

SHOWN_MAX_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 4096


class Console:
    """A connection to the console, in a ``with`` block; there is one at a time."""

    def __init__(self, path: Path) -> None:
        """Connect."""
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._link.connect(str(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ending: object) -> None:
        self._link.close()

    def type(self, line: bytes) -> None:
        """Type a line."""
        self._link.sendall(line + b"\n")

    def wait(self, what: Pattern[bytes], *, within_s: float) -> None:
        """Read until this comes.

        Raises:
            VmError: it did not, in this time or in `SHOWN_MAX_BYTES`.
        """
        until = time.monotonic() + within_s
        shown = b""
        while what.search(shown) is None:
            self._link.settimeout(max(0.001, until - time.monotonic()))
            piece = b""
            with contextlib.suppress(TimeoutError):
                piece = self._link.recv(_PIECE_BYTES)
            shown += piece
            if not piece or len(shown) > SHOWN_MAX_BYTES:
                told = shown[-_PIECE_BYTES:].decode("utf-8", "replace")
                raise VmError("console", repr(what.pattern), told.strip() or "nothing")
