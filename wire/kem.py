# SPDX-License-Identifier: Apache-2.0
"""The two KEMs: DHKEM(X25519) (RFC 9180 §4.1) and X-Wing (0x647a, draft-ietf-hpke-pq).

A private key is held as OpenSSL key objects only, never as bytes. Whatever is wrong with an `enc`,
the answer is the same `OpenError`; whatever is wrong with a public key is a `FormatError`.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from pyhpke import KDFId
from pyhpke.kdf import KDF

from wire.errors import FormatError, OpenError
from wire.suites import ENC_BYTES, PUBLIC_KEY_BYTES, SHARED_SECRET_BYTES, Kem

SEED_BYTES = 32
MLKEM_SEED_BYTES = 64
MLKEM_PUBLIC_KEY_BYTES = 1184
MLKEM_CIPHERTEXT_BYTES = 1088
XWING_LABEL = bytes.fromhex("5c2e2f2f5e5c")


@dataclass(frozen=True, slots=True)
class Encapsulation:
    """What a sender makes from a public key: `enc` to send, and the secret it stands for."""

    enc: bytes
    shared_secret: bytes = field(repr=False)


class PrivateKey:
    """A KEM private key. `generate` and `from_seed` are the two ways to get one."""

    def __init__(self, kem: Kem, key: "_X25519Key | _XWingKey") -> None:
        self.kem = kem
        self._key = key

    @classmethod
    def generate(cls, kem: Kem) -> Self:
        """A fresh key, made inside OpenSSL."""
        return cls(kem, _KEYS[kem].generate())

    @classmethod
    def from_seed(cls, kem: Kem, seed: bytes) -> Self:
        """The key that `seed` (32 bytes, the `skRm` of the specifications' vectors) stands for.

        Raises:
            ValueError: The seed is not 32 bytes long.
        """
        if len(seed) != SEED_BYTES:
            raise ValueError(f"seed: wanted {SEED_BYTES} bytes, got {len(seed)}")
        return cls(kem, _KEYS[kem].from_seed(seed))

    @property
    def public_bytes(self) -> bytes:
        """The public key as it stands in a key config."""
        return self._key.public_bytes

    def decap(self, enc: bytes) -> bytes:
        """The shared secret for `enc`, 32 bytes.

        Raises:
            OpenError: `enc` has the wrong length or is no acceptable value.
        """
        if len(enc) != ENC_BYTES[self.kem]:
            raise OpenError
        try:
            return self._key.decap(enc)
        except ValueError:
            raise OpenError from None


class _X25519Key:
    """DHKEM(X25519, HKDF-SHA256), 0x0020."""

    def __init__(self, key: X25519PrivateKey) -> None:
        self._key = key
        self.public_bytes = key.public_key().public_bytes_raw()

    def decap(self, enc: bytes) -> bytes:
        dh = self._key.exchange(X25519PublicKey.from_public_bytes(enc))
        return _dhkem_secret(dh, enc, self.public_bytes)

    @classmethod
    def generate(cls) -> Self:
        return cls(X25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        return cls(X25519PrivateKey.from_private_bytes(seed))


class _XWingKey:
    """MLKEM768-X25519, 0x647a: it holds while either half does."""

    def __init__(self, mlkem: MLKEM768PrivateKey, x25519: X25519PrivateKey) -> None:
        self._mlkem = mlkem
        self._x25519 = x25519
        self._public_x = x25519.public_key().public_bytes_raw()
        self.public_bytes = mlkem.public_key().public_bytes_raw() + self._public_x

    def decap(self, enc: bytes) -> bytes:
        ct_m, ct_x = enc[:MLKEM_CIPHERTEXT_BYTES], enc[MLKEM_CIPHERTEXT_BYTES:]
        ss_m = self._mlkem.decapsulate(ct_m)
        ss_x = self._x25519.exchange(X25519PublicKey.from_public_bytes(ct_x))
        return _xwing_secret(ss_m, ss_x, ct_x, self._public_x)

    @classmethod
    def generate(cls) -> Self:
        return cls(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        expanded = hashlib.shake_256(seed).digest(MLKEM_SEED_BYTES + SEED_BYTES)
        return cls(
            MLKEM768PrivateKey.from_seed_bytes(expanded[:MLKEM_SEED_BYTES]),
            X25519PrivateKey.from_private_bytes(expanded[MLKEM_SEED_BYTES:]),
        )


_KEYS: dict[Kem, type[_X25519Key | _XWingKey]] = {Kem.X25519: _X25519Key, Kem.XWING: _XWingKey}


def encap(
    kem: Kem, public_key: bytes, *, ephemeral: X25519PrivateKey | None = None
) -> Encapsulation:
    """Encapsulate a fresh secret to `public_key`.

    Args:
        kem: The mechanism the key is for.
        public_key: As it stands in the key config.
        ephemeral: The sender's X25519 key. Made here unless given; the specifications' vectors give
            it.

    Raises:
        FormatError: The public key has the wrong length or is no acceptable value.
    """
    if len(public_key) != PUBLIC_KEY_BYTES[kem]:
        wanted = PUBLIC_KEY_BYTES[kem]
        raise FormatError("public key", 0, f"wanted {wanted} bytes, got {len(public_key)}")
    try:
        return _ENCAPS[kem](public_key, ephemeral or X25519PrivateKey.generate())
    except ValueError:
        raise FormatError("public key", 0, "not an acceptable value") from None


def _encap_x25519(public_key: bytes, ephemeral: X25519PrivateKey) -> Encapsulation:
    enc = ephemeral.public_key().public_bytes_raw()
    dh = ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key))
    return Encapsulation(enc, _dhkem_secret(dh, enc, public_key))


def _encap_xwing(public_key: bytes, ephemeral: X25519PrivateKey) -> Encapsulation:
    pk_m, pk_x = public_key[:MLKEM_PUBLIC_KEY_BYTES], public_key[MLKEM_PUBLIC_KEY_BYTES:]
    ss_m, ct_m = MLKEM768PublicKey.from_public_bytes(pk_m).encapsulate()
    ct_x = ephemeral.public_key().public_bytes_raw()
    ss_x = ephemeral.exchange(X25519PublicKey.from_public_bytes(pk_x))
    return Encapsulation(ct_m + ct_x, _xwing_secret(ss_m, ss_x, ct_x, pk_x))


_ENCAPS = {Kem.X25519: _encap_x25519, Kem.XWING: _encap_xwing}


def _dhkem_secret(dh: bytes, enc: bytes, public_key: bytes) -> bytes:
    """ExtractAndExpand (RFC 9180 §4.1). pyca has refused an all-zero `dh` before (§7.1.4)."""
    kdf = KDF(KDFId.HKDF_SHA256, b"KEM" + Kem.X25519.to_bytes(2, "big"))
    prk = kdf.labeled_extract(b"", b"eae_prk", dh)
    return kdf.labeled_expand(prk, b"shared_secret", enc + public_key, SHARED_SECRET_BYTES)


def _xwing_secret(ss_m: bytes, ss_x: bytes, ct_x: bytes, pk_x: bytes) -> bytes:
    """The X-Wing combiner. ML-KEM's ciphertext need not enter it: its own secret is bound to it."""
    return hashlib.sha3_256(ss_m + ss_x + ct_x + pk_x + XWING_LABEL).digest()
