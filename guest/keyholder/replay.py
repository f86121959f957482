# SPDX-License-Identifier: Apache-2.0
"""Which encapsulations a key has been asked for: each is answered once for the life of the key.

The cache lives and dies with the key, in memory only, so there is no window in which a replay
could succeed. When it is full, new requests are refused; an entry is never given up.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Final

_ENTRY_BYTES: Final = 16


class Seen(Enum):
    """What the cache says about an encapsulation."""

    NEW = "new"  # and remembered from now on
    BEFORE = "before"
    FULL = "full"  # unknown, and there is no room to remember it


class ReplayCache:
    """At most ``entries_max`` encapsulations, about 100 bytes of memory each."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: set[bytes] = set()

    def enter(self, enc: bytes) -> Seen:
        """Look the encapsulation up and remember it, in one step."""
        entry = hashlib.sha256(enc).digest()[:_ENTRY_BYTES]
        if entry in self._entries:
            return Seen.BEFORE
        if len(self._entries) >= self._entries_max:
            return Seen.FULL
        self._entries.add(entry)
        return Seen.NEW
