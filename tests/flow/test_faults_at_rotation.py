# SPDX-License-Identifier: Apache-2.0
"""The platform breaks when keys are to change: old keys live out their time, and no more.

At the start the same faults are in `tests.flow.test_faults`.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from attest import parse_evidence
from attest.statement import parse_statement
from lab.documents import GuestPlan
from lab.mocktsm import FaultKind, SnpFault
from sealroom import NotTrusted, SealroomError, Tone, connect
from sealroom.errors import StaleKey, Unreachable
from sealroom.evidence import verify_evidence
from tests.flow import processes
from tests.flow.platform_faults import Keyholder, keyholder, trust_of
from tests.flow.programs.echo import answer_to
from tests.flow.site import SCANNABLE, standing
from tests.flow.test_rotation import quick_ingress

ALWAYS = "always"
WEATHER = "tests.flow.programs.weather"
PLAN = GuestPlan(life_s=8, overlap_s=2, grace_s=1, kems=("x25519",))
SILENT = [fault for fault in FaultKind if fault is not FaultKind.SLOW]
# A host without certificates is no fault where the operator's bundle has them, as in a deployment.
FELT = [fault for fault in SILENT if fault is not FaultKind.NO_CERTIFICATES]
MARK = "0123456789abcdef"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def broken(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Keyholder]]:
    """A keyholder for each fault, whose platform broke after its first evidence."""
    folder = tmp_path_factory.mktemp("weather")
    with contextlib.ExitStack() as stack:
        all_of_them = {
            fault.value: stack.enter_context(keyholder(folder, {fault: ALWAYS}, PLAN, WEATHER))
            for fault in (*FaultKind, SnpFault.WRONG_REPORT_DATA)
        }
        for it in all_of_them.values():
            assert it.published().epoch == 1
            os.kill(it.pid, signal.SIGUSR1)
        yield all_of_them


def in_its_life(evidence: bytes) -> datetime:
    """A second before these keys end.

    Their life begins before the platform is asked, and a platform that is asked until it mends may
    take most of eight seconds.
    """
    statement = parse_statement(parse_evidence(evidence)[0].statement)
    return datetime.fromtimestamp(statement.not_after - 1, UTC)


@pytest.mark.parametrize("fault", SILENT)
def test_without_a_report_the_last_key_lives_out_its_time_and_then_there_is_none(
    broken: dict[str, Keyholder], fault: FaultKind
) -> None:
    it = broken[fault]
    while (publication := it.told()) is not None:
        assert publication.epoch == 1, "no key may be told of without evidence"
    processes.until("a failed attempt", lambda: "attestation-failed" in it.events())
    os.kill(it.pid, signal.SIGUSR2)
    publication = it.published()
    assert publication.epoch > 1
    evidence = verify_evidence(
        publication.evidence, trust_of(PLAN), now=in_its_life(publication.evidence)
    )
    assert evidence.statement.epoch == publication.epoch


def test_a_slow_report_is_waited_for(broken: dict[str, Keyholder]) -> None:
    publications = [broken[FaultKind.SLOW].told() for _ in range(3)]
    assert max(p.epoch for p in publications if p is not None) > 1


def test_a_wrong_report_is_published_and_not_trusted(broken: dict[str, Keyholder]) -> None:
    publication = broken[SnpFault.WRONG_REPORT_DATA].published()
    assert publication.epoch == 2
    with pytest.raises(NotTrusted):
        verify_evidence(publication.evidence, trust_of(PLAN), now=datetime.now(UTC))


@pytest.mark.parametrize("fault", FELT)
def test_requests_go_on_until_the_last_key_has_ended_and_again_after_the_platform_is_back(
    tmp_path_factory: pytest.TempPathFactory, fault: FaultKind
) -> None:
    """Each request is answered rightly, or refused by its type."""
    folder = tmp_path_factory.mktemp("storm")
    (folder / "no-model").write_bytes(b"the echo needs no model")
    plan = GuestPlan(slots=2, life_s=6, overlap_s=3, grace_s=2, faults={fault: ALWAYS})
    programs = {**SCANNABLE, "keyholder": WEATHER, "zygote": "tests.flow.programs.echo"}
    errors: list[SealroomError] = []
    with (
        standing(folder / "site", folder / "no-model", plan, programs) as site,
        quick_ingress(site.lab.guest_address) as url,
    ):
        pid = next(pid for process, pid in site.pids().items() if process == "keyholder")

        def answered() -> bool:
            try:
                with connect(url, trust=site.trust) as room:
                    text = room.rewrite(f"echo {MARK} 5", Tone.FRIENDLY).text
            except SealroomError as error:
                errors.append(error)
                return False
            assert text.strip() == answer_to(MARK, 5)
            return True

        assert answered()
        os.kill(pid, signal.SIGUSR1)
        processes.until("the last key's end", lambda: not answered())
        os.kill(pid, signal.SIGUSR2)
        processes.until("the platform's return", answered)
    assert {type(error) for error in errors} <= {Unreachable, StaleKey, NotTrusted}
