# SPDX-License-Identifier: Apache-2.0
"""The HPKE suites we speak, as tables: RFC 9180 §7, and draft-ietf-hpke-pq for X-Wing (0x647a).

Nothing outside these tables can be named. The obsolete X25519Kyber768Draft00 (0x0030) is not here
on purpose.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self

from wire.reader import Reader


class Kem(IntEnum):
    """Key encapsulation mechanisms."""

    X25519 = 0x0020
    XWING = 0x647A


class Kdf(IntEnum):
    """Key derivation functions."""

    HKDF_SHA256 = 0x0001
    HKDF_SHA384 = 0x0002
    HKDF_SHA512 = 0x0003


class Aead(IntEnum):
    """Ciphers."""

    AES_128_GCM = 0x0001
    AES_256_GCM = 0x0002
    CHACHA20_POLY1305 = 0x0003


SHARED_SECRET_BYTES = 32
TAG_BYTES = 16
AEAD_NONCE_BYTES = 12
PUBLIC_KEY_BYTES = {Kem.X25519: 32, Kem.XWING: 1184 + 32}
ENC_BYTES = {Kem.X25519: 32, Kem.XWING: 1088 + 32}
AEAD_KEY_BYTES = {Aead.AES_128_GCM: 16, Aead.AES_256_GCM: 32, Aead.CHACHA20_POLY1305: 32}


@dataclass(frozen=True, slots=True)
class Suite:
    """One choice of KEM, KDF and AEAD."""

    kem: Kem
    kdf: Kdf
    aead: Aead

    BYTES: ClassVar[int] = 6

    @property
    def enc_bytes(self) -> int:
        """Length of the encapsulated key `enc`."""
        return ENC_BYTES[self.kem]

    @property
    def key_bytes(self) -> int:
        """Nk, length of the AEAD key."""
        return AEAD_KEY_BYTES[self.aead]

    def write(self) -> bytes:
        """The three identifiers, two bytes each."""
        return b"".join(part.to_bytes(2, "big") for part in (self.kem, self.kdf, self.aead))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take three identifiers from `reader`.

        Raises:
            FormatError: One of them is not in our tables.
        """
        kem, kdf, aead = (reader.integer(2) for _ in range(3))
        try:
            return cls(Kem(kem), Kdf(kdf), Aead(aead))
        except ValueError:
            got = f"0x{kem:04x}/0x{kdf:04x}/0x{aead:04x}"
            raise reader.error(f"suite: wanted one of ours, got {got}") from None


DEFAULT = Suite(Kem.XWING, Kdf.HKDF_SHA256, Aead.AES_128_GCM)
PLAIN = Suite(Kem.X25519, Kdf.HKDF_SHA256, Aead.AES_128_GCM)
