# SPDX-License-Identifier: Apache-2.0
"""Every error answer there is: one word, one status, constant bytes (RFC 9457).

This file owns the table. Rule: a body never depends on the request, on the guest or on what the
next hop said, so that it cannot carry anything about them. A relay does not pass a gateway's
error body on: it knows the problem by status (and by Retry-After for the two kinds of 503) and
sends its own copy of the same bytes. RFC 9458 section 5.2 and 5.3 for `unknown-key`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

PROBLEM_MEDIA: Final = "application/problem+json"
OHTTP_KEY_TYPE: Final = "https://iana.org/assignments/http-problem-types#ohttp-key"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error answer. `headers` are those it needs beside Content-Type."""

    word: str
    status: int
    type: str = "about:blank"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The constant JSON body."""
        problem = {"status": self.status, "title": self.word, "type": self.type}
        return json.dumps(problem, separators=(",", ":")).encode("ascii")


REFUSED: Final = Problem("refused", 400)
NOT_FOUND: Final = Problem("not-found", 404)
METHOD_POST: Final = Problem("method", 405, headers={"Allow": "POST"})
METHOD_GET: Final = Problem("method", 405, headers={"Allow": "GET"})
TOO_SLOW: Final = Problem("too-slow", 408)
TOO_LARGE: Final = Problem("too-large", 413)
UNSUPPORTED_MEDIA: Final = Problem("media", 415)
UNKNOWN_KEY: Final = Problem("unknown-key", 422, OHTTP_KEY_TYPE)
FAILED: Final = Problem("failed", 500)
BAD_GATEWAY: Final = Problem("bad-gateway", 502)
BUSY: Final = Problem("busy", 503, headers={"Retry-After": "1"})
UNAVAILABLE: Final = Problem("unavailable", 503)
DEADLINE: Final = Problem("deadline", 504)

PROBLEMS: Final = (
    *(REFUSED, NOT_FOUND, METHOD_POST, METHOD_GET, TOO_SLOW, TOO_LARGE, UNSUPPORTED_MEDIA),
    *(UNKNOWN_KEY, FAILED, BAD_GATEWAY, BUSY, UNAVAILABLE, DEADLINE),
)

# What a gateway may answer, as the relay reads it. Anything else is not for the client.
_FROM_GATEWAY: Final = {
    problem.status: problem
    for problem in (REFUSED, TOO_LARGE, UNSUPPORTED_MEDIA, UNKNOWN_KEY, UNAVAILABLE, DEADLINE)
}


def of_gateway(status: int, *, retry_after: bool) -> Problem:
    """The problem that a gateway's error `status` stands for; BAD_GATEWAY for any other status."""
    if status == BUSY.status and retry_after:
        return BUSY
    return _FROM_GATEWAY.get(status, BAD_GATEWAY)


class Refused(Exception):
    """The request is answered with a problem. An outcome, not a fault.

    Attributes:
        problem: the row to answer with.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.word)
        self.problem = problem
