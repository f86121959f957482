# SPDX-License-Identifier: Apache-2.0
"""The contract between the host and the guest: guest.proto, its stubs, its limits, its refusals.

This file owns the one table that both ends of the service read. The gate refuses an exchange with
the gRPC status and the reason word of a row; the ingress answers its HTTP client with the HTTP
status of the same row (RFC 9458 section 5.2: what fails before decapsulation is answered in the
clear). Rule: a refusal says one word, never why. Every decapsulation failure, every replay and
every malformed request is `refused`, so that the answer is no oracle.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from grpclib import GRPCError, Status

CHUNK_MAX_BYTES: Final = 65536
"""Most bytes in one `ExchangeIn.chunk` or `ExchangeOut.chunk`."""
MESSAGE_MAX_BYTES: Final = CHUNK_MAX_BYTES + 64
"""Most bytes in one message of Exchange: a chunk and its protobuf framing."""
EVIDENCE_MAX_BYTES: Final = 524288
"""Most bytes in `EvidenceReply.evidence`."""
KEYS_MAX_BYTES: Final = 65536
"""Most bytes in `EvidenceReply.ohttp_keys`."""
TARGETS_MAX: Final = 64
"""Most entries in `EvidenceReply.targets`."""
TARGET_HEX_DIGITS: Final = 16
"""Length of a target: lower-case hex digits of SHA-256(key config)."""
REPLY_MAX_BYTES: Final = EVIDENCE_MAX_BYTES + KEYS_MAX_BYTES + 4096
"""Most bytes in one reply of Evidence or Health."""


class Reason(StrEnum):
    """The words a refused exchange may end with."""

    BUSY = "busy"
    UNKNOWN_KEY = "unknown-key"
    REFUSED = "refused"
    DEADLINE = "deadline"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row: the gRPC status the gate sends, the HTTP status the ingress makes of it."""

    grpc: Status
    http: int


REFUSALS: Final[dict[Reason, Refusal]] = {
    Reason.BUSY: Refusal(Status.RESOURCE_EXHAUSTED, 503),  # no slot and a full queue: now
    Reason.UNKNOWN_KEY: Refusal(Status.FAILED_PRECONDITION, 422),  # retired or never ours
    Reason.REFUSED: Refusal(Status.INVALID_ARGUMENT, 400),  # cannot be opened, replayed, malformed
    Reason.DEADLINE: Refusal(Status.DEADLINE_EXCEEDED, 504),  # nothing sent in the time allowed
    Reason.UNAVAILABLE: Refusal(Status.UNAVAILABLE, 503),  # starting, stopping or broken
}


def refusal(reason: Reason) -> GRPCError:
    """The error the gate raises in its handler to refuse an exchange for `reason`."""
    return GRPCError(REFUSALS[reason].grpc, reason.value)


def reason_of(error: GRPCError) -> Reason:
    """The reason in `error`, if status and word are a row of the table; else `UNAVAILABLE`.

    A guest that answers outside the table is broken, and its text is not passed on.
    """
    for reason, row in REFUSALS.items():
        if row.grpc is error.status and reason.value == error.message:
            return reason
    return Reason.UNAVAILABLE
