# SPDX-License-Identifier: Apache-2.0
"""A host that steps the guest's wall clock by a year changes what the statement says, and no more.

Key life goes by the monotonic clock; the times in the statement are for devices, which judge them
by clocks of their own.
"""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attest import Reason, parse_evidence
from attest.statement import parse_statement
from lab.documents import GuestPlan
from sealroom import NotTrusted
from sealroom.evidence import verify_evidence
from tests.flow.platform_faults import Keyholder, keyholder, trust_of

PLAN = GuestPlan(life_s=4, overlap_s=2, grace_s=3, kems=("x25519",))
YEAR = timedelta(days=365)
HOUR_S = 3600
STEPS = {
    signal.SIGUSR1: (YEAR, Reason.STATEMENT_NOT_YET_VALID),
    signal.SIGUSR2: (-YEAR, Reason.STATEMENT_EXPIRED),
}
BACK = {signal.SIGUSR1: signal.SIGUSR2, signal.SIGUSR2: signal.SIGUSR1}


def epoch_of(evidence: bytes, now: datetime) -> int:
    """The epoch of evidence that a device with this clock accepts."""
    return verify_evidence(evidence, trust_of(PLAN), now=now).statement.epoch


def epoch_after(it: Keyholder, epoch: int) -> tuple[int, tuple[str, ...], bytes]:
    """The next epoch, everything that answers when it is published, and its evidence."""
    while (publication := it.published()).epoch == epoch:
        pass
    return publication.epoch, publication.targets, publication.evidence


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS, ids=["a year ahead", "a year back"])
def test_a_stepped_clock_neither_ends_a_key_nor_lets_it_live_on(
    tmp_path: Path, step: signal.Signals
) -> None:
    ahead, reason = STEPS[step]
    program = "tests.flow.programs.stepped"
    with keyholder(tmp_path, {}, PLAN, program) as it:
        first = it.published()
        os.kill(it.pid, step)
        second, targets, evidence = epoch_after(it, first.epoch)
        assert second == 2
        assert set(first.targets) < set(targets), "the first key answers through the step"
        now = datetime.now(UTC)
        with pytest.raises(NotTrusted) as caught:
            epoch_of(evidence, now)
        assert reason in {finding.reason for finding in caught.value.findings}
        statement = parse_statement(parse_evidence(evidence)[0].statement)
        assert abs(statement.not_after - (now + ahead).timestamp()) < HOUR_S, "it follows the clock"
        os.kill(it.pid, BACK[step])
        third, targets, evidence = epoch_after(it, second)
        assert third == 3
        assert epoch_of(evidence, datetime.now(UTC)) == third
        while set(first.targets) & set(targets):  # its life is over, whatever was stepped
            targets = it.published().targets
    assert "attestation-failed" not in it.events()
