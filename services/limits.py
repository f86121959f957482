# SPDX-License-Identifier: Apache-2.0
"""How much and how long: every limit of the relay and the ingress.

This file owns the numbers. Each is enforced while reading, not afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BODY_MAX_BYTES: Final = 524288
"""Largest encapsulated request: the largest padding bucket (256 KiB), its framing, and room."""
ANSWER_MAX_BYTES: Final = 16777216
"""Largest encapsulated answer: a stream of 512-byte records for the whole of TOTAL_S fits."""
OBJECT_MAX_BYTES: Final = 589824
"""Largest evidence object or key list."""
PIECE_MAX_BYTES: Final = 65536
"""Most bytes moved by one read."""
HEAD_S: Final = 10.0
"""Time for a complete request head, counted from the connection or the last answer."""
CONNECT_S: Final = 5.0
"""Time to connect to the next hop."""
REUSE_S: Final = 5.0
"""How long an idle connection to the next hop is kept: well below its HEAD_S, so that a request is
not sent into a connection that is just being closed. It would be lost, as nothing is sent twice."""
IDLE_S: Final = 60.0
"""Longest pause between two pieces, in either direction. A guest sends something every 5 s."""
TOTAL_S: Final = 300.0
"""Longest exchange, from its head to the last byte of its answer."""
CONNECTIONS_MAX: Final = 1024
"""Most client connections held open; one more is closed at once."""
EXCHANGES_MAX: Final = 256
"""Most requests in flight; one more is answered `busy` at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one running service. Times are seconds, sizes are bytes."""

    body_max_bytes: int = BODY_MAX_BYTES
    answer_max_bytes: int = ANSWER_MAX_BYTES
    object_max_bytes: int = OBJECT_MAX_BYTES
    head_s: float = HEAD_S
    connect_s: float = CONNECT_S
    idle_s: float = IDLE_S
    total_s: float = TOTAL_S
    connections_max: int = CONNECTIONS_MAX
    exchanges_max: int = EXCHANGES_MAX
