# SPDX-License-Identifier: Apache-2.0
"""Single-bit changes, and which of them go unnoticed."""

from __future__ import annotations

from collections.abc import Callable

from attest import AttestError

ALL = range(8)


def undetected(
    data: bytes, verify: Callable[[bytes], object], *, step: int = 1, bits: range = ALL
) -> list[str]:
    """The changed bits, of each ``step``-th byte, after which ``verify`` still accepts."""
    found: list[str] = []
    for offset in range(0, len(data), step):
        for bit in bits:
            changed = bytearray(data)
            changed[offset] ^= 1 << bit
            try:
                verify(bytes(changed))
            except AttestError:
                continue
            found.append(f"byte 0x{offset:x} bit {bit}")
    return found
