# SPDX-License-Identifier: Apache-2.0
"""One broken thing for each reason of the log's stage, by which a proof is refused."""

from __future__ import annotations

from dataclasses import replace

from attest.findings import Reason
from attest.log.verify import CLOCK_SKEW_S
from tests.attest.log.small_log import EAST, LOG, NOW, SOUTH, WEST, SmallLog

GOOD = SmallLog([b"one", b"two", b"three", b"four", b"five"])
INDEX = 2
ENTRY = GOOD.entries[INDEX]
TOO_LATE_S = int(NOW.timestamp()) + CLOCK_SKEW_S + 1

BREAKS: dict[Reason, bytes] = {
    Reason.MALFORMED_LOG_PROOF: b"",
    Reason.UNKNOWN_LOG: replace(GOOD, origin="other.example").proof(INDEX),
    Reason.LOG_SIGNATURE: replace(GOOD, signers=(EAST, WEST)).proof(INDEX),
    Reason.COSIGNATURE: replace(GOOD, more=[SOUTH.sign("another text", NOW.second)]).proof(INDEX),
    Reason.WITNESS_QUORUM: replace(GOOD, signers=(LOG, EAST)).proof(INDEX),
    Reason.COSIGNATURE_NOT_YET: replace(GOOD, time_s=TOO_LATE_S).proof(INDEX),
    Reason.NOT_LOGGED: GOOD.proof(INDEX).replace(b"index 2", b"index 3", 1),
}

# A log that nobody knows has no signature that anybody knows, nor any of its witnesses.
FOLLOWS = {Reason.UNKNOWN_LOG: [Reason.LOG_SIGNATURE, Reason.WITNESS_QUORUM]}
