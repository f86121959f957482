# SPDX-License-Identifier: Apache-2.0
"""Chunked Oblivious HTTP (draft-ietf-ohai-chunked-ohttp-08), sans-I/O.

    request  = header || enc     || chunk* || final
    response = response nonce    || chunk* || final

Nothing is handed out before its tag was verified, and a message is complete only after its final
chunk. What a caller may do next is the `ORDER` table of each class; after an error an object is
broken for good.
"""

from typing import ClassVar

from wire.chunks import (
    CHUNK_MAX_BYTES,
    CHUNKS_MAX,
    MESSAGE_MAX_BYTES,
    ChunkOpener,
    seal_chunk,
    seal_final,
)
from wire.errors import FormatError, SpentError, TruncatedError
from wire.exchange import (
    HEADER_BYTES,
    Mode,
    Opening,
    RequestHeader,
    ResponseKey,
    exchange_id,
    request_info,
    response_nonce_bytes,
)
from wire.hpke import setup_recipient
from wire.kem import Encapsulation
from wire.keyconfig import KeyConfig
from wire.order import CLOSED, NEW, OPEN, SPENT, Order, Ordered
from wire.suites import Suite

__all__ = [
    "CHUNKS_MAX",
    "CHUNK_MAX_BYTES",
    "MESSAGE_MAX_BYTES",
    "ChunkedRequestOpener",
    "ChunkedRequestSealer",
    "ChunkedResponseOpener",
    "ChunkedResponseSealer",
]


class ChunkedRequestSealer(Ordered):
    """Seals one request in chunks: `begin`, `seal` as often as needed, `seal_final`, `answer`."""

    ORDER: ClassVar[Order] = {
        "begin": {NEW: OPEN},
        "seal": {OPEN: OPEN},
        "seal_final": {OPEN: CLOSED},
        "answer": {CLOSED: SPENT},
    }

    def __init__(
        self,
        config: KeyConfig,
        suite: Suite | None = None,
        *,
        encapsulation: Encapsulation | None = None,
    ) -> None:
        """Prepare a request to the holder of `config`.

        Args:
            config: The recipient's key.
            suite: One of `config.suites`; their first unless given.
            encapsulation: Made here unless given; the specifications' vectors give it.

        Raises:
            FormatError: No suite in common, or the public key is no acceptable value.
        """
        super().__init__()
        self._opening = Opening.begin(Mode.CHUNKED, config, suite, encapsulation)

    def begin(self) -> bytes:
        """The header and `enc`."""
        with self.step("begin"):
            return self._opening.head

    def seal(self, plaintext: bytes) -> bytes:
        """A chunk of 1 to `CHUNK_MAX_BYTES` bytes that is not the last."""
        with self.step("seal"):
            return seal_chunk(self._opening.sender, plaintext)

    def seal_final(self, plaintext: bytes = b"") -> bytes:
        """The last chunk, 0 to `CHUNK_MAX_BYTES` bytes."""
        with self.step("seal_final"):
            return seal_final(self._opening.sender, plaintext)

    def seal_message(self, bhttp: bytes) -> bytes:
        """The whole request in as few chunks as it needs, instead of the three calls above."""
        last = max(0, len(bhttp) - 1) // CHUNK_MAX_BYTES * CHUNK_MAX_BYTES
        sealed = [self.begin()]
        sealed += [
            self.seal(bhttp[at : at + CHUNK_MAX_BYTES]) for at in range(0, last, CHUNK_MAX_BYTES)
        ]
        return b"".join(sealed) + self.seal_final(bhttp[last:])

    def answer(self) -> "ChunkedResponseOpener":
        """What opens the answer. The request is complete, so nothing in it depends on that."""
        with self.step("answer"):
            return ChunkedResponseOpener(self._opening)


