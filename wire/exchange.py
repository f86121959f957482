# SPDX-License-Identifier: Apache-2.0
"""What both forms of Oblivious HTTP share (RFC 9458 §4): request header and response key.

The response key follows from the shared secret, so the worker that opens a request and the
keyholder that seals the end of its answer can both derive it.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Self, cast

from cryptography.exceptions import InvalidTag
from pyhpke import AEADKeyInterface

from wire.errors import FormatError, OpenError
from wire.hpke import Recipient, Sender, aead, kdf, setup_recipient, setup_sender
from wire.kem import Encapsulation, encap
from wire.keyconfig import KeyConfig
from wire.order import NEW, SPENT, Order, Ordered
from wire.reader import Reader
from wire.suites import AEAD_NONCE_BYTES, Suite

HEADER_BYTES = 1 + Suite.BYTES


class Mode(StrEnum):
    """How messages are sealed. The value is the media type of the request."""

    WHOLE = "message/ohttp-req"
    CHUNKED = "message/ohttp-chunked-req"

    @property
    def response_media(self) -> str:
        """The media type of the response."""
        return {Mode.WHOLE: "message/ohttp-res", Mode.CHUNKED: "message/ohttp-chunked-res"}[self]

    @property
    def request_label(self) -> bytes:
        """What the HPKE `info` of a request begins with."""
        return _LABELS[self] + b" request"

    @property
    def response_label(self) -> bytes:
        """The exporter context of the response's secret."""
        return _LABELS[self] + b" response"


