# SPDX-License-Identifier: Apache-2.0
"""One exchange with a throwaway key before the first fork.

A worker can open no file, so whatever it will import must be imported already; libraries import
lazily (cryptography's backend does, under pyhpke). A rehearsal of the whole path finds all of it,
and a zygote whose cryptography does not work ends here and not at its first request.
"""

from __future__ import annotations

import secrets

from wire import bhttp_pieces as pieces
from wire.api import JSON, SUMMARIZE, Message, SummarizeRequest, parse_summarize, write_summarize
from wire.bhttp import Request, Response, parse_request, write_request, write_response
from wire.chunked import ChunkedRequestOpener, ChunkedRequestSealer, ChunkedResponseSealer
from wire.kem import PrivateKey
from wire.keyconfig import KeyConfig
from wire.ohttp import (
    Mode,
    RequestOpener,
    RequestSealer,
    response_key,
    response_nonce_bytes,
    seal_response,
)
from wire.padding import pad_request
from wire.suites import DEFAULT, PLAIN, Suite


class RehearsalError(Exception):
    """What was sealed did not come out as it went in."""


def rehearse() -> None:
    """Seal, open and answer one request per suite and mode.

    Raises:
        RehearsalError: this process must not serve.
    """
    said = SummarizeRequest((Message("Ana", "", "Is anybody there?"),))
    headers = (("content-type", JSON),)
    content = write_summarize(said)
    request = Request("POST", "https", "rehearsal.invalid", SUMMARIZE, headers, content)
    message = pad_request(write_request(request))
    for suite in (DEFAULT, PLAIN):
        key = PrivateKey.generate(suite.kem)
        config = KeyConfig(0, suite.kem, key.public_bytes, ((suite.kdf, suite.aead),))
        for opened in (_chunked(config, key, suite, message), _whole(config, key, suite, message)):
            if parse_summarize(parse_request(opened).content) != said:
                raise RehearsalError("rehearsal: the request changed on its way")


def _chunked(config: KeyConfig, key: PrivateKey, suite: Suite, message: bytes) -> bytes:
    opener = ChunkedRequestOpener()
    opened = opener.receive(ChunkedRequestSealer(config).seal_message(message))
    if opener.enc_ready is None:
        raise RehearsalError("rehearsal: no encapsulation")
    header, enc = opener.enc_ready
    secret = key.decap(enc)
    opened += opener.unlock(secret)
    nonce = secrets.token_bytes(response_nonce_bytes(suite))
    sealer = ChunkedResponseSealer(response_key(Mode.CHUNKED, header, enc, secret, nonce))
    sealer.begin()
    sealer.seal(pieces.begin_response() + pieces.head(200))
    return b"".join([*opened, opener.finish()])


def _whole(config: KeyConfig, key: PrivateKey, suite: Suite, message: bytes) -> bytes:
    sealed, _ = RequestSealer(config).seal(message)
    opener = RequestOpener(sealed)
    secret = key.decap(opener.enc)
    nonce = secrets.token_bytes(response_nonce_bytes(suite))
    answer = response_key(Mode.WHOLE, opener.header, opener.enc, secret, nonce)
    seal_response(answer, write_response(Response(200)))
    return opener.open(secret)
