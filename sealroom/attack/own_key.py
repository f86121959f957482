# SPDX-License-Identifier: Apache-2.0
"""A key of the attacker's: what a device would seal to, if it took it for the guest's."""

from __future__ import annotations

from typing import Final

from sealroom.exchange import SUITE
from wire.chunked import ChunkedRequestOpener, ChunkedRequestSealer
from wire.errors import WireError
from wire.kem import PrivateKey
from wire.keyconfig import KeyConfig, write_key_config

KEY_ID: Final = 1


class OwnKey:
    """A key pair, and what it can read."""

    def __init__(self) -> None:
        self._private = PrivateKey.generate(SUITE.kem)
        pair = (SUITE.kdf, SUITE.aead)
        self.config = KeyConfig(KEY_ID, SUITE.kem, self._private.public_bytes, (pair,))

    @property
    def config_bytes(self) -> bytes:
        """The key configuration, as a statement names it."""
        return write_key_config(self.config)

    def seal(self, plain: bytes) -> bytes:
        """A request that is sealed to this key."""
        return ChunkedRequestSealer(self.config, SUITE).seal_message(plain)

    def read(self, body: bytes) -> bytes | None:
        """What is in a sealed request; None if it was not sealed to this key."""
        opener = ChunkedRequestOpener()
        try:
            chunks = opener.receive(body)
            if opener.enc_ready is None:
                return None
            chunks += opener.unlock(self._private.decap(opener.enc_ready[1]))
            return b"".join([*chunks, opener.finish()])
        except WireError:
            return None