_LABELS = {Mode.WHOLE: b"message/bhttp", Mode.CHUNKED: b"message/bhttp chunked"}


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """The seven bytes in clear before `enc`: which key, and which suite."""

    key_id: int
    suite: Suite

    def write(self) -> bytes:
        """The header's bytes."""
        return self.key_id.to_bytes(1, "big") + self.suite.write()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse exactly `HEADER_BYTES` bytes.

        Raises:
            FormatError: The length is another, or the suite is not one of ours.
        """
        with Reader("request header", data) as reader:
            return cls(reader.integer(1), Suite.read(reader))


class ResponseContext:
    """Seals or opens the messages of one response in order: nonce = base nonce XOR counter."""

    def __init__(self, key: AEADKeyInterface, base_nonce: bytes) -> None:
        self._key = key
        self._base_nonce = int.from_bytes(base_nonce, "big")
        self.counter = 0

    def seal(self, plaintext: bytes, aad: bytes = b"") -> bytes:
        """Seal the next message."""
        sealed = self._key.seal(plaintext, self._nonce(), aad)
        self.counter += 1
        return sealed

    def open(self, ciphertext: bytes, aad: bytes = b"") -> bytes:
        """Open the next message. After a failure, the same message is still the next one.

        Raises:
            OpenError: It was not sealed as the next message with this `aad`.
        """
        try:
            plaintext = self._key.open(ciphertext, self._nonce(), aad)
        except InvalidTag:
            raise OpenError from None
        self.counter += 1
        return plaintext

    def _nonce(self) -> bytes:
        return (self._base_nonce ^ self.counter).to_bytes(AEAD_NONCE_BYTES, "big")


class ResponseKey(Ordered):
    """What seals or opens the response to one request. Whoever takes it uses it up.

    Attributes:
        response_nonce: The nonce it was made with, which stands in clear before the response.
    """

    ORDER: ClassVar[Order] = {"take": {NEW: SPENT}}

    def __init__(
        self, suite: Suite, key: bytes | memoryview, base_nonce: bytes, response_nonce: bytes
    ) -> None:
        super().__init__()
        self.response_nonce = response_nonce
        # The cast: pyhpke hands it to cryptography, which takes any buffer and keeps it as it is.
        self._key = aead(suite).import_key(cast(bytes, key))
        self._base_nonce = base_nonce

    def take(self) -> ResponseContext:
        """The context, at its first message.

        Raises:
            SpentError: It was taken before.
        """
        with self.step("take"):
            return ResponseContext(self._key, self._base_nonce)


def response_nonce_bytes(suite: Suite) -> int:
    """Length of the response nonce and of the exported secret: max(Nn, Nk)."""
    return max(AEAD_NONCE_BYTES, suite.key_bytes)


def exchange_id(enc: bytes, response_nonce: bytes) -> bytes:
    """How a receipt names one exchange: SHA-256(enc || response nonce)."""
    return hashlib.sha256(enc + response_nonce).digest()


def response_key(
    mode: Mode,
    header: RequestHeader,
    enc: bytes,
    shared_secret: bytes,
    response_nonce: bytes,
    *,
    place: memoryview | None = None,
) -> ResponseKey:
    """The response key (RFC 9458 §4.4) of the request that began with `header` and `enc`.

    Args:
        mode: How the request is sealed.
        header: Its header.
        enc: Its encapsulated key.
        shared_secret: What `enc` stands for.
        response_nonce: The nonce of the response.
        place: Where the key is to lie as long as it is of use, for a caller who wipes it himself;
            in a bytes object unless given.

    Raises:
        ValueError: The secret or the nonce does not have the suite's length.
    """
    recipient = setup_recipient(header.suite, shared_secret, request_info(mode, header))
    return derive_response_key(mode, header, enc, recipient, response_nonce, place=place)


def derive_response_key(
    mode: Mode,
    header: RequestHeader,
    enc: bytes,
    context: Sender | Recipient,
    response_nonce: bytes,
    *,
    place: memoryview | None = None,
) -> ResponseKey:
    """The response key from either side's HPKE context. Plain HKDF, not RFC 9180's labeled one.

    Raises:
        ValueError: The nonce does not have the suite's length.
    """
    suite = header.suite
    size = response_nonce_bytes(suite)
    if len(response_nonce) != size:
        raise ValueError(f"response nonce: wanted {size} bytes, got {len(response_nonce)}")
    hkdf = kdf(suite)
    secret = context.export(mode.response_label, size)
    prk = hkdf.extract(enc + response_nonce, secret)
    key: bytes | memoryview = hkdf.expand(prk, b"key", suite.key_bytes)
    if place is not None:
        place[: suite.key_bytes] = key
        key = place[: suite.key_bytes]
    base_nonce = hkdf.expand(prk, b"nonce", AEAD_NONCE_BYTES)
    return ResponseKey(suite, key, base_nonce, response_nonce)


def request_info(mode: Mode, header: RequestHeader) -> bytes:
    """HPKE's `info` of a request: label, zero byte, header (RFC 9458 §4.3)."""
    return mode.request_label + b"\x00" + header.write()


@dataclass(frozen=True, slots=True)
class Opening:
    """The client's end of one exchange, from the request's beginning until its answer is open."""

    mode: Mode
    header: RequestHeader
    enc: bytes
    sender: Sender = field(repr=False)

    @classmethod
    def begin(
        cls,
        mode: Mode,
        config: KeyConfig,
        suite: Suite | None,
        encapsulation: Encapsulation | None,
    ) -> Self:
        """Encapsulate to `config` and set up the sender.

        Raises:
            FormatError: The config and we have no suite in common, `suite` is not among those, or
                its public key is no acceptable value.
        """
        suites = config.suites
        chosen = suite or next(iter(suites), None)
        if chosen is None or chosen not in suites:
            raise FormatError("key config", 0, "it does not have a suite we were to use")
        made = encapsulation or encap(config.kem, config.public_key)
        header = RequestHeader(config.key_id, chosen)
        sender = setup_sender(chosen, made, request_info(mode, header))
        return cls(mode, header, made.enc, sender)

    @property
    def head(self) -> bytes:
        """What stands in clear before the sealed request."""
        return self.header.write() + self.enc

    def response_key(self, response_nonce: bytes) -> ResponseKey:
        """The key of the answer that begins with `response_nonce`."""
        return derive_response_key(self.mode, self.header, self.enc, self.sender, response_nonce)
