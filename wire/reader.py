# SPDX-License-Identifier: Apache-2.0
"""Reads a short binary format from the front. Leaving the block checks that all was read."""

from types import TracebackType
from typing import Self

from wire.errors import FormatError


class Reader:
    """A cursor over `data`, for use in a `with` block, which must read all of it."""

    def __init__(self, what: str, data: bytes) -> None:
        self._what = what
        self._data = data
        self.offset = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes.

        Raises:
            FormatError: There are fewer.
        """
        end = self.offset + size
        if end > len(self._data):
            raise self.error(f"{end - len(self._data)} bytes missing")
        taken, self.offset = self._data[self.offset : end], end
        return taken

    def integer(self, size: int) -> int:
        """The next `size` bytes as an unsigned integer, most significant byte first."""
        return int.from_bytes(self.take(size), "big")

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self.offset)

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self.offset

    def error(self, problem: str) -> FormatError:
        """An error at the place reached so far."""
        return FormatError(self._what, self.offset, problem)

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
