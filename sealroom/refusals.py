# SPDX-License-Identifier: Apache-2.0
"""What a refusal in the clear is taken to mean: a table, by HTTP status and the problem's word.

Nobody signed it. So it decides only whether to ask again, and never makes anything weaker; only
words of this table enter an error, whatever else the body said. RFC 9457; RFC 9458 §5.3.
"""

from __future__ import annotations

import json

from sealroom.errors import Busy, Deadline, SealroomError, StaleKey, Unreachable

PROBLEM_MAX_BYTES = 4096
OHTTP_KEY_PROBLEM = "https://iana.org/assignments/http-problem-types#ohttp-key"
RETRY_AFTER_DEFAULT_S = 1
RETRY_AFTER_MAX_S = 60

# The words that a relay and an ingress put into `title`.
WORDS = frozenset(
    {
        *("refused", "not-found", "method", "too-slow", "too-large", "media", "unknown-key"),
        *("failed", "bad-gateway", "busy", "unavailable", "deadline"),
    }
)


def read_refusal(status: int, retry_after: str | None, body: bytes) -> SealroomError:
    """The error for a reply that is not 200."""
    word, kind = _problem(body)
    if status == 422 and kind == OHTTP_KEY_PROBLEM:
        return StaleKey()
    if status == 503 and word == "busy":
        return Busy(_seconds(retry_after))
    if status == 504:
        return Deadline("the guest", None)
    got = f"HTTP {status}" + (f" {word}" if word else "")
    return Unreachable("request", "an answer", got, status=status)


def _problem(body: bytes) -> tuple[str, str]:
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(problem, dict):
        return "", ""
    word, kind = problem.get("title"), problem.get("type")
    return (
        word if isinstance(word, str) and word in WORDS else "",
        kind if isinstance(kind, str) else "",
    )


def _seconds(retry_after: str | None) -> int:
    if retry_after is None or not (retry_after.isascii() and retry_after.isdigit()):
        return RETRY_AFTER_DEFAULT_S
    return min(int(retry_after[:4]), RETRY_AFTER_MAX_S)
