# SPDX-License-Identifier: Apache-2.0
"""What a fuzz target is, and the one thing that may happen when it is given bytes.

Any bytes give a value or one of the errors that the parser's package raises on purpose. A format
with one spelling only must also be written again as the very bytes that it was read from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Target:
    """One parser.

    Attributes:
        name: what it reads.
        parse: the parser, or what feeds it.
        errors: what it may raise.
        seeds: inputs that it accepts, to start from.
        write: the reverse of ``parse``, where only one spelling is accepted.
    """

    name: str
    parse: Callable[[bytes], Any]
    errors: tuple[type[Exception], ...]
    seeds: Callable[[], Iterable[bytes]]
    write: Callable[[Any], bytes] | None = None

    @property
    def most(self) -> int:
        """The longest input to try, in bytes."""
        return max(1024, 2 * max(map(len, self.seeds())))

    def accepts(self, data: bytes) -> bool:
        """Whether ``data`` is read. Whatever else the parser raises goes through.

        Raises:
            AssertionError: what was read is written in another way.
        """
        try:
            value = self.parse(data)
        except self.errors:
            return False
        if self.write is not None and self.write(value) != data:
            raise AssertionError(f"{self.name}: accepted {data.hex()}, and writes it otherwise")
        return True
