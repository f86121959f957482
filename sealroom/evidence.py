# SPDX-License-Identifier: Apache-2.0
"""From the bytes of an evidence object to a verified guest, by a trust file and a clock's reading.

This is what `connect` does before a byte is sealed, and what `sealroom verify` does with a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from attest import FormatError, Refused, VerifiedGuest, parse_evidence, verify
from sealroom.errors import NotTrusted
from sealroom.trust import Trust


@dataclass(frozen=True, slots=True)
class Verified:
    """A guest that verified, the evidence object it verified by, and what that took."""

    guest: VerifiedGuest
    evidence: bytes = field(repr=False)
    fetch_ms: int
    verify_ms: int


def verify_evidence(data: bytes, trust: Trust, *, now: datetime) -> VerifiedGuest:
    """The guest that `data` is evidence of.

    Raises:
        NotTrusted: it is malformed, or a check failed; all failures of that stage are in it.
    """
    try:
        evidence, endorsements = parse_evidence(data)
        return verify(evidence, endorsements, trust.policy, roots=trust.roots, now=now)
    except (FormatError, Refused) as error:
        raise NotTrusted(error) from error
