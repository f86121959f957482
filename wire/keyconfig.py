# SPDX-License-Identifier: Apache-2.0
"""OHTTP key configurations (RFC 9458 §3): how a gateway names its key and the suites it takes.

key_id(1) || kem_id(2) || public_key(Npk) || length(2) || { kdf_id(2) || aead_id(2) }+
"""

import hashlib
from dataclasses import dataclass

from wire.errors import FormatError
from wire.reader import Reader
from wire.suites import PUBLIC_KEY_BYTES, Aead, Kdf, Kem, Suite

MEDIA_TYPE = "application/ohttp-keys"
CONFIG_MAX_BYTES = 4096
CONFIGS_MAX_BYTES = 65536
TARGET_CHARACTERS = 16
_PAIR_BYTES = 4


@dataclass(frozen=True, slots=True)
class KeyConfig:
    """One key configuration.

    Attributes:
        key_id: 0 to 255; a request names it in its first byte.
        kem: The KEM the key is for.
        public_key: The key as the KEM serializes it.
        symmetric: The (KDF id, AEAD id) pairs the gateway takes, in its order of preference. They
            may name algorithms that we do not have.
    """

    key_id: int
    kem: Kem
    public_key: bytes
    symmetric: tuple[tuple[int, int], ...]

    @property
    def suites(self) -> tuple[Suite, ...]:
        """The suites that both the gateway and we have, in the gateway's order. It may be empty."""
        return tuple(
            Suite(self.kem, Kdf(kdf), Aead(aead))
            for kdf, aead in self.symmetric
            if kdf in list(Kdf) and aead in list(Aead)
        )


def parse_key_config(data: bytes) -> KeyConfig:
    """Parse one configuration.

    Raises:
        FormatError: The bytes are not exactly one configuration for a KEM we have.
    """
    config = _parse(data)
    if config is None:
        raise FormatError("key config", 1, "unknown KEM")
    return config


def write_key_config(config: KeyConfig) -> bytes:
    """The bytes of one configuration.

    Raises:
        ValueError: A field does not fit its place in the format.
    """
    if len(config.public_key) != PUBLIC_KEY_BYTES[config.kem]:
        wanted = PUBLIC_KEY_BYTES[config.kem]
        raise ValueError(f"public key: wanted {wanted} bytes, got {len(config.public_key)}")
    if not config.symmetric:
        raise ValueError("symmetric: wanted at least one pair, got none")
    try:
        key_id = config.key_id.to_bytes(1, "big")
        pairs = b"".join(_u16(kdf) + _u16(aead) for kdf, aead in config.symmetric)
        written = key_id + _u16(config.kem) + config.public_key + _u16(len(pairs)) + pairs
    except OverflowError as error:
        raise ValueError("key config: a field is too large for its place") from error
    if len(written) > CONFIG_MAX_BYTES:
        raise ValueError(f"key config: wanted {CONFIG_MAX_BYTES} bytes, got {len(written)}")
    return written


def parse_key_configs(data: bytes) -> tuple[KeyConfig, ...]:
    """Parse an `application/ohttp-keys` list, leaving out what has a KEM we do not have.

    Raises:
        FormatError: There is any encoding error, for which RFC 9458 §3.2 wants all of it discarded.
    """
    if len(data) > CONFIGS_MAX_BYTES:
        raise FormatError("key configs", CONFIGS_MAX_BYTES, "too long")
    found = []
    with Reader("key configs", data) as reader:
        while reader.left:
            found.append(_parse(reader.take(reader.integer(2))))
    return tuple(config for config in found if config is not None)


def write_key_configs(configs: tuple[KeyConfig, ...]) -> bytes:
    """An `application/ohttp-keys` list, in the order given."""
    written = [write_key_config(config) for config in configs]
    return b"".join(_u16(len(one)) + one for one in written)


def target(config: bytes) -> str:
    """How a URL names the key: the first 16 hex digits of SHA-256 over these bytes."""
    return hashlib.sha256(config).hexdigest()[:TARGET_CHARACTERS]


def _parse(data: bytes) -> KeyConfig | None:
    if len(data) > CONFIG_MAX_BYTES:
        raise FormatError("key config", CONFIG_MAX_BYTES, "too long")
    with Reader("key config", data) as reader:
        key_id, kem = reader.integer(1), reader.integer(2)
        if kem not in list(Kem):
            reader.rest()
            return None
        public_key = reader.take(PUBLIC_KEY_BYTES[Kem(kem)])
        length = reader.integer(2)
        if length == 0 or length % _PAIR_BYTES:
            raise reader.error(f"symmetric algorithms: wanted pairs of 4 bytes, got {length} bytes")
        pairs = tuple((reader.integer(2), reader.integer(2)) for _ in range(length // _PAIR_BYTES))
    return KeyConfig(key_id, Kem(kem), public_key, pairs)


def _u16(value: int) -> bytes:
    return value.to_bytes(2, "big")
