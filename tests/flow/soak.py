# SPDX-License-Identifier: Apache-2.0
"""Many requests, good and bad, and everything that came back of them.

`KINDS` is the table of what is sent. Sealed requests carry a canary that only a worker may know.
Those in the clear carry another: whoever sends it unsealed has told the relay and the ingress
himself, but nobody may write it down, and it must not come back.
"""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice

from grpclib import GRPCError
from grpclib.client import Channel
from grpclib.events import RecvInitialMetadata, RecvTrailingMetadata, listen

from guestapi.guest_grpc import GuestStub
from guestapi.guest_pb2 import CHUNKED, ExchangeIn, Open
from sealroom import Message, Room, Tone
from tests.flow.canaries import Canaries
from tests.flow.client import Reply, ask, key_configs, message, rewrite_message, seal
from tests.flow.site import Site
from wire.api import REWRITE, SUMMARIZE
from wire.keyconfig import KeyConfig
from wire.ohttp import Mode
from wire.suites import Kem

TOGETHER = 3
ANSWER_MAX_BYTES = 1 << 20
PATIENCE_S = 20.0
TOO_LONG_BYTES = 300 * 1024


@dataclass
class Soak:
    """One run against one deployment."""

    site: Site
    room: Room
    sealed: Canaries
    clear: Canaries
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    came_back: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    @property
    def url(self) -> str:
        """Where devices send."""
        return self.site.lab.relay_url

    @property
    def config(self) -> KeyConfig:
        """The X-Wing key of the newest evidence."""
        return key_configs(self.url)[Kem.XWING]

    def told(self, reply: Reply) -> str:
        """Keep what everybody on the way can see of a reply, and return its status."""
        plain = [f"{reply.status}", *(f"{name}: {value}" for name, value in reply.fields)]
        self.came_back["http"].append("\n".join(plain).encode() + b"\n" + reply.body)
        return str(reply.status)

    def run(self, count: int, kinds: tuple[str, ...]) -> None:
        """Send as many requests, some at a time, through all of `kinds` again and again."""

        def one(kind: str) -> None:
            self.outcomes[kind][KINDS[kind](self)] += 1

        with ThreadPoolExecutor(TOGETHER) as pool:
            list(pool.map(one, islice(cycle(kinds), count)))

    def sinks(self) -> dict[str, list[bytes]]:
        """Everything that was written, shown or answered, by the name of where."""
        lab = self.site.lab
        with urllib.request.urlopen(lab.metrics_url, timeout=PATIENCE_S) as reply:
            metrics = reply.read(ANSWER_MAX_BYTES)
        return {
            **{f"stderr of {name}": [lab.log(name).read_bytes()] for name in PARTS},
            "observations of the relay": [json.dumps(lab.observations).encode()],
            "metrics": [metrics],
            "HTTP replies": self.came_back["http"],
            "gRPC status, details and metadata": self.came_back["grpc"],
            "receipts": self.came_back["receipt"],
        }


PARTS = ("guest", "ingress", "relay")


def _rewrite(soak: Soak) -> str:
    answer = soak.room.rewrite(soak.sealed.text(), Tone.FRIENDLY)
    soak.came_back["receipt"].append(repr(answer.receipt).encode())
    return "answered"


def _summarize(soak: Soak) -> str:
    said = soak.sealed.text()
    answer = soak.room.summarize([Message(said.split()[3], "", said)])
    soak.came_back["receipt"].append(repr(answer.receipt).encode())
    return "answered"


def _left_early(soak: Soak) -> str:
    stream = soak.room.rewrite_stream(soak.sealed.text(), Tone.FRIENDLY)
    next(stream)
    stream.close()
    return "left"


def _opened(plain: Callable[[Canaries], bytes], mode: Mode = Mode.CHUNKED) -> Kind:
    """A request that the guest opens and answers, whatever it says."""

    def send(soak: Soak) -> str:
        sealed = seal(soak.config, plain(soak.sealed), mode)
        reply = sealed.post(soak.url)
        soak.told(reply)
        return f"sealed {sealed.open(reply).status}"

    return send


def _broken(change: Callable[[bytes], bytes], mode: Mode = Mode.CHUNKED) -> Kind:
    """A good request, changed after it was sealed."""

    def send(soak: Soak) -> str:
        sealed = seal(soak.config, rewrite_message(soak.sealed.text()), mode)
        return soak.told(sealed.post(soak.url, change(sealed.body)))

    return send


def _replayed(soak: Soak) -> str:
    sealed = seal(soak.config, rewrite_message(soak.sealed.text()), Mode.WHOLE)
    soak.told(sealed.post(soak.url))
    return soak.told(sealed.post(soak.url))


def _in_the_clear(
    make: Callable[[str], tuple[str, str, bytes | None, str | None]],
) -> Kind:
    def send(soak: Soak) -> str:
        return soak.told(ask(soak.url, *make(soak.clear.text())))

    return send


def _to_a_socket(where: Callable[[Site], str], make: Callable[[str], bytes]) -> Kind:
    """Bytes that are not even the protocol."""

    def send(soak: Soak) -> str:
        host, _, port = where(soak.site).removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as link:
            link.sendall(make(soak.clear.text()))
            link.shutdown(socket.SHUT_WR)
            heard = b"".join(_all_of(link))
        soak.came_back["grpc" if where is _guest else "http"].append(heard)
        return "a reply" if heard else "closed"

    return send


