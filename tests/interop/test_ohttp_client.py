# SPDX-License-Identifier: Apache-2.0
"""A client in JavaScript → our gateway code → back: whole and chunked, X25519 and X-Wing.

HPKE and Binary HTTP are independent of ours; the framing between them in `client.mjs` is not, and
is held by the RFC's and the draft's own vectors in tests/wire.
"""

from typing import Any

import pytest

from tests.interop.peer import Client
from wire.bhttp import Request, Response, parse_request, write_response
from wire.chunked import ChunkedRequestOpener, ChunkedResponseSealer
from wire.exchange import Mode, response_key, response_nonce_bytes
from wire.kem import PrivateKey
from wire.keyconfig import KeyConfig, write_key_config
from wire.ohttp import RequestOpener, seal_response
from wire.padding import pad_request
from wire.suites import DEFAULT, PLAIN, Suite

pytestmark = pytest.mark.interop

BODY = bytes(index % 256 for index in range(40_000))
ANSWER = Response(200, (("content-type", "application/json"),), BODY[::-1])
MODES = {"whole": Mode.WHOLE, "chunked": Mode.CHUNKED}


class Gateway:
    """Our side: one key, and what the worker and the keyholder do with one request."""

    def __init__(self, suite: Suite) -> None:
        self._key = PrivateKey.generate(suite.kem)
        pairs = ((int(suite.kdf), int(suite.aead)),)
        config = KeyConfig(3, suite.kem, self._key.public_bytes, pairs)
        self.config = write_key_config(config)
        self.nonce = bytes(range(response_nonce_bytes(suite)))

    def whole(self, sealed: bytes, answer: bytes) -> tuple[bytes, bytes]:
        """The request's bytes, and the sealed answer."""
        opener = RequestOpener(sealed)
        secret = self._key.decap(opener.enc)
        key = response_key(Mode.WHOLE, opener.header, opener.enc, secret, self.nonce)
        return opener.open(secret), seal_response(key, answer)

    def chunked(self, sealed: bytes, answer: bytes, *, size: int) -> tuple[bytes, bytes]:
        """The same in chunks of `size` bytes; the last is sealed apart, as the keyholder does."""
        opener = ChunkedRequestOpener()
        opener.receive(sealed)
        assert opener.enc_ready is not None
        header, enc = opener.enc_ready
        secret = self._key.decap(enc)
        opened = b"".join(opener.unlock(secret)) + opener.finish()
        worker, keyholder = (
            response_key(Mode.CHUNKED, header, enc, secret, self.nonce) for _ in range(2)
        )
        sealer = ChunkedResponseSealer(worker)
        sent = [sealer.begin()]
        sent += [sealer.seal(answer[at : at + size]) for at in range(0, len(answer), size)]
        tail = ChunkedResponseSealer.resume(keyholder, at=sealer.counter)
        return opened, b"".join(sent) + tail.seal_final()


def question(
    gateway: Gateway, mode: str, *, method: str = "POST", chunks: int = 3
) -> dict[str, Any]:
    """What the client is to send."""
    return {
        "mode": mode,
        "config": gateway.config.hex(),
        "url": "https://guest.example/v1/summarize",
        "method": method,
        "headers": {"content-type": "application/json", "accept": "text/event-stream"},
        "body": BODY.hex(),
        "chunks": chunks,
    }


def exchanged(
    gateway: Gateway, asked: dict[str, Any], answer: bytes, size: int = 10_000
) -> tuple[Request, dict[str, Any]]:
    """What the gateway read, and what the client got."""
    with Client() as client:
        sealed = bytes.fromhex(client.ask(asked)["request"])
        if asked["mode"] == "whole":
            opened, response = gateway.whole(sealed, answer)
        else:
            opened, response = gateway.chunked(sealed, answer, size=size)
        return parse_request(opened), client.ask({"response": response.hex()})


@pytest.mark.parametrize("suite", [PLAIN, DEFAULT], ids=lambda suite: suite.kem.name)
@pytest.mark.parametrize("mode", MODES)
def test_a_javascript_client_gets_its_answer(mode: str, suite: Suite) -> None:
    gateway = Gateway(suite)
    request, got = exchanged(gateway, question(gateway, mode), write_response(ANSWER))
    assert (request.method, request.scheme, request.authority) == ("POST", "https", "guest.example")
    assert request.path == "/v1/summarize"
    assert dict(request.headers)["content-type"] == "application/json"
    assert request.content == BODY
    assert got["status"] == ANSWER.status
    assert ["content-type", "application/json"] in got["headers"]
    assert bytes.fromhex(got["body"]) == ANSWER.content


def test_it_reads_our_indeterminate_length_with_trailers_and_padding() -> None:
    """The form every streamed answer of a guest has."""
    gateway = Gateway(DEFAULT)
    response = Response(200, ANSWER.headers, b"event: done\n\n", (("sealroom-receipt", "eyJ9"),))
    raw = write_response(response, indeterminate=True, padding=100)
    _, got = exchanged(gateway, question(gateway, "chunked"), raw, size=7)
    assert bytes.fromhex(got["body"]) == response.content


def test_a_request_without_content_is_read_with_what_the_client_appends() -> None:
    """bhttp-js writes known lengths and one zero byte after them, which is padding."""
    gateway = Gateway(PLAIN)
    asked = question(gateway, "chunked", method="GET", chunks=1)
    request, got = exchanged(gateway, asked, write_response(Response(404)))
    assert (request.method, request.content) == ("GET", b"")
    assert got["status"] == 404


def test_padding_changes_nothing_in_what_the_client_wrote() -> None:
    gateway = Gateway(PLAIN)
    with Client() as client:
        sealed = bytes.fromhex(client.ask(question(gateway, "whole"))["request"])
    opened, _ = gateway.whole(sealed, b"")
    assert parse_request(pad_request(opened)) == parse_request(opened)


def test_the_client_refuses_an_answer_of_which_the_end_is_missing() -> None:
    """Ours is not the only side that sees a cut: the tail is what the erasure receipt rides on."""
    gateway = Gateway(PLAIN)
    with Client() as client:
        sealed = bytes.fromhex(client.ask(question(gateway, "chunked"))["request"])
        _, response = gateway.chunked(sealed, write_response(ANSWER), size=10_000)
        with pytest.raises(RuntimeError, match="ended without an answer"):
            client.ask({"response": response[:-1].hex()})
