# SPDX-License-Identifier: Apache-2.0
"""A local server that replays what the services of AMD and Intel sent, and counts what is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override


@dataclass
class Service:
    """What the server has, how often it refuses first, and what it was asked.

    Attributes:
        url: where it is.
        has: bodies, by path.
        sends: headers that go with them, by path.
        refusals: status and headers of the next replies, whatever is asked.
        asked: the paths that were asked for.
        headers: the names of all headers that came, in small letters.
    """

    url: str = ""
    has: dict[str, bytes] = field(default_factory=dict)
    sends: dict[str, dict[str, str]] = field(default_factory=dict)
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)


@contextmanager
def replaying(service: Service) -> Iterator[Service]:
    """Runs the server while its block runs."""

    class Replay(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            service.asked.append(self.path)
            service.headers += [name.lower() for name in self.headers]
            data = service.has.get(self.path, b"")
            status, more = 200 if data else 404, service.sends.get(self.path, {})
            if service.refusals:
                (status, more), data = service.refusals.pop(0), b""
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        @override
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Replay) as server:
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
