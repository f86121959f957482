# SPDX-License-Identifier: Apache-2.0
"""Each fault of the platform: it passes, or there is no evidence, or evidence that is refused."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest

from attest import Reason, Stage
from guest.door import Process
from lab.mocktsm import FaultKind, SnpFault
from lab.mocktsm.snp_faults import SNP_FAULTS
from sealroom import NotTrusted, Unreachable
from sealroom.evidence import verify_evidence
from tests.flow import processes
from tests.flow.client import EVIDENCE, ask
from tests.flow.platform_faults import TRUST, Keyholder, keyholder
from tests.flow.site import Site

ALWAYS = "always"
SLOW = (pytest.mark.slow,)
TIMES = 2

# Evidence comes all the same, and a device finds it wrong: one fault for each stage but the first.
# Each fault of a report by itself is in tests/lab/mocktsm/test_faults.py.
REFUSED = {
    SnpFault.FORGED_VEK: Stage.CHAIN,
    SnpFault.FORGED_REPORT: Stage.SIGNATURE,
    SnpFault.STALE_TCB: Stage.RULES,
    SnpFault.WRONG_REPORT_DATA: Stage.BINDING,
}
HARMLESS = frozenset({FaultKind.SLOW})
RETRIED = frozenset({FaultKind.BUSY, FaultKind.MEDDLING_WRITER, FaultKind.LOST_COMMIT})
SILENT = tuple(fault for fault in FaultKind if fault not in HARMLESS)


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[StrEnum, Keyholder]]:
    """A keyholder for each fault that lasts; all run at once, because retrying takes its time."""
    folder = tmp_path_factory.mktemp("spoiled")
    with contextlib.ExitStack() as stack:
        yield {
            fault: stack.enter_context(keyholder(folder, {fault: ALWAYS}))
            for fault in (*FaultKind, *REFUSED)
        }


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=SLOW if fault in RETRIED else ()) for fault in SILENT]
)
def test_without_a_usable_report_nothing_is_published(
    spoiled: dict[StrEnum, Keyholder], fault: FaultKind
) -> None:
    processes.until("a failed attempt", lambda: "attestation-failed" in spoiled[fault].events())
    assert not spoiled[fault].has_published()


@pytest.mark.parametrize("fault", REFUSED)
def test_evidence_over_a_wrong_report_is_not_trusted(
    spoiled: dict[StrEnum, Keyholder], fault: SnpFault
) -> None:
    evidence = spoiled[fault].published().evidence
    with pytest.raises(NotTrusted) as caught:
        verify_evidence(evidence, TRUST, now=datetime.now(UTC))
    assert caught.value.stage is REFUSED[fault]
    assert {finding.reason for finding in caught.value.findings} == SNP_FAULTS[fault].reasons


@pytest.mark.slow
@pytest.mark.parametrize("fault", HARMLESS)
def test_a_slow_platform_is_waited_for(spoiled: dict[StrEnum, Keyholder], fault: FaultKind) -> None:
    evidence = spoiled[fault].published().evidence
    assert verify_evidence(evidence, TRUST, now=datetime.now(UTC)).statement.epoch == 1


@pytest.mark.parametrize(
    "fault",
    [
        # One that waits for the next attempt, and the others.
        pytest.param(fault, marks=() if fault is FaultKind.NO_PROVIDER else SLOW)
        for fault in SILENT
    ],
)
def test_a_fault_that_passes_is_forgotten(fault: FaultKind, tmp_path: Path) -> None:
    with keyholder(tmp_path, {fault: TIMES}) as recovering:
        evidence = recovering.published().evidence
    assert verify_evidence(evidence, TRUST, now=datetime.now(UTC)).statement.variant == "mock"


def comes_back(drill: Site, faults: Path, fault: StrEnum | None) -> None:
    """Have the keyholder start again on a platform with this fault, or with none."""
    faults.write_text(json.dumps({} if fault is None else {fault: ALWAYS}))
    pid = drill.pids()[Process.KEYHOLDER]
    os.kill(pid, signal.SIGKILL)
    processes.until("its end", lambda: processes.gone(pid))


@pytest.mark.slow
def test_a_guest_without_a_platform_is_unavailable_until_it_has_one(
    drill: Site, faults: Path
) -> None:
    comes_back(drill, faults, FaultKind.NO_PROVIDER)
    url = drill.lab.relay_url
    processes.until("no evidence", lambda: ask(url, "GET", EVIDENCE).status == 503)
    with pytest.raises(Unreachable) as caught, drill.room():
        pass
    assert caught.value.status == 503
    comes_back(drill, faults, None)
    drill.serves_again()


@pytest.mark.slow
def test_a_device_seals_nothing_to_a_guest_with_a_wrong_report(drill: Site, faults: Path) -> None:
    comes_back(drill, faults, SnpFault.WRONG_REPORT_DATA)

    def refusal() -> NotTrusted | None:
        with contextlib.suppress(Unreachable):
            try:
                with drill.room():
                    return None  # still the evidence of the keyholder before
            except NotTrusted as error:
                return error
        return None

    error = processes.until("the wrong evidence", refusal)
    assert [finding.reason for finding in error.findings] == [Reason.REPORT_DATA_MISMATCH]
    comes_back(drill, faults, None)
    drill.serves_again()
