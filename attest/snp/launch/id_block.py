# SPDX-License-Identifier: Apache-2.0
"""The ID block, by which a guest's owner signs the launch digest that it may have.

Specification: AMD 56860, SNP_LAUNCH_FINISH, tables "ID Block" and "ID Authentication Information".
The firmware refuses to finish a launch with another digest, and the report shows SHA-384 of the
public keys, in AMD's own structure, as ID_KEY_DIGEST and AUTHOR_KEY_DIGEST. Private keys never come
here: whoever has one signs `IdBlock.write` or `write_public_key` with ECDSA, P-384 and SHA-384.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from attest.errors import FormatError, UnsupportedError

ID_BLOCK_BYTES = 96
ID_BLOCK_VERSION = 1
PUBLIC_KEY_BYTES = 0x404
SIGNATURE_BYTES = 0x200
ID_AUTH_BYTES = 0x1000
SIGNATURE_MAX_BYTES = 104  # two integers of 48 bytes in DER

_ALGORITHM = 1  # ECDSA P-384 with SHA-384
_CURVE = 2  # P-384
_NUMBER_BYTES = 0x48
_ID_BLOCK = struct.Struct("<48s16s16sIIQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdBlock:
    """What the owner signs. The launch fails unless digest and policy are the guest's."""

    launch_digest: bytes
    family_id: bytes
    image_id: bytes
    guest_svn: int
    policy: int

    def __post_init__(self) -> None:
        sizes = (len(self.launch_digest), len(self.family_id), len(self.image_id))
        numbers = 0 <= self.guest_svn < 1 << 32 and 0 <= self.policy < 1 << 64
        if sizes != (48, 16, 16) or not numbers:
            raise ValueError("wanted 48, 16 and 16 bytes, a u32 and a u64")

    def write(self) -> bytes:
        """Its 96 bytes: what QEMU takes as ``id-block`` and what the ID key signs."""
        return _ID_BLOCK.pack(
            self.launch_digest,
            self.family_id,
            self.image_id,
            ID_BLOCK_VERSION,
            self.guest_svn,
            self.policy,
        )


def parse_id_block(data: bytes) -> IdBlock:
    """Read an ID block.

    Raises:
        UnsupportedError: of another version.
        FormatError: of another length.
    """
    if len(data) != ID_BLOCK_BYTES:
        raise FormatError("ID block", len(data), f"wanted {ID_BLOCK_BYTES} bytes, got {len(data)}")
    digest, family, image, version, svn, policy = _ID_BLOCK.unpack(data)
    if version != ID_BLOCK_VERSION:
        raise UnsupportedError("ID block", 80, f"wanted version 1, got {version}")
    return IdBlock(
        launch_digest=digest, family_id=family, image_id=image, guest_svn=svn, policy=policy
    )


def write_public_key(key: EllipticCurvePublicKey) -> bytes:
    """A P-384 key in AMD's structure: what an author key signs of an ID key.

    Raises:
        UnsupportedError: a key on another curve.
    """
    if not isinstance(key.curve, SECP384R1):
        raise UnsupportedError("ID key", None, f"wanted P-384, got {key.curve.name}")
    point = key.public_numbers()
    x, y = (n.to_bytes(_NUMBER_BYTES, "little") for n in (point.x, point.y))
    return (_CURVE.to_bytes(4, "little") + x + y).ljust(PUBLIC_KEY_BYTES, b"\0")


def key_digest(key: EllipticCurvePublicKey) -> bytes:
    """ID_KEY_DIGEST or AUTHOR_KEY_DIGEST of a report from a guest with this key.

    Raises:
        UnsupportedError: a key on another curve.
    """
    return hashlib.sha384(write_public_key(key)).digest()


def write_signature(der: bytes) -> bytes:
    """An ECDSA signature in AMD's structure.

    Raises:
        FormatError: ``der`` is not one over P-384.
    """
    if len(der) > SIGNATURE_MAX_BYTES:
        raise FormatError("ID signature", len(der), f"wanted at most {SIGNATURE_MAX_BYTES} bytes")
    try:
        numbers = decode_dss_signature(der)
        r, s = (n.to_bytes(_NUMBER_BYTES, "little") for n in numbers)
    except (ValueError, OverflowError) as error:
        raise FormatError("ID signature", None, "not an ECDSA signature in DER") from error
    return (r + s).ljust(SIGNATURE_BYTES, b"\0")


def write_id_auth(
    id_key: EllipticCurvePublicKey,
    block_signature: bytes,
    author_key: EllipticCurvePublicKey | None = None,
    id_key_signature: bytes | None = None,
) -> bytes:
    """The page that goes with the block, QEMU's ``id-auth``.

    Args:
        id_key: the key that signed the block.
        block_signature: its signature over `IdBlock.write`, in DER.
        author_key: the key that signed the ID key, or None.
        id_key_signature: its signature over `write_public_key` of the ID key, in DER.

    Raises:
        FormatError: a signature is not in DER.
        UnsupportedError: a key on another curve.
        ValueError: an author key without a signature, or the reverse.
    """
    if (author_key is None) is not (id_key_signature is None):
        raise ValueError("an author key and its signature come together")
    signed = b"" if id_key_signature is None else write_signature(id_key_signature)
    author = b"" if author_key is None else write_public_key(author_key)
    algorithm = _ALGORITHM.to_bytes(4, "little")
    head = algorithm + (algorithm if author else bytes(4))
    return (
        head.ljust(0x40, b"\0")
        + write_signature(block_signature)
        + write_public_key(id_key).ljust(0x680 - 0x240, b"\0")
        + signed.ljust(SIGNATURE_BYTES, b"\0")
        + author
    ).ljust(ID_AUTH_BYTES, b"\0")
