# SPDX-License-Identifier: Apache-2.0
"""Keys that sign checkpoints, written as vkeys, and what each kind of them signs.

Ed25519 signs the text (C2SP signed-note); a cosigner signs the text with a time, or with ML-DSA-44
(FIPS 204) what the text says of the tree (C2SP tlog-cosignature). A key's id follows from the key;
a vkey that states another one is refused.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from attest.errors import FormatError
from attest.log.checkpoint import Checkpoint
from attest.log.note import DECIMAL_MAX, KEY_ID_BYTES, check_key_name
from attest.scalars import Base64, Hex

NAME_MAX_BYTES: Final = 255  # what an ML-DSA-44 cosignature has room for

_WHAT: Final = "vkey"
_TIME_BYTES: Final = 8
_LABEL: Final = b"subtree/v1\n\0"


class KeyType(IntEnum):
    """The signature types of C2SP that are known here."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    COSIGNATURE_ML_DSA_44 = 0x06


PUBLIC_KEY_BYTES: Final = {
    KeyType.ED25519: 32,
    KeyType.COSIGNATURE_ED25519: 32,
    KeyType.COSIGNATURE_ML_DSA_44: 1312,
}


@dataclass(frozen=True, slots=True)
class LogKey:
    """Whose key, of which type, and the public key as its algorithm writes it."""

    name: str
    type: KeyType
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The first bytes of SHA-256 over name, type and key (C2SP signed-note)."""
        data = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return hashlib.sha256(data).digest()[:KEY_ID_BYTES]


def parse_vkey(text: str) -> LogKey:
    """Read ``name+id+key``.

    Raises:
        FormatError: not a vkey, of an unknown type, or with another key's id.
    """
    try:
        name, key_id, key = _split(text)
    except ValueError as error:
        raise FormatError(_WHAT, None, str(error)) from error
    if key.key_id != key_id:
        problem = f"{name}: wanted the id {key.key_id.hex()}, got {key_id.hex()}"
        raise FormatError(_WHAT, None, problem)
    return key


def _split(text: str) -> tuple[str, bytes, LogKey]:
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    check_key_name(name)
    if len(name.encode()) > NAME_MAX_BYTES:
        raise ValueError(f"wanted a name of at most {NAME_MAX_BYTES} bytes")
    data = Base64(1 + max(PUBLIC_KEY_BYTES.values())).read(encoded)
    if data[0] not in PUBLIC_KEY_BYTES:
        known = ", ".join(str(kind.value) for kind in KeyType)
        raise ValueError(f"{name}: wanted a key of type {known}, got {data[0]}")
    kind = KeyType(data[0])
    if len(data) != 1 + PUBLIC_KEY_BYTES[kind]:
        raise ValueError(f"{name}: wanted {PUBLIC_KEY_BYTES[kind]} bytes of key")
    return name, Hex(KEY_ID_BYTES).read(key_id), LogKey(name, kind, data[1:])


def signed_at(key: LogKey, checkpoint: Checkpoint, signature: bytes) -> int:
    """When this key signed the checkpoint, Unix time in seconds; 0 if it does not say.

    Args:
        key: the signer's.
        checkpoint: of a log whose name has at most `NAME_MAX_BYTES`.
        signature: what a signature line has behind the key's id.

    Raises:
        InvalidSignature: it did not.
    """
    text = checkpoint.note.text.encode()
    if key.type is KeyType.ED25519:
        _verify_ed25519(key, signature, text)
        return 0
    time_s = int.from_bytes(signature[:_TIME_BYTES], "big")
    signature = signature[_TIME_BYTES:]
    if time_s > DECIMAL_MAX:
        raise InvalidSignature
    if key.type is KeyType.COSIGNATURE_ED25519:
        _verify_ed25519(key, signature, f"cosignature/v1\ntime {time_s}\n".encode() + text)
    else:
        message = cosigned_message(key.name, time_s, checkpoint)
        MLDSA44PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    return time_s


def cosigned_message(name: str, time_s: int, checkpoint: Checkpoint) -> bytes:
    """What an ML-DSA-44 cosigner signs of a checkpoint (C2SP tlog-cosignature)."""
    parts = [_LABEL]
    for text, number in ((name.encode(), time_s), (checkpoint.origin.encode(), 0)):
        parts.append(struct.pack(f">B{len(text)}sQ", len(text), text, number))
    return b"".join(parts) + struct.pack(">Q", checkpoint.size) + checkpoint.root


def _verify_ed25519(key: LogKey, signature: bytes, message: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
