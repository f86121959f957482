# SPDX-License-Identifier: Apache-2.0
"""A client by hand: seals with `wire` directly and sees the exact HTTP reply.

The SDK would never send most of what these tests send. Each request has a connection of its own.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from attest import parse_evidence
from attest.statement import parse_statement
from wire.api import JSON, REWRITE, RewriteRequest, Tone, write_rewrite
from wire.bhttp import Request, Response, parse_response, write_request
from wire.chunked import ChunkedRequestSealer, ChunkedResponseOpener
from wire.errors import WireError
from wire.keyconfig import KeyConfig, parse_key_config, target, write_key_config
from wire.ohttp import AnswerOpener, Mode, RequestSealer
from wire.padding import pad_request
from wire.suites import Kem

EVIDENCE = "/.well-known/sealroom-evidence"
KEYS = "/.well-known/ohttp-gateway"
PATIENCE_S = 90.0
GOOD_TEXT = "Call me today."


@dataclass(frozen=True)
class Reply:
    """What came back, all that could tell two refusals apart; the date is left out.

    `whole` is false when the connection broke off.
    """

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool = True

    @property
    def media(self) -> str:
        """The content type."""
        return dict(self.fields)["content-type"]

    @property
    def word(self) -> str:
        """The word of a refusal."""
        title = json.loads(self.body)["title"]
        assert isinstance(title, str)
        return title


def ask(
    url: str, method: str, path: str, body: bytes | None = None, media: str | None = None
) -> Reply:
    """One HTTP request on a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, {} if media is None else {"Content-Type": media})
        response = connection.getresponse()
        try:
            content, whole = response.read(), True
        except http.client.IncompleteRead as error:
            content, whole = error.partial, False
        fields = ((name.lower(), value) for name, value in response.headers.items())
        kept = tuple(sorted(field for field in fields if field[0] != "date"))
        return Reply(response.status, kept, content, whole)
    finally:
        connection.close()


def key_configs(url: str) -> dict[Kem, KeyConfig]:
    """The keys that the newest evidence names (not verified: these tests own the guest)."""
    evidence, _ = parse_evidence(ask(url, "GET", EVIDENCE).body)
    configs = map(parse_key_config, parse_statement(evidence.statement).key_configs)
    return {config.kem: config for config in configs}


def rewrite_message(text: str = GOOD_TEXT, accept: str = JSON) -> bytes:
    """A good request in Binary HTTP, padded."""
    content = write_rewrite(RewriteRequest(text, Tone.FRIENDLY))
    return message(REWRITE, content, accept)


def message(path: str, content: bytes, accept: str = JSON, media: str = JSON) -> bytes:
    """A request in Binary HTTP, padded."""
    headers = (("content-type", media), ("accept", accept))
    return pad_request(
        write_request(Request("POST", "https", "flow.invalid", path, headers, content))
    )


@dataclass
class Sealed:
    """A sealed request, where it goes, and what opens its answer once."""

    target: str
    body: bytes
    opener: ChunkedResponseOpener | AnswerOpener
    mode: Mode

    def post(self, url: str, body: bytes | None = None) -> Reply:
        """Send it, or other bytes in its place."""
        sent = self.body if body is None else body
        return ask(url, "POST", f"/t/{self.target}", sent, self.mode.value)

    def open(self, reply: Reply) -> Response:
        """The answer in the clear; it must be a whole one."""
        assert (reply.status, reply.media, reply.whole) == (200, self.mode.response_media, True)
        if isinstance(self.opener, AnswerOpener):
            return parse_response(self.opener.open(reply.body))
        pieces = self.opener.receive(reply.body)
        return parse_response(b"".join([*pieces, self.opener.finish()]))

    def opens(self, reply: Reply) -> bool:
        """Whether the reply is an answer to this request."""
        try:
            return self.open(reply).status == 200
        except (AssertionError, WireError):
            return False


def seal(config: KeyConfig, plain: bytes, mode: Mode = Mode.CHUNKED) -> Sealed:
    """Seal a Binary HTTP message to a key."""
    where = target(write_key_config(config))
    if mode is Mode.WHOLE:
        sealed, opener = RequestSealer(config).seal(plain)
        return Sealed(where, sealed, opener, mode)
    sealer = ChunkedRequestSealer(config)
    body = sealer.seal_message(plain)
    return Sealed(where, body, sealer.answer(), mode)
