# SPDX-License-Identifier: Apache-2.0
"""The parsers of `wire` and the stateful readers, which get their bytes in pieces.

The first byte of an input for a reader is the size of the pieces. Sealed messages are opened with
the test gateway's key, so that the seeds get past the tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from tests.fuzz.target import Target
from tests.wire import exchange, test_api
from tests.wire.vectors import Hex, encapsulation, load
from wire import api
from wire.bhttp import parse_request, parse_response
from wire.bhttp_stream import RequestReader, ResponseReader
from wire.chunked import ChunkedRequestOpener, ChunkedRequestSealer
from wire.errors import WireError
from wire.keyconfig import (
    parse_key_config,
    parse_key_configs,
    write_key_config,
    write_key_configs,
)
from wire.ohttp import RequestOpener, RequestSealer
from wire.reader import Reader
from wire.sse import Delta, EventReader, write_event
from wire.strictjson import load_json
from wire.suites import PLAIN
from wire.varint import read_varint, varint_bytes, write_varint
from wire.yamldoc import load_yaml

ERRORS = (WireError,)
CONFIGS = (exchange.config(), exchange.config(PLAIN))
RFC = Hex(load("ohttp-rfc9458/rfc9458_appendix_a.json"))
DRAFT = Hex(load("ohttp-chunked-08/draft08_appendix.json"))
BHTTP = load("bhttp-rfc9292/bhttp.json")["valid"]


class Receives(Protocol):
    """A reader that takes its bytes in any pieces."""

    def receive(self, data: bytes) -> object: ...

    def finish(self) -> object: ...


def feed(reader: Receives, data: bytes) -> None:
    """All of it but the first byte, which is the size of the pieces less one."""
    size, body = data[:1], data[1:]
    step = 1 + int.from_bytes(size, "big")
    for at in range(0, len(body), step):
        reader.receive(body[at : at + step])
    reader.finish()


def pieces(messages: Iterable[bytes]) -> list[bytes]:
    return [size + message for message in messages for size in (b"\x00", b"\x06", b"\xff")]


def bhttp(kind: str) -> list[bytes]:
    return [bytes.fromhex(row["hex"]) for row in BHTTP if row["expect"]["kind"] == kind]


def open_request(data: bytes) -> object:
    opener = RequestOpener(data)
    return opener.open(exchange.KEYS[opener.header.suite.kem].decap(opener.enc))


def requests() -> Iterator[bytes]:
    for config in CONFIGS:
        yield RequestSealer(config).seal(b"a request")[0]


def open_response(data: bytes) -> object:
    """As the device of RFC 9458's example does."""
    config = parse_key_config(RFC["key_config"])
    sealer = RequestSealer(config, encapsulation=encapsulation(config, RFC["skE"]))
    return sealer.seal(RFC["request_bhttp"])[1].open(data)


class Gateway:
    """What opens a chunked request, the keyholder's answer included."""

    def __init__(self) -> None:
        self.opener = ChunkedRequestOpener()
        self.locked = True

    def receive(self, data: bytes) -> None:
        self.opener.receive(data)
        if self.locked and self.opener.enc_ready is not None:
            header, enc = self.opener.enc_ready
            self.locked = False
            self.opener.unlock(exchange.KEYS[header.suite.kem].decap(enc))

    def finish(self) -> None:
        self.opener.finish()


def chunked_requests() -> list[bytes]:
    head, chunks = exchange.sealed_request([b"one", b"two"], b"end", PLAIN)
    return pieces([head + b"".join(chunks)])


def open_chunked_response(data: bytes) -> None:
    """As the device of the draft's example does."""
    config = parse_key_config(DRAFT["key_config"])
    sealer = ChunkedRequestSealer(config, encapsulation=encapsulation(config, DRAFT["skE"]))
    sealer.begin()
    sealer.seal_final()
    feed(sealer.answer(), data)


def events() -> list[bytes]:
    done = write_event(test_api.DONE)
    return pieces([write_event(Delta("text")) + b": pad\n" + done])


def varint(data: bytes) -> int:
    with Reader("varint", data) as reader:
        first = reader.take(1)
        return read_varint(first + reader.take(varint_bytes(first[0]) - 1))


def json_document(data: bytes) -> object:
    return load_json(data, what="document", max_bytes=65536)


def yaml_document(data: bytes) -> object:
    return load_yaml(data, what="document")


def target(name: str, parse: Any, seeds: Any, **more: Any) -> Target:
    return Target(name=name, parse=parse, **({"errors": ERRORS, "seeds": seeds} | more))


TARGETS = (
    target(
        "key-config",
        parse_key_config,
        lambda: map(write_key_config, CONFIGS),
        write=write_key_config,
    ),
    # Configs of unknown algorithms are skipped (RFC 9458 §3.2), so many spellings read alike.
    target("key-configs", parse_key_configs, lambda: [write_key_configs(CONFIGS)]),
    target("varint", varint, lambda: map(write_varint, (0, 63, 64, 16384, 1 << 30))),
    target("ohttp-request", open_request, requests),
    target("ohttp-response", open_response, lambda: [RFC["encapsulated_response"]]),
    target("chunked-request", lambda data: feed(Gateway(), data), chunked_requests),
    target(
        "chunked-response", open_chunked_response, lambda: pieces([DRAFT["encapsulated_response"]])
    ),
    target("bhttp-request", parse_request, lambda: bhttp("request")),
    target("bhttp-response", parse_response, lambda: bhttp("response")),
    target(
        "bhttp-request-stream",
        lambda data: feed(RequestReader(), data),
        lambda: pieces(bhttp("request")),
    ),
    target(
        "bhttp-response-stream",
        lambda data: feed(ResponseReader(), data),
        lambda: pieces(bhttp("response")),
    ),
    target("event-stream", lambda data: feed(EventReader(), data), events),
    target("api-summarize", api.parse_summarize, lambda: [api.write_summarize(test_api.CHAT)]),
    target(
        "api-rewrite",
        api.parse_rewrite,
        lambda: [api.write_rewrite(api.RewriteRequest("text", tone)) for tone in api.Tone],
    ),
    target(
        "api-failure",
        api.parse_failure,
        lambda: [api.write_failure(api.Failure(code)) for code in api.ErrorCode],
    ),
    target("api-done", api.parse_done, lambda: [api.write_done(test_api.DONE)]),
    target(
        "api-answer",
        api.parse_answer,
        lambda: [api.write_answer(api.Answer("text", test_api.DONE))],
    ),
    target("strict-json", json_document, lambda: [b"{}", b'{"a":[1,true,null,"b"]}']),
    target("strict-yaml", yaml_document, lambda: [b"a: 1\nb: [c, d]\ne:\n  - f: 'g'\n"]),
)
