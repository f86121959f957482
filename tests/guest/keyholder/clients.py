# SPDX-License-Identifier: Apache-2.0
"""What a client does with the keys of an epoch: questions that can be asked, answers opened."""

import base64
from dataclasses import dataclass

from attest.receipt import Receipt, verify_receipt
from guest.door import Question
from guest.settings import Kem, KeySettings
from wire.api import RECEIPT, RECEIPT_SIGNATURE
from wire.bhttp import Response, parse_response
from wire.chunked import ChunkedRequestOpener, ChunkedRequestSealer, ChunkedResponseOpener
from wire.keyconfig import parse_key_config
from wire.ohttp import HEADER_BYTES, AnswerOpener, RequestHeader, RequestSealer

SETTINGS = KeySettings(
    kems=(Kem.X_WING, Kem.X25519), life_s=100, overlap_s=20, grace_s=10, replay_max=100
)


def settings(**changed: object) -> KeySettings:
    """The key settings of the tests, with some changed."""
    plain = {name: getattr(SETTINGS, name) for name in KeySettings.__slots__}
    return KeySettings(**{**plain, **changed})


@dataclass
class Client:
    """One chunked request to a key config, as the client and as the worker see it."""

    question: Question
    header: RequestHeader
    enc: bytes
    opener: ChunkedResponseOpener


def ask(config: bytes) -> Client:
    """A chunked request to this key config."""
    sealer = ChunkedRequestSealer(parse_key_config(config))
    worker = ChunkedRequestOpener()
    worker.receive(sealer.begin() + sealer.seal_final(b"request"))
    ready = worker.enc_ready
    assert ready is not None
    header, enc = ready
    return Client(Question(True, header.write(), enc), header, enc, sealer.answer())


def ask_whole(config: bytes) -> tuple[Question, AnswerOpener]:
    """The question behind a plain request to this key config, and what opens the answer."""
    sealed, opener = RequestSealer(parse_key_config(config)).seal(b"request")
    header = RequestHeader.parse(sealed[:HEADER_BYTES])
    enc = sealed[HEADER_BYTES : HEADER_BYTES + header.suite.enc_bytes]
    return Question(False, header.write(), enc), opener


def opened(opener: ChunkedResponseOpener, sealed: bytes) -> Response:
    """The whole answer, as the client reads it."""
    plain = opener.receive(sealed)
    return parse_response(b"".join([*plain, opener.finish()]))


def receipt_of(response: Response, receipt_key: bytes) -> Receipt:
    """The receipt in the trailers, its signature verified."""
    fields = dict(response.trailers)
    assert set(fields) == {RECEIPT, RECEIPT_SIGNATURE}
    return verify_receipt(_bytes(fields[RECEIPT]), _bytes(fields[RECEIPT_SIGNATURE]), receipt_key)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
