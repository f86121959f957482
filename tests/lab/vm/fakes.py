# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for the programs at the edge of `lab.vm`: a vsock device, and qemu's protocol."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def listening(path: Path, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Serve each connection to ``path`` in a thread of its own."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        accepting = threading.Thread(target=_accept, args=(listener, serve))
        accepting.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _accept(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    threads = []
    while True:
        try:
            link, _ = listener.accept()
        except OSError:
            break
        threads.append(threading.Thread(target=_one, args=(link, serve)))
        threads[-1].start()
    for thread in threads:
        thread.join()


def _one(link: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    with link, contextlib.suppress(OSError):
        serve(link)


def echo_at(port: int) -> Callable[[socket.socket], None]:
    """A vsock device whose guest says everything back at one port, and listens at no other."""

    def serve(link: socket.socket) -> None:
        line = b""
        while not line.endswith(b"\n"):
            line += link.recv(1)
        if line != f"CONNECT {port}\n".encode("ascii"):
            return
        link.sendall(b"OK 1073741824\n")
        while piece := link.recv(4096):
            link.sendall(piece)

    return serve


class FakeQemu:
    """Speaks QMP: answers from a table of what each command returns, or does."""

    def __init__(self, answers: dict[str, Callable[[dict[str, Any]], Any]]) -> None:
        self.answers: dict[str, Callable[[dict[str, Any]], Any]] = {
            "qmp_capabilities": lambda _: {},
            **answers,
        }
        self.greeting: bytes = b'{"QMP": {"version": {}, "capabilities": []}}\n'

    def serve(self, link: socket.socket) -> None:
        """One connection."""
        link.sendall(self.greeting)
        with link.makefile("rb") as lines:
            for line in lines:
                asked = json.loads(line)
                link.sendall(b'{"event": "RESUME", "timestamp": {}}\n')
                answer = self.answers.get(asked["execute"])
                if answer is None:
                    said: dict[str, Any] = {"error": {"class": "CommandNotFound", "desc": "no"}}
                else:
                    said = {"return": answer(asked.get("arguments", {}))}
                link.sendall(json.dumps(said).encode("ascii") + b"\n")
