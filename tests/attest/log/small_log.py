# SPDX-License-Identifier: Apache-2.0
"""A log with witnesses, all of it here: keys from seeds, a tree by its definition, proofs by hand.

The tree is RFC 9162's recursive one (§2.1.1, §2.1.3.1), which is another road to the same root than
the loop that is tested.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from attest.log.keys import KeyType, LogKey

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORIGIN = "log.example/releases"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def root(entries: list[bytes]) -> bytes:
    """MTH (RFC 9162 §2.1.1)."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    half = 1 << (len(entries) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(entries[:half]) + root(entries[half:])).digest()


def path(index: int, entries: list[bytes]) -> list[bytes]:
    """PATH (RFC 9162 §2.1.3.1)."""
    if len(entries) <= 1:
        return []
    half = 1 << (len(entries) - 1).bit_length() - 1
    if index < half:
        return [*path(index, entries[:half]), root(entries[half:])]
    return [*path(index - half, entries[half:]), root(entries[:half])]


@dataclass(frozen=True)
class Signer:
    """Somebody with a key, made from the name."""

    name: str
    kind: KeyType

    @property
    def seed(self) -> bytes:
        return hashlib.sha256(self.name.encode()).digest()

    @property
    def key(self) -> LogKey:
        if self.kind is KeyType.COSIGNATURE_ML_DSA_44:
            public = MLDSA44PrivateKey.from_seed_bytes(self.seed).public_key().public_bytes_raw()
        else:
            public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return LogKey(self.name, self.kind, public)

    @property
    def vkey(self) -> str:
        material = b64(bytes([self.kind]) + self.key.public_key)
        return f"{self.name}+{self.key.key_id.hex()}+{material}"

    def sign(self, text: str, time_s: int) -> str:
        """A signature line over the text of a checkpoint."""
        return f"\u2014 {self.name} {b64(self.key.key_id + self._signature(text, time_s))}\n"

    def _signature(self, text: str, time_s: int) -> bytes:
        stamp = struct.pack(">Q", time_s)
        if self.kind is KeyType.ED25519:
            return self._ed25519(text.encode())
        if self.kind is KeyType.COSIGNATURE_ED25519:
            return stamp + self._ed25519(f"cosignature/v1\ntime {time_s}\n{text}".encode())
        origin, size, hashed, *_ = text.split("\n")
        message = b"subtree/v1\n\0"
        message += bytes([len(self.name)]) + self.name.encode() + stamp
        message += bytes([len(origin)]) + origin.encode() + bytes(8)
        message += struct.pack(">Q", int(size)) + base64.b64decode(hashed)
        return stamp + MLDSA44PrivateKey.from_seed_bytes(self.seed).sign(message)

    def _ed25519(self, message: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


LOG = Signer(ORIGIN, KeyType.ED25519)
EAST = Signer("east.example", KeyType.COSIGNATURE_ED25519)
WEST = Signer("west.example", KeyType.COSIGNATURE_ML_DSA_44)
SOUTH = Signer("south.example", KeyType.COSIGNATURE_ED25519)


@dataclass
class SmallLog:
    """Some entries, who signs, and when."""

    entries: list[bytes]
    origin: str = ORIGIN
    signers: tuple[Signer, ...] = (LOG, EAST, WEST)
    time_s: int = int(NOW.timestamp()) - 60
    extension: str = ""
    more: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The text of the checkpoint."""
        return f"{self.origin}\n{len(self.entries)}\n{b64(root(self.entries))}\n{self.extension}"

    def checkpoint(self) -> str:
        """Signed and cosigned."""
        text = self.text()
        lines = [signer.sign(text, self.time_s) for signer in self.signers]
        return f"{text}\n{''.join(lines + self.more)}"

    def proof(self, index: int) -> bytes:
        """That the entry of this index is in the log."""
        hashes = "".join(f"{b64(node)}\n" for node in path(index, self.entries))
        return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{self.checkpoint()}".encode()


POLICY = f"""\
# one log, two of three witnesses
log {LOG.vkey} somewhere
witness east {EAST.vkey}
witness west {WEST.vkey} somewhere
\twitness  south\t{SOUTH.vkey}

group two 2 east west south
quorum two
""".encode()