def _all_of(link: socket.socket) -> Iterator[bytes]:
    try:
        while piece := link.recv(ANSWER_MAX_BYTES):
            yield piece
    except ConnectionError:
        return


def _grpc(opening: Callable[[str], ExchangeIn], metadata: str = "x-said") -> Kind:
    """Straight to the guest, as whoever owns the host can."""

    def send(soak: Soak) -> str:
        return asyncio.run(_exchange(soak, opening(soak.clear.text()), metadata))

    return send


async def _exchange(soak: Soak, opening: ExchangeIn, metadata: str) -> str:
    host, _, port = soak.site.lab.guest_address.rpartition(":")
    channel = Channel(host, int(port))
    heard: list[str] = []

    async def hear(event: RecvInitialMetadata | RecvTrailingMetadata) -> None:
        heard.append(repr(list(event.metadata.items())))
        heard.append(repr(getattr(event, "status_message", "")))

    listen(channel, RecvInitialMetadata, hear)
    listen(channel, RecvTrailingMetadata, hear)
    try:
        said = {metadata: soak.clear.text()}
        async with GuestStub(channel).Exchange.open(timeout=PATIENCE_S, metadata=said) as stream:
            await stream.send_message(opening)
            await stream.send_message(ExchangeIn(chunk=soak.clear.text().encode()), end=True)
            await stream.recv_message()
            return "a reply"
    except GRPCError as error:
        heard.append(repr((error.status, error.message, error.details)))
        return str(error.status.name)
    finally:
        channel.close()
        soak.came_back["grpc"].append("\n".join(heard).encode())


def _relay(site: Site) -> str:
    return site.lab.relay_url


def _ingress(site: Site) -> str:
    return site.lab.ingress_url


def _guest(site: Site) -> str:
    return site.lab.guest_address


Kind = Callable[[Soak], str]

KINDS: dict[str, Kind] = {
    "rewrite": _rewrite,
    "summarize": _summarize,
    "stream left early": _left_early,
    "rewrite by hand": _opened(lambda c: rewrite_message(c.text())),
    "whole": _opened(lambda c: rewrite_message(c.text()), Mode.WHOLE),
    "task that does not exist": _opened(
        lambda c: message(f"/v1/{c.text().split()[3]}", c.text().encode())
    ),
    "JSON cut short": _opened(
        lambda c: message(SUMMARIZE, b'{"messages":[{"sender":"' + c.text().encode())
    ),
    "JSON with a key too many": _opened(
        lambda c: message(REWRITE, json.dumps({c.text(): c.text()}).encode())
    ),
    "content that is no JSON": _opened(lambda c: message(REWRITE, c.text().encode() * 20)),
    "another media type": _opened(
        lambda c: message(REWRITE, c.text().encode(), media="text/plain")
    ),
    "no Binary HTTP": _opened(lambda c: c.text().encode() * 30),
    "text of control characters": _opened(
        lambda c: message(REWRITE, ("\x00\x1b[31m" + c.text() + "\ud7ff%n%s").encode())
    ),
    "cut short": _broken(lambda body: body[:-1]),
    "a bit of the tag changed": _broken(lambda body: body[:-1] + bytes([body[-1] ^ 1])),
    "a bit of the encapsulation changed": _broken(
        lambda body: body[:20] + bytes([body[20] ^ 1]) + body[21:], Mode.WHOLE
    ),
    "bytes after the end": _broken(lambda body: body + b"more"),
    "longer than allowed": _broken(lambda body: body.ljust(TOO_LONG_BYTES, b"\0")),
    "replayed": _replayed,
    "clear: JSON without a seal": _in_the_clear(
        lambda text: ("POST", "/t/0123456789abcdef", text.encode(), "application/json")
    ),
    "clear: text under a seal's name": _in_the_clear(
        lambda text: ("POST", "/t/0123456789abcdef", text.encode(), "message/ohttp-chunked-req")
    ),
    "clear: in the path": _in_the_clear(
        lambda text: ("GET", f"/{text.split()[3]}?q={text.split()[3]}", None, None)
    ),
    "clear: in the media type": _in_the_clear(
        lambda text: ("POST", "/t/0123456789abcdef", b"x", f"text/{text.split()[3]}")
    ),
    "clear: in a method": _in_the_clear(lambda text: (text.split()[3].upper(), "/", None, None)),
    "clear: not HTTP, to the relay": _to_a_socket(
        _relay, lambda text: f"{text}\0\r\n\r\n".encode()
    ),
    "clear: not HTTP, to the ingress": _to_a_socket(
        _ingress, lambda text: f"GET /{text} HTTP/9\r\nA{text}\r\n\r\n".encode()
    ),
    "clear: not HTTP/2, to the guest": _to_a_socket(_guest, lambda text: text.encode() * 9),
    "clear: in a gRPC target": _grpc(
        lambda text: ExchangeIn(open=Open(target=text, media=CHUNKED))
    ),
    "clear: in the first gRPC chunk": _grpc(lambda text: ExchangeIn(chunk=text.encode())),
}
"""What is sent, by name: sends one request (a replay: two) and says how it ended."""

GOOD = ("rewrite", "summarize", "rewrite by hand", "whole")
SHORT = (*KINDS, *GOOD, *GOOD, *GOOD)
"""All kinds, and the good ones four times as often."""
REAL = (
    *GOOD,
    *GOOD,
    *GOOD,
    "stream left early",
    "cut short",
    "task that does not exist",
    "replayed",
)
"""With a model that takes seconds: mostly what reaches it."""
