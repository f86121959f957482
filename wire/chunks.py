# SPDX-License-Identifier: Apache-2.0
"""The chunk framing of draft-ietf-ohai-chunked-ohttp-08 §3, which requests and responses share.

    chunk = varint(length) || ciphertext          aad ""
    final = 00             || ciphertext          aad "final", to the end of the message

The lengths are not authenticated: they only say where to look for the next tag. One above the limit
is refused as soon as it is read, before its bytes are waited for.
"""

from typing import Protocol

from wire.errors import FormatError, OpenError, TruncatedError
from wire.suites import TAG_BYTES
from wire.varint import read_varint, varint_bytes, write_varint

CHUNK_MAX_BYTES = 16384
CHUNKS_MAX = 4096
MESSAGE_MAX_BYTES = 2**20

_SEALED_MAX_BYTES = CHUNK_MAX_BYTES + TAG_BYTES
_FINAL_AAD = b"final"


class Seals(Protocol):
    """Seals messages in order."""

    def seal(self, plaintext: bytes, aad: bytes = b"") -> bytes:
        """Seal the next message."""


class Opens(Protocol):
    """Opens messages in order."""

    def open(self, ciphertext: bytes, aad: bytes = b"") -> bytes:
        """Open the next message, or raise `OpenError`."""


def seal_chunk(context: Seals, plaintext: bytes) -> bytes:
    """A chunk that is not the last.

    Raises:
        ValueError: The plaintext is empty, which receivers must refuse, or too long.
    """
    if not 0 < len(plaintext) <= CHUNK_MAX_BYTES:
        raise ValueError(f"chunk: wanted 1 to {CHUNK_MAX_BYTES} bytes, got {len(plaintext)}")
    sealed = context.seal(plaintext)
    return write_varint(len(sealed)) + sealed


def seal_final(context: Seals, plaintext: bytes) -> bytes:
    """The last chunk; its plaintext may be empty.

    Raises:
        ValueError: The plaintext is too long.
    """
    if len(plaintext) > CHUNK_MAX_BYTES:
        raise ValueError(f"final chunk: wanted 0 to {CHUNK_MAX_BYTES} bytes, got {len(plaintext)}")
    return write_varint(0) + context.seal(plaintext, _FINAL_AAD)


class ChunkOpener:
    """Finds and opens the chunks in a stream of bytes that comes in any pieces."""

    def __init__(self, context: Opens) -> None:
        self._context = context
        self._pending = bytearray()
        self._final = False
        self._chunks = 0
        self._opened_bytes = 0

    def receive(self, data: bytes) -> list[bytes]:
        """Take the next bytes; give the plaintext of the chunks they complete.

        Raises:
            OpenError: A chunk's tag is wrong, or a chunk that is not the last is empty.
            FormatError: A limit was passed.
        """
        self._pending += data
        opened = []
        while not self._final and (sealed := self._next()) is not None:
            opened.append(self._open(sealed))
        if self._final and len(self._pending) > _SEALED_MAX_BYTES:
            raise FormatError("final chunk", self._opened_bytes, "too long")
        return opened

    def finish(self) -> bytes:
        """The stream has ended: the plaintext of its last chunk.

        Raises:
            TruncatedError: There was no last chunk, or not a whole tag of it.
            OpenError: Its tag is wrong, also because it was cut.
        """
        if not self._final or len(self._pending) < TAG_BYTES:
            raise TruncatedError
        return self._counted(self._context.open(bytes(self._pending), _FINAL_AAD))

    def _next(self) -> bytes | None:
        """The ciphertext of the next chunk that is complete and not the last."""
        if not self._pending:
            return None
        start = varint_bytes(self._pending[0])
        if len(self._pending) < start:
            return None
        size = read_varint(self._pending[:start])
        if size == 0:
            self._final = True
            del self._pending[:start]
            return None
        if size > _SEALED_MAX_BYTES:
            raise FormatError(
                "chunk", self._opened_bytes, f"wanted {_SEALED_MAX_BYTES} bytes or fewer"
            )
        if len(self._pending) < start + size:
            return None
        sealed = bytes(self._pending[start : start + size])
        del self._pending[: start + size]
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        plaintext = self._context.open(sealed)
        if not plaintext:
            raise OpenError
        return self._counted(plaintext)

    def _counted(self, plaintext: bytes) -> bytes:
        self._chunks += 1
        self._opened_bytes += len(plaintext)
        if self._chunks > CHUNKS_MAX:
            raise FormatError("chunks", self._opened_bytes, f"more than {CHUNKS_MAX}")
        if self._opened_bytes > MESSAGE_MAX_BYTES:
            raise FormatError("message", self._opened_bytes, f"more than {MESSAGE_MAX_BYTES} bytes")
        return plaintext
