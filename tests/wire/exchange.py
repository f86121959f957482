# SPDX-License-Identifier: Apache-2.0
"""A gateway and its key for tests: our own objects on both sides of one exchange."""

from collections.abc import Callable

from wire.chunked import ChunkedRequestOpener, ChunkedRequestSealer, ChunkedResponseSealer
from wire.exchange import Mode, RequestHeader, ResponseKey, response_key, response_nonce_bytes
from wire.kem import PrivateKey
from wire.keyconfig import KeyConfig
from wire.suites import DEFAULT, PLAIN, Suite

SUITES = (DEFAULT, PLAIN)
KEYS = {
    suite.kem: PrivateKey.from_seed(suite.kem, bytes([suite.kem & 0xFF]) * 32) for suite in SUITES
}
NONCE_BYTE = b"n"


def config(suite: Suite = DEFAULT, key_id: int = 7) -> KeyConfig:
    """The key config of the test gateway for one suite."""
    return KeyConfig(key_id, suite.kem, KEYS[suite.kem].public_bytes, ((suite.kdf, suite.aead),))


def key_for(mode: Mode, header: RequestHeader, enc: bytes) -> ResponseKey:
    """The response key, as the keyholder derives it, with a fixed nonce."""
    secret = KEYS[header.suite.kem].decap(enc)
    nonce = NONCE_BYTE * response_nonce_bytes(header.suite)
    return response_key(mode, header, enc, secret, nonce)


def unlocked(head: bytes) -> ChunkedRequestOpener:
    """A gateway's opener that has seen header and enc, and has the secret."""
    opener = ChunkedRequestOpener()
    opener.receive(head)
    assert opener.enc_ready is not None
    header, enc = opener.enc_ready
    opener.unlock(KEYS[header.suite.kem].decap(enc))
    return opener


def sealed_request(
    chunks: list[bytes], final: bytes, suite: Suite = DEFAULT
) -> tuple[bytes, list[bytes]]:
    """Header and enc, and the sealed chunks of a request, the final one last."""
    sealer = ChunkedRequestSealer(config(suite))
    return sealer.begin(), [*map(sealer.seal, chunks), sealer.seal_final(final)]


def answered(
    suite: Suite = DEFAULT,
) -> tuple[ChunkedRequestSealer, Callable[[], ChunkedResponseSealer]]:
    """A request that is complete, and what makes the gateway's sealer for its answer."""
    sealer = ChunkedRequestSealer(config(suite))
    head = sealer.begin()
    sealer.seal_final()
    opener = unlocked(head)
    assert opener.enc_ready is not None
    ready = opener.enc_ready
    return sealer, lambda: ChunkedResponseSealer(key_for(Mode.CHUNKED, *ready))
