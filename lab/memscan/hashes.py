# SPDX-License-Identifier: Apache-2.0
"""Digests of a canary: whoever keeps one can tell later whether a guess was right.

This file owns which digests are looked for. A digest that was cut short is found by its first
`DIGEST_BYTES`; one that was salted, keyed or truncated from the front is not. CRC-32 is searched
for as text only: its four raw bytes would be found by chance.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from typing import Final

from lab.memscan.forms import Needle

DIGEST_BYTES: Final = 8
"""How much of a digest must be there to be found: 2^-64 by chance at each place."""

DIGESTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "sha-256": lambda data: hashlib.sha256(data).digest(),
    "sha-512": lambda data: hashlib.sha512(data).digest(),
    "sha3-256": lambda data: hashlib.sha3_256(data).digest(),
    "sha-1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "blake2b": lambda data: hashlib.blake2b(data).digest(),
    "blake2b-256": lambda data: hashlib.blake2b(data, digest_size=32).digest(),
    "blake2s": lambda data: hashlib.blake2s(data).digest(),
}

DIGEST_FORMS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "raw": lambda head: head,
    "hex": lambda head: head.hex().encode("ascii"),
    "hex-upper": lambda head: head.hex().upper().encode("ascii"),
    "base64": lambda head: base64.b64encode(head)[: len(head) * 8 // 6],
}
"""How the first bytes of a digest may be written. Base64 only where the digest begins it."""


def digest_needles(label: str, data: bytes) -> list[Needle]:
    """Every digest of ``data``, in every form; the form names are like ``sha-256 hex``."""
    found = []
    for name, digest in DIGESTS.items():
        head = digest(data)[:DIGEST_BYTES]
        found += [
            Needle(label, f"{name} {form}", write(head)) for form, write in DIGEST_FORMS.items()
        ]
    crc = zlib.crc32(data)
    for form, text in (("hex", f"{crc:08x}"), ("hex-upper", f"{crc:08X}"), ("decimal", f"{crc:d}")):
        if len(text) >= DIGEST_BYTES:
            found.append(Needle(label, f"crc-32 {form}", text.encode("ascii")))
    return list({needle.data: needle for needle in reversed(found)}.values())
