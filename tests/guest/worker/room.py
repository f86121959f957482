# SPDX-License-Identifier: Apache-2.0
"""A worker's doors with the test as gate and keyholder, and a key that answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from guest.channel import Channel, GoneError
from guest.door import Process, Question, Refusal, Say
from tests.guest.rig import door
from wire.chunked import ChunkedRequestSealer, ChunkedResponseOpener
from wire.kem import PrivateKey
from wire.keyconfig import KeyConfig
from wire.ohttp import (
    AnswerOpener,
    Mode,
    RequestHeader,
    RequestSealer,
    ResponseKey,
    response_key,
    response_nonce_bytes,
)
from wire.suites import PLAIN

KEY = PrivateKey.from_seed(PLAIN.kem, b"\x07" * 32)
CONFIG = KeyConfig(7, PLAIN.kem, KEY.public_bytes, ((PLAIN.kdf, PLAIN.aead),))
NONCE = b"n" * response_nonce_bytes(PLAIN)


@dataclass
class Doors:
    """The worker's ends, and ours."""

    worker_gate: Channel
    gate: Channel
    worker_keyholder: Channel
    keyholder: Channel
    questions: list[Question] = field(default_factory=list)

    def close(self) -> None:
        for channel in (self.worker_gate, self.gate, self.worker_keyholder, self.keyholder):
            channel.close()

    def give(self, *pieces: bytes, end: bool = True) -> None:
        """Put the request, or some of it, before the worker."""
        for piece in pieces:
            self.gate.say(Say.DATA, body=piece)
        if end:
            self.gate.say(Say.END)

    def answer_questions(self, denial: Refusal | None = None) -> None:
        """Be the keyholder until the worker leaves; for a thread."""
        try:
            while (parcel := self.keyholder.hear()) is not None:
                if parcel.say is not Say.ASK:
                    continue
                question = Question.parse(parcel.body)
                self.questions.append(question)
                if denial is not None:
                    self.keyholder.say(Say.DENIED, body=denial.encode())
                else:
                    self.keyholder.say(Say.SECRET, body=KEY.decap(question.enc) + NONCE)
        except GoneError:
            return

    def marks(self) -> list[int]:
        """Every mark that was set so far."""
        found = []
        while (parcel := self.keyholder.hear(wait=False)) is not None:
            assert parcel.say is Say.MARK
            found.append(parcel.body[0])
        return found

    def chunks(self) -> list[bytes]:
        """Every chunk that was sent so far."""
        found = []
        while (parcel := self.gate.hear(wait=False)) is not None:
            assert parcel.say is Say.CHUNK
            found.append(parcel.body)
        return found


@contextmanager
def doors() -> Iterator[Doors]:
    """Both doors of a worker."""
    made = Doors(*door(Process.WORKER, Process.GATE), *door(Process.WORKER, Process.KEYHOLDER))
    try:
        yield made
    finally:
        made.close()


def chunked_request(*parts: bytes) -> tuple[list[bytes], ChunkedResponseOpener]:
    """A chunked request to `CONFIG`, head and chunks apart, and what opens its answer."""
    sealer = ChunkedRequestSealer(CONFIG)
    sealed = [sealer.begin(), *(sealer.seal(part) for part in parts[:-1])]
    sealed.append(sealer.seal_final(parts[-1] if parts else b""))
    return sealed, sealer.answer()


def whole_request(message: bytes) -> tuple[bytes, AnswerOpener]:
    """A plain request to `CONFIG`."""
    return RequestSealer(CONFIG).seal(message)


def chunked_key() -> tuple[ResponseKey, ChunkedResponseOpener]:
    """The key of an answer and what opens it."""
    sealed, opener = chunked_request(b"request")
    return _key(Mode.CHUNKED, sealed[0]), opener


def whole_key() -> tuple[ResponseKey, AnswerOpener]:
    """The key of a plain answer and what opens it."""
    sealed, opener = whole_request(b"request")
    return _key(Mode.WHOLE, sealed), opener


def _key(mode: Mode, sealed: bytes) -> ResponseKey:
    header, enc = RequestHeader.parse(sealed[:7]), sealed[7 : 7 + PLAIN.enc_bytes]
    return response_key(mode, header, enc, KEY.decap(enc), NONCE)
