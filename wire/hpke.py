# SPDX-License-Identifier: Apache-2.0
"""HPKE base mode (RFC 9180 §5): pyhpke's contexts, started from a secret already shared.

The KEM has done its work before (`wire.kem`), so pyhpke gets one KEM object that answers what it
was given. The worker, which never holds a private key, starts its context from what the keyholder
told it.
"""

from typing import cast

import pyhpke
from pyhpke.aead import AEAD
from pyhpke.kdf import KDF
from pyhpke.recipient_context import RecipientContext

from wire.errors import OpenError
from wire.kem import Encapsulation
from wire.suites import SHARED_SECRET_BYTES, Kem, Suite


class Sender:
    """Seals in order to one recipient (RFC 9180 §5.2)."""

    def __init__(self, context: pyhpke.ContextInterface) -> None:
        self._context = context

    def seal(self, plaintext: bytes, aad: bytes = b"") -> bytes:
        """Seal the next message."""
        return self._context.seal(plaintext, aad)

    def export(self, context: bytes, length: int) -> bytes:
        """A secret of `length` bytes that both sides can derive (RFC 9180 §5.3)."""
        return self._context.export(context, length)


class Recipient:
    """Opens in order what one sender sealed."""

    def __init__(self, context: RecipientContext) -> None:
        self._context = context

    def open(self, ciphertext: bytes, aad: bytes = b"") -> bytes:
        """Open the next message. After a failure, the same message is still the next one.

        Raises:
            OpenError: It was not sealed by the sender as the next message with this `aad`.
        """
        # pyhpke counts before it knows that the tag is right; RFC 9180 §5.2 counts successes only.
        before = self._context._seq  # noqa: SLF001  pyhpke has no other way back
        try:
            return self._context.open(ciphertext, aad)
        except pyhpke.OpenError:
            self._context._seq = before  # noqa: SLF001  as above
            raise OpenError from None

    def export(self, context: bytes, length: int) -> bytes:
        """A secret of `length` bytes that both sides can derive (RFC 9180 §5.3)."""
        return self._context.export(context, length)


def setup_sender(suite: Suite, encapsulation: Encapsulation, info: bytes) -> Sender:
    """The sender's context (SetupBaseS) for a secret from `wire.kem.encap`."""
    agreed = _Agreed(suite.kem, encapsulation.shared_secret, encapsulation.enc)
    _, context = _cipher_suite(suite, agreed).create_sender_context(_NO_KEY, info)
    return Sender(context)


def setup_recipient(suite: Suite, shared_secret: bytes, info: bytes) -> Recipient:
    """The recipient's context (SetupBaseR) for a secret from `PrivateKey.decap`, here or elsewhere.

    Raises:
        ValueError: The secret does not have the KEM's length.
    """
    if len(shared_secret) != SHARED_SECRET_BYTES:
        raise ValueError(
            f"shared secret: wanted {SHARED_SECRET_BYTES} bytes, got {len(shared_secret)}"
        )
    agreed = _Agreed(suite.kem, shared_secret, b"")
    context = _cipher_suite(suite, agreed).create_recipient_context(b"", _NO_KEY, info)
    return Recipient(cast(RecipientContext, context))


def kdf(suite: Suite) -> KDF:
    """The suite's KDF; its plain `extract` and `expand` are HKDF (RFC 5869)."""
    return KDF(pyhpke.KDFId(suite.kdf), b"HPKE" + suite.write())


def aead(suite: Suite) -> AEAD:
    """The suite's AEAD."""
    return AEAD(pyhpke.AEADId(suite.aead))


class _Agreed:
    """A KEM whose work is done. It has what pyhpke's contexts ask a KEM for, and nothing else."""

    def __init__(self, kem: Kem, shared_secret: bytes, enc: bytes) -> None:
        self.id = kem
        self._shared_secret = shared_secret
        self._enc = enc

    def encap(self, *_keys: object) -> tuple[bytes, bytes]:
        return self._shared_secret, self._enc

    def decap(self, *_keys: object) -> bytes:
        return self._shared_secret


_NO_KEY = pyhpke.KEMKeyInterface(None)


def _cipher_suite(suite: Suite, agreed: _Agreed) -> pyhpke.CipherSuite:
    # The cast: pyhpke's interface can only name its own KEM ids, and 0x647a is not among them.
    return pyhpke.CipherSuite(cast(pyhpke.KEMInterface, agreed), kdf(suite), aead(suite))