class ChunkedRequestOpener(Ordered):
    """Opens one request that comes in chunks.

    The caller feeds it until `enc_ready` is set, has `enc` decapsulated, and unlocks it with the
    secret.
    """

    ORDER: ClassVar[Order] = {
        "receive": {NEW: NEW, OPEN: OPEN},
        "unlock": {NEW: OPEN},
        "finish": {NEW: SPENT, OPEN: SPENT},
    }

    def __init__(self) -> None:
        super().__init__()
        self._locked = bytearray()
        self._header: RequestHeader | None = None
        self._enc: bytes | None = None
        self._chunks: ChunkOpener | None = None

    @property
    def enc_ready(self) -> tuple[RequestHeader, bytes] | None:
        """The header and `enc`, once they are here."""
        if self._header is None or self._enc is None:
            return None
        return self._header, self._enc

    def receive(self, data: bytes) -> list[bytes]:
        """Take the next bytes; give the plaintext of the chunks they complete.

        Before `unlock` there is none: the bytes are kept.

        Raises:
            OpenError: A chunk's tag is wrong, or a chunk that is not the last is empty.
            FormatError: The suite is not one of ours, or a limit was passed.
        """
        with self.step("receive"):
            if self._chunks is not None:
                return self._chunks.receive(data)
            if len(self._locked) + len(data) > MESSAGE_MAX_BYTES:
                raise FormatError(
                    "request", len(self._locked), f"more than {MESSAGE_MAX_BYTES} bytes"
                )
            self._locked += data
            self._read_head()
            return []

    def unlock(self, shared_secret: bytes) -> list[bytes]:
        """Set the secret that `enc` stands for; give the plaintext of the chunks already here.

        Raises:
            SpentError: `enc` is not here yet, or the secret was set before.
            OpenError: The secret is another, or as for `receive`.
        """
        with self.step("unlock"):
            if self.enc_ready is None:
                raise SpentError("ChunkedRequestOpener.unlock", "waiting for enc")
            header, _ = self.enc_ready
            info = request_info(Mode.CHUNKED, header)
            self._chunks = ChunkOpener(setup_recipient(header.suite, shared_secret, info))
            waiting, self._locked = bytes(self._locked), bytearray()
            return self._chunks.receive(waiting)

    def finish(self) -> bytes:
        """The request has ended: the plaintext of its last chunk, which may be empty.

        Raises:
            TruncatedError: It ended before its last chunk.
            OpenError: The last chunk's tag is wrong, also because it was cut.
            SpentError: It is complete but was never unlocked.
        """
        with self.step("finish"):
            if self._chunks is not None:
                return self._chunks.finish()
            if self.enc_ready is not None:
                raise SpentError("ChunkedRequestOpener.finish", "locked")
            raise TruncatedError

    def _read_head(self) -> None:
        if self._header is None and len(self._locked) >= HEADER_BYTES:
            self._header = RequestHeader.parse(bytes(self._locked[:HEADER_BYTES]))
            del self._locked[:HEADER_BYTES]
        if self._header is not None and self._enc is None:
            size = self._header.suite.enc_bytes
            if len(self._locked) >= size:
                self._enc = bytes(self._locked[:size])
                del self._locked[:size]


class ChunkedResponseSealer(Ordered):
    """Seals one response in chunks: `begin`, `seal` as often as needed, `seal_final`."""

    ORDER: ClassVar[Order] = {
        "begin": {NEW: OPEN},
        "resume": {NEW: OPEN},
        "seal": {OPEN: OPEN},
        "seal_final": {OPEN: SPENT},
    }

    def __init__(self, key: ResponseKey) -> None:
        """Take `key`, which no one else may have used.

        Raises:
            SpentError: The key was taken before.
        """
        super().__init__()
        self._nonce = key.response_nonce
        self._context = key.take()

    @classmethod
    def resume(cls, key: ResponseKey, *, at: int) -> "ChunkedResponseSealer":
        """Go on with a response of which another process has sent the nonce and `at` chunks.

        The two processes must agree on `at`: one nonce used for two chunks would break the cipher.
        """
        sealer = cls(key)
        with sealer.step("resume"):
            sealer._context.counter = at
        return sealer

    @property
    def counter(self) -> int:
        """The number of the next chunk."""
        return self._context.counter

    def begin(self) -> bytes:
        """The response nonce."""
        with self.step("begin"):
            return self._nonce

    def seal(self, plaintext: bytes) -> bytes:
        """A chunk of 1 to `CHUNK_MAX_BYTES` bytes that is not the last."""
        with self.step("seal"):
            return seal_chunk(self._context, plaintext)

    def seal_final(self, plaintext: bytes = b"") -> bytes:
        """The last chunk, 0 to `CHUNK_MAX_BYTES` bytes."""
        with self.step("seal_final"):
            return seal_final(self._context, plaintext)


class ChunkedResponseOpener(Ordered):
    """Opens the one answer to one chunked request. `ChunkedRequestSealer.answer` makes it."""

    ORDER: ClassVar[Order] = {
        "receive": {NEW: NEW},
        "finish": {NEW: SPENT},
    }

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self._opening = opening
        self._nonce_bytes = response_nonce_bytes(opening.header.suite)
        self._nonce = b""
        self._chunks: ChunkOpener | None = None

    @property
    def exchange_id(self) -> bytes:
        """SHA-256(enc || response nonce), as the exchange is named in its receipt.

        Raises:
            TruncatedError: The response nonce is not here yet.
        """
        if self._chunks is None:
            raise TruncatedError
        return exchange_id(self._opening.enc, self._nonce)

    def receive(self, data: bytes) -> list[bytes]:
        """Take the next bytes; give the plaintext of the chunks they complete.

        Raises:
            OpenError: A chunk's tag is wrong, or a chunk that is not the last is empty.
            FormatError: A limit was passed.
        """
        with self.step("receive"):
            if self._chunks is None:
                missing = self._nonce_bytes - len(self._nonce)
                self._nonce += data[:missing]
                data = data[missing:]
                if len(self._nonce) < self._nonce_bytes:
                    return []
                self._chunks = ChunkOpener(self._opening.response_key(self._nonce).take())
            return self._chunks.receive(data)

    def finish(self) -> bytes:
        """The response has ended: the plaintext of its last chunk, which may be empty.

        Raises:
            TruncatedError: It ended before its last chunk.
            OpenError: The last chunk's tag is wrong, also because it was cut.
        """
        with self.step("finish"):
            if self._chunks is None:
                raise TruncatedError
            return self._chunks.finish()
