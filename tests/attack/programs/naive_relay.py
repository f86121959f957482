# SPDX-License-Identifier: Apache-2.0
"""A relay that is none of ours: an HTTP server and client of the standard library, joined.

It believes the first length it sees, forwards whatever it is asked with all fields, fetches what a
request target names, follows redirects and hands every answer back as it came.
"""

import argparse
import http.client
import http.server
import sys
import urllib.error
import urllib.request
from email.message import Message
from urllib.parse import urlsplit

from typing_extensions import override

FIELD_MAX_BYTES = 1 << 24


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gateway = ""

    @override
    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        self._forward(None)

    def do_POST(self) -> None:
        self._forward(self._body())

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if length:
            return self.rfile.read(int(length.split(",")[0], 0))
        data = bytearray()
        while "Transfer-Encoding" in self.headers:
            size = int(self.rfile.readline().split(b";")[0] or b"0", 16)
            data += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return bytes(data)

    def _forward(self, body: bytes | None) -> None:
        url = self.path if urlsplit(self.path).netloc else self.gateway + self.path
        fields = {n: v for n, v in self.headers.items() if n.lower() not in HOP_BY_HOP}
        url = f"http:{url}" if url.startswith("//") else url
        asked = urllib.request.Request(url, body, fields, method=self.command)
        try:
            with urllib.request.urlopen(asked) as reply:
                self._answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            self._answer(error.code, error.headers, error.read())

    def _answer(self, status: int, headers: Message, body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding", "incremental"}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--observe", action="store_true")
    given = parser.parse_args()
    host, _, port = given.listen.rpartition(":")
    vars(http.client).update(_MAXLINE=FIELD_MAX_BYTES, _MAXHEADERS=FIELD_MAX_BYTES)
    Handler.gateway = given.gateway
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    sys.stdout.write(f"listening on {host}:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
