# SPDX-License-Identifier: Apache-2.0
"""Objects that can be used once, or only in one order.

The order is a table: step → {state before: state after}. A step that raises leaves the object
broken for good, so that nothing can be tried again on half-changed cryptographic state.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from wire.errors import SpentError

NEW = "new"
OPEN = "open"
CLOSED = "closed"
SPENT = "spent"
BROKEN = "broken"

Order = Mapping[str, Mapping[str, str]]


class Ordered:
    """Base class of everything that has an `ORDER`."""

    ORDER: ClassVar[Order]

    def __init__(self) -> None:
        self._state = NEW

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take the step `name` for the length of a `with` block.

        Raises:
            SpentError: The table does not have this step in this state; the state stays what it
                was.
        """
        after = self.ORDER[name].get(self._state)
        if after is None:
            raise SpentError(f"{type(self).__name__}.{name}", self._state)
        self._state = BROKEN
        yield
        self._state = after
