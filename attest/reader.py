# SPDX-License-Identifier: Apache-2.0
"""Reading variable-length binary formats from the front, without skipping a byte.

A `Reader` is used in a ``with`` block; leaving it with bytes unread is an error, so that trailing
data cannot be forgotten.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from attest.errors import FormatError


class Reader:
    """A cursor over ``data``. Leaving the ``with`` block requires that all was read.

    Args:
        what: the structure's name, for errors.
        data: the bytes to read.
        base: offset of ``data`` in the whole input, for errors.
    """

    __slots__ = ("at", "base", "data", "what")

    def __init__(self, what: str, data: bytes, base: int = 0) -> None:
        self.what = what
        self.data = data
        self.base = base
        self.at = 0

    def error(self, problem: str) -> FormatError:
        """An error at the place where the cursor stands."""
        return FormatError(self.what, self.base + self.at, problem)

    @property
    def left(self) -> int:
        """Number of bytes not yet read."""
        return len(self.data) - self.at

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes.

        Raises:
            FormatError: fewer are left.
        """
        at = self.at
        chunk = self.data[at : at + size]
        if len(chunk) != size:
            raise self.error(f"{size - len(chunk)} bytes missing")
        self.at = at + size
        return chunk

    def u16(self) -> int:
        """Two bytes, little endian.

        Raises:
            FormatError: fewer are left.
        """
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        """Four bytes, little endian.

        Raises:
            FormatError: fewer are left.
        """
        return int.from_bytes(self.take(4), "little")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self.left:
            raise self.error(f"{self.left} bytes left over")
