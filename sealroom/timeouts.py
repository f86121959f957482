# SPDX-License-Identifier: Apache-2.0
"""How long the device waits for what. Every wait on the network has one of these limits."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Limits in seconds; each must be more than 0.

    Attributes:
        connect_s: until the relay has taken the connection (TLS included).
        evidence_s: for the whole of the evidence.
        first_byte_s: from the sealed request's start to the first byte of the answer. The guest
            sends one as soon as it has a room, and a guest without one says so at once.
        idle_s: between two bytes of the answer. The guest sends something at least every 5 s.
        total_s: for one request, from its start to its last byte.
    """

    connect_s: float = 5.0
    evidence_s: float = 10.0
    first_byte_s: float = 15.0
    idle_s: float = 15.0
    total_s: float = 300.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(
                    f"{field.name}: wanted more than 0, got {getattr(self, field.name)}"
                )


DEFAULT = Timeouts()
