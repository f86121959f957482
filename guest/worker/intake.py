# SPDX-License-Identifier: Apache-2.0
"""Ciphertext in, one opened request out: the only code that sees both.

The worker has no private key. It shows the encapsulation to the keyholder, once, and gets the
shared secret of this one request (RFC 9180 §4.1 Decap done elsewhere) and the nonce of its
response. Until everything is read and every tag has verified, nothing is answered, so there is
nothing to observe between a good and a bad request but one word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guest.channel import Channel
from guest.door import Question, Refusal, Say
from wire.chunked import ChunkedRequestOpener
from wire.errors import WireError
from wire.ohttp import Mode, RequestHeader, RequestOpener, ResponseKey, response_key

REQUEST_MAX_BYTES: Final = 1 << 20
SHARED_SECRET_BYTES: Final = 32


class NotOpenedError(Exception):
    """The request could not be opened; towards everyone, only the word."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, repr=False)
class Intake:
    """The opened Binary HTTP message, not parsed yet, and the key of its answer."""

    message: bytes
    key: ResponseKey


def open_request(gate: Channel, keyholder: Channel, *, chunked: bool) -> Intake:
    """Read the whole request from the gate and open it.

    Raises:
        NotOpenedError: unknown key, replay, wrong encapsulation, bad tag, truncation, too long.
        GoneError, DoorError: a door closed or was misused; the worker has nothing left to do.
    """
    try:
        return _open_chunked(gate, keyholder) if chunked else _open_whole(gate, keyholder)
    except WireError as error:
        raise NotOpenedError(Refusal.REFUSED) from error


def _open_chunked(gate: Channel, keyholder: Channel) -> Intake:
    opener = ChunkedRequestOpener()
    key: ResponseKey | None = None
    opened: list[bytes] = []
    left = REQUEST_MAX_BYTES
    while (piece := _next_piece(gate)) is not None:
        left -= len(piece)
        if left < 0:
            raise NotOpenedError(Refusal.REFUSED)
        opened += opener.receive(piece)
        if key is None and opener.enc_ready is not None:
            header, enc = opener.enc_ready
            secret, key = _ask(keyholder, Mode.CHUNKED, header, enc)
            opened += opener.unlock(secret)
    opened.append(opener.finish())
    if key is None:
        raise NotOpenedError(Refusal.REFUSED)
    return Intake(b"".join(opened), key)


def _open_whole(gate: Channel, keyholder: Channel) -> Intake:
    sealed = bytearray()
    while (piece := _next_piece(gate)) is not None:
        sealed += piece
        if len(sealed) > REQUEST_MAX_BYTES:
            raise NotOpenedError(Refusal.REFUSED)
    opener = RequestOpener(bytes(sealed))
    secret, key = _ask(keyholder, Mode.WHOLE, opener.header, opener.enc)
    return Intake(opener.open(secret), key)


def _next_piece(gate: Channel) -> bytes | None:
    parcel = gate.hear()
    return parcel.body if parcel is not None and parcel.say is Say.DATA else None


def _ask(
    keyholder: Channel, mode: Mode, header: RequestHeader, enc: bytes
) -> tuple[bytes, ResponseKey]:
    question = Question(mode is Mode.CHUNKED, header.write(), enc)
    keyholder.say(Say.ASK, body=question.write())
    parcel = keyholder.hear()
    if parcel is None or parcel.say is not Say.SECRET:
        raise NotOpenedError(Refusal(parcel.body.decode("ascii")) if parcel else Refusal.REFUSED)
    secret, nonce = parcel.body[:SHARED_SECRET_BYTES], parcel.body[SHARED_SECRET_BYTES:]
    return secret, response_key(mode, header, enc, secret, nonce)
