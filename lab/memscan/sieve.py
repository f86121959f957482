# SPDX-License-Identifier: Apache-2.0
"""Hundreds of needles at once: four sieves of two bytes each, then a comparison.

This file owns speed. Searching needle by needle passes over memory once for each; here it passes
once for all, at about half a gigabyte a second, because nearly no place has the first two bytes of
a needle, then the next two, and so on to `SIEVED_BYTES`. numpy is here already: llama.cpp's binding
requires it, and this room is never in an image or a wheel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from lab.memscan.forms import FORM_MIN_BYTES, Needle

SIEVED_BYTES: Final = FORM_MIN_BYTES
"""Of a needle, from its first byte that is not zero: no needle is shorter."""

_PAIR: Final = np.dtype("<u2")


class Sieve:
    """A set of needles, each at least `SIEVED_BYTES` long."""

    def __init__(self, needles: Iterable[Needle]) -> None:
        self._by_head: defaultdict[bytes, list[tuple[Needle, int]]] = defaultdict(list)
        for needle in needles:
            if len(needle.data) < SIEVED_BYTES:
                raise ValueError(f"{needle.form}: wanted at least {SIEVED_BYTES} bytes, got fewer")
            skip = _leading_zeros(needle.data)
            self._by_head[needle.data[skip : skip + SIEVED_BYTES]].append((needle, skip))
        self._tables = []
        for at in range(0, SIEVED_BYTES, 2):
            table = np.zeros(1 << 16, dtype=np.bool_)
            for head in self._by_head:
                table[int.from_bytes(head[at : at + 2], "little")] = True
            self._tables.append(table)

    def found(self, window: bytes) -> Iterator[tuple[Needle, int]]:
        """Every needle in ``window`` with each of its places there, in their order."""
        if len(window) < SIEVED_BYTES:
            return
        data = np.frombuffer(window, dtype=np.uint8)
        last = len(window) - SIEVED_BYTES  # the last place where a needle may begin
        both = []
        for odd in (0, 1):
            pairs = np.frombuffer(window, dtype=_PAIR, offset=odd, count=(len(window) - odd) // 2)
            both.append(np.flatnonzero(self._tables[0].take(pairs, mode="clip")) * 2 + odd)
        places = np.concatenate(both)
        places = places[places <= last]
        for at, table in enumerate(self._tables[1:], 1):
            low = data[places + 2 * at].astype(np.uint16)
            high = data[places + 2 * at + 1].astype(np.uint16)
            places = places[table[low | (high << 8)]]
        for place in sorted(places.tolist()):
            for needle, skip in self._by_head.get(window[place : place + SIEVED_BYTES], ()):
                if place >= skip and window.startswith(needle.data, place - skip):
                    yield needle, place - skip


def _leading_zeros(data: bytes) -> int:
    """How many zeros to pass over: memory is full of them, so a sieve that begins so holds none."""
    count = len(data) - len(data.lstrip(b"\0"))
    return count if len(data) - count >= SIEVED_BYTES else 0
