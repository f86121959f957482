# SPDX-License-Identifier: Apache-2.0
"""A guest for the SDK's tests: real keys, real evidence of the mock platform, real sealed answers.

It is the other side of the protocol in one class and in one process, so that a test can spoil one
thing of an otherwise good answer. Nothing of `guest/` runs here but its TSM client.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attest.evidence import Evidence, SnpEndorsements, write_evidence
from attest.receipt import Ended, Fact, Kernel, Receipt, exchange_digest, write_receipt
from attest.roots import write_roots
from attest.snp.certtable import parse_certificate_table, vek_for
from attest.statement import PRODUCT, Platform, Statement, Variant, report_data, write_statement
from guest.keyholder.tsm import request_report
from lab.mocktsm import MockSnp, MockTsm, mock_policy_mapping, mock_roots
from sealroom.receipts import SignedReceipt
from sealroom.trust import FORMAT
from wire import bhttp_pieces as pieces
from wire.api import (
    EVENT_STREAM,
    JSON,
    RECEIPT,
    RECEIPT_SIGNATURE,
    Done,
    Milliseconds,
    write_answer,
)
from wire.api import Answer as JsonAnswer
from wire.api import Ended as Stopped
from wire.bhttp import Request, parse_request
from wire.chunked import ChunkedRequestOpener, ChunkedResponseSealer
from wire.kem import PrivateKey
from wire.keyconfig import KeyConfig, target, write_key_config
from wire.ohttp import Mode, RequestHeader, ResponseKey, response_key, response_nonce_bytes
from wire.padding import pad_answer
from wire.sse import Delta, Event, RecordShaper, write_event
from wire.suites import DEFAULT, Suite

MODEL, PROMPTS, CONFIGURATION = b"m" * 32, b"p" * 32, b"c" * 32
LIFE_S = 1800
EPOCH = 7
WORDS = ("They ", "meet at ", "the station.")
DONE = Done(Stopped.STOP, 100, 8, 0, Milliseconds(1, 2, 3, 4))
KERNEL = Kernel(init_on_free=Fact.ON, swap=Fact.OFF, core_dumps=Fact.OFF)


@dataclass(slots=True)
class Exchange:
    """A request as the guest opened it."""

    request: Request
    header: RequestHeader
    enc: bytes
    shared_secret: bytes = field(repr=False)


class Guest:
    """One guest of the mock platform with one key, and `others` that it only claims to have."""

    def __init__(self, suite: Suite = DEFAULT, others: tuple[bytes, ...] = ()) -> None:
        self._platform = MockSnp()
        self._others = others
        self._suite = suite
        self._receipt_key = Ed25519PrivateKey.generate()
        self.rotate()

    @classmethod
    def fixed(cls) -> Self:
        """A guest whose evidence is the same each time, good at 2026-11-21T12:00:00Z."""
        guest = cls()
        guest._receipt_key = Ed25519PrivateKey.from_private_bytes(b"r" * 32)
        noon = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
        guest.rotate(noon, PrivateKey.from_seed(DEFAULT.kem, b"k" * 32))
        return guest

    def rotate(self, not_before: float | None = None, key: PrivateKey | None = None) -> None:
        """A new key and new evidence; the old key is gone."""
        self._key = PrivateKey.generate(self._suite.kem) if key is None else key
        pair = (self._suite.kdf, self._suite.aead)
        config = KeyConfig(1, self._suite.kem, self._key.public_bytes, (pair,))
        self.key_config = write_key_config(config)
        start = int(time.time() if not_before is None else not_before) - 10
        self.statement = Statement(
            product=PRODUCT,
            variant=Variant.MOCK,
            platform=Platform.SEV_SNP,
            key_configs=(*self._others, self.key_config),
            not_before=start,
            not_after=start + LIFE_S,
            epoch=EPOCH,
            model=MODEL,
            prompts=PROMPTS,
            configuration=CONFIGURATION,
            lacking=(),
            receipt_key=self._receipt_key.public_key().public_bytes_raw(),
            checkpoint=None,
        )
        self.evidence = self._mint(write_statement(self.statement))

    def _mint(self, statement: bytes) -> bytes:
        tsm = MockTsm(self._platform)
        made = request_report(tsm, report_data(statement), clock=time.monotonic, sleep=time.sleep)
        vek = vek_for(made.outblob, parse_certificate_table(made.auxblob))
        assert vek is not None
        evidence = Evidence(platform=Platform.SEV_SNP, statement=statement, report=made.outblob)
        return write_evidence(evidence, SnpEndorsements(vek=vek, crl=None))

    @property
    def target(self) -> str:
        return target(self.key_config)

    def trust_file(self, relay: str = "http://127.0.0.1:1", roots: object = None) -> bytes:
        """A trust file that trusts this guest, or `roots`. JSON is YAML too."""
        policy = mock_policy_mapping(
            platform=self._platform,
            model=MODEL,
            prompts=PROMPTS,
            configuration=CONFIGURATION,
            max_life_s=LIFE_S,
        )
        trust = {
            "format": FORMAT,
            "relay": relay,
            "roots": write_roots(mock_roots()) if roots is None else roots,
            "policy": policy,
        }
        return json.dumps(trust, indent=1).encode()

    def open(self, body: bytes) -> Exchange:
        """What a device sealed to this guest."""
        opener = ChunkedRequestOpener()
        chunks = opener.receive(body)
        assert opener.enc_ready is not None
        header, enc = opener.enc_ready
        secret = self._key.decap(enc)
        chunks += opener.unlock(secret)
        chunks.append(opener.finish())
        return Exchange(parse_request(b"".join(chunks)), header, enc, secret)

    def receipt(self, exchange: Exchange, nonce: bytes) -> Receipt:
        """A good receipt."""
        return Receipt(
            epoch=EPOCH,
            exchange=exchange_digest(exchange.enc, nonce),
            ended=Ended.EXITED,
            code=0,
            lived_ms=10,
            erased_ms=1,
            kernel=KERNEL,
        )

    def kept(self, **changes: Any) -> bytes:
        """A signed receipt as `--receipt` keeps it, with some fields changed before signing."""
        good = Receipt(
            epoch=EPOCH,
            exchange=exchange_digest(b"e" * 32, b"n" * 32),
            ended=Ended.EXITED,
            code=0,
            lived_ms=2710,
            erased_ms=17,
            kernel=KERNEL,
        )
        written = write_receipt(replace(good, **changes))
        return SignedReceipt(written, self.sign(written), self.evidence).write()

    def sign(self, receipt: bytes) -> bytes:
        """The receipt key's signature."""
        return self._receipt_key.sign(receipt)


