# SPDX-License-Identifier: Apache-2.0
"""Oblivious HTTP (RFC 9458 §4), each message sealed as a whole. Every object works once."""

from typing import ClassVar

from wire.errors import TruncatedError
from wire.exchange import (
    HEADER_BYTES,
    Mode,
    Opening,
    RequestHeader,
    ResponseKey,
    exchange_id,
    request_info,
    response_key,
    response_nonce_bytes,
)
from wire.hpke import setup_recipient
from wire.kem import Encapsulation
from wire.keyconfig import KeyConfig
from wire.order import NEW, SPENT, Order, Ordered
from wire.reader import Reader
from wire.suites import TAG_BYTES, Suite

__all__ = [
    "HEADER_BYTES",
    "AnswerOpener",
    "Mode",
    "RequestHeader",
    "RequestOpener",
    "RequestSealer",
    "ResponseKey",
    "exchange_id",
    "response_key",
    "response_nonce_bytes",
    "seal_response",
]


class RequestSealer(Ordered):
    """Seals one whole request (`message/ohttp-req`)."""

    ORDER: ClassVar[Order] = {"seal": {NEW: SPENT}}

    def __init__(
        self,
        config: KeyConfig,
        suite: Suite | None = None,
        *,
        encapsulation: Encapsulation | None = None,
    ) -> None:
        """Prepare a request to the holder of `config`.

        Args:
            config: The recipient's key.
            suite: One of `config.suites`; their first unless given.
            encapsulation: Made here unless given; the specifications' vectors give it.

        Raises:
            FormatError: No suite in common, or the public key is no acceptable value.
        """
        super().__init__()
        self._opening = Opening.begin(Mode.WHOLE, config, suite, encapsulation)

    def seal(self, bhttp: bytes) -> tuple[bytes, "AnswerOpener"]:
        """The sealed request, and what opens its answer."""
        with self.step("seal"):
            sealed = self._opening.sender.seal(bhttp)
            return self._opening.head + sealed, AnswerOpener(self._opening)


class AnswerOpener(Ordered):
    """Opens the one answer to one whole request. `RequestSealer.seal` makes it."""

    ORDER: ClassVar[Order] = {"open": {NEW: SPENT}}

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self._opening = opening

    def open(self, sealed: bytes) -> bytes:
        """The answer in Binary HTTP.

        Raises:
            TruncatedError: It is shorter than any answer.
            OpenError: It was not sealed for this request.
        """
        with self.step("open"):
            size = response_nonce_bytes(self._opening.header.suite)
            if len(sealed) < size + TAG_BYTES:
                raise TruncatedError
            key = self._opening.response_key(sealed[:size])
            return key.take().open(sealed[size:])


class RequestOpener(Ordered):
    """Opens one whole request, once somebody has decapsulated its `enc`.

    Attributes:
        header: The request's header.
        enc: The encapsulated key, for the holder of the private key.
    """

    ORDER: ClassVar[Order] = {"open": {NEW: SPENT}}

    def __init__(self, data: bytes) -> None:
        """Split `data`, a whole `message/ohttp-req` whose size the caller has limited.

        Raises:
            FormatError: It is too short, or its suite is not one of ours.
        """
        super().__init__()
        with Reader("request", data) as reader:
            self.header = RequestHeader.parse(reader.take(HEADER_BYTES))
            self.enc = reader.take(self.header.suite.enc_bytes)
            self._sealed = reader.rest()

    def open(self, shared_secret: bytes) -> bytes:
        """The request in Binary HTTP.

        Raises:
            OpenError: It was not sealed for this secret.
        """
        with self.step("open"):
            info = request_info(Mode.WHOLE, self.header)
            return setup_recipient(self.header.suite, shared_secret, info).open(self._sealed)


def seal_response(key: ResponseKey, bhttp: bytes) -> bytes:
    """Seal a whole response (`message/ohttp-res`), which uses up the key.

    Raises:
        SpentError: The key was used before.
    """
    return key.response_nonce + key.take().seal(bhttp)
