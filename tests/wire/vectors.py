# SPDX-License-Identifier: Apache-2.0
"""The vectors under tests/vectors: hexadecimal values by name, and keys made from their seeds."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from wire.kem import Encapsulation, encap
from wire.keyconfig import KeyConfig

VECTORS = Path(__file__).parent.parent / "vectors"


def load(name: str) -> Any:
    """A vector file as it stands."""
    return json.loads((VECTORS / name).read_text())


class Hex:
    """One vector whose values are hexadecimal."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self.vector = vector

    def __getitem__(self, name: str) -> bytes:
        return bytes.fromhex(self.vector[name])

    def list(self, name: str) -> list[bytes]:
        return [bytes.fromhex(value) for value in self.vector[name]]


def encapsulation(config: KeyConfig, ephemeral: bytes) -> Encapsulation:
    """What the vector's sender made, from its ephemeral X25519 key."""
    key = X25519PrivateKey.from_private_bytes(ephemeral)
    return encap(config.kem, config.public_key, ephemeral=key)
