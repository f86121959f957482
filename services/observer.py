# SPDX-License-Identifier: Apache-2.0
"""What may be seen of a request from inside a service: sizes and an outcome.

This file owns the event. Rule: it has no address, no path, no target, no time and no content, so
an observer cannot become a log of them. It is how the demonstration shows what a relay sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

COMPLETE: Final = "complete"
"""The whole answer was handed to the client's connection."""
CUT: Final = "cut"
"""The exchange was broken off after its answer had begun, or the client went away."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One finished request.

    Attributes:
        kind: "exchange", "evidence" or "keys"; "" for a request that named no resource.
        outcome: COMPLETE, CUT, or the word of the problem that was answered.
        bytes_in: bytes of body read from the client.
        bytes_out: bytes of answer written to the client, problems not counted.
    """

    kind: str
    outcome: str
    bytes_in: int
    bytes_out: int


Observer = Callable[[Observation], None]


def unobserved(observation: Observation) -> None:
    """The observer of a service that has none."""


@dataclass(slots=True)
class Tally:
    """The counts of one request while it runs."""

    kind: str = ""
    bytes_in: int = 0
    bytes_out: int = 0

    def observation(self, outcome: str) -> Observation:
        """The finished event."""
        return Observation(self.kind, outcome, self.bytes_in, self.bytes_out)