@dataclass(frozen=True, slots=True)
class Reply:
    """How to answer; the defaults give a good answer, and a test spoils one of them.

    Attributes:
        content: the head and content of the response, in chunks; None is a good one.
        receipt: spoils the receipt before it is signed.
        trailers: spoils the trailers.
        final: whether the final chunk is sent.
    """

    content: tuple[bytes, ...] | None = None
    receipt: Callable[[Receipt], Receipt] = lambda receipt: receipt
    trailers: Callable[[dict[str, str]], dict[str, str]] = lambda trailers: trailers
    final: bool = True

    def seal(self, guest: Guest, exchange: Exchange) -> list[bytes]:
        """The parts of the sealed answer, nonce first."""
        nonce = b"n" * response_nonce_bytes(exchange.header.suite)
        key: ResponseKey = response_key(
            Mode.CHUNKED, exchange.header, exchange.enc, exchange.shared_secret, nonce
        )
        sealer = ChunkedResponseSealer(key)
        parts = [sealer.begin(), sealer.seal(pieces.begin_response() + pieces.informational(102))]
        content = good_content(exchange.request) if self.content is None else self.content
        parts += [sealer.seal(piece) for piece in content]
        if self.final:
            receipt = write_receipt(self.receipt(guest.receipt(exchange, nonce)))
            signature = guest.sign(receipt)
            trailers = {RECEIPT: base64url(receipt), RECEIPT_SIGNATURE: base64url(signature)}
            fields = tuple(self.trailers(trailers).items())
            tail = pieces.end_content() + pieces.trailers(fields) + pieces.padding(100)
            parts.append(sealer.seal_final(tail))
        return parts


def good_content(request: Request) -> tuple[bytes, ...]:
    """The answer that was asked for: an event stream or JSON."""
    if dict(request.headers)["accept"] == JSON:
        answer = pad_answer(write_answer(JsonAnswer("".join(WORDS), DONE)))
        return (head(200, JSON) + pieces.content(answer),)
    return (head(200, EVENT_STREAM), *records(*map(Delta, WORDS), DONE))


def head(status: int, media: str) -> bytes:
    return pieces.head(status, (("content-type", media),))


def records(*events: Event) -> tuple[bytes, ...]:
    """One padded record of content for each event."""
    shaper = RecordShaper()
    shaped = []
    for event in events:
        shaper.push(write_event(event))
        shaped.append(pieces.content(shaper.record()))
    return tuple(shaped)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
