# SPDX-License-Identifier: Apache-2.0
"""The same path on a mock TDX guest, by the same client code: what it takes, and what it refuses.

What a keyholder publishes is tried without a model; the whole deployment is brought up once.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from attest import Reason, Stage
from attest.receipt import Ended
from attest.statement import Platform
from guest.door import Process
from lab.documents import GuestPlan, write_bundle
from lab.mocktsm import TdxFault
from lab.mocktsm.tdx_faults import TDX_FAULTS
from sealroom import NotTrusted, Unreachable
from sealroom.evidence import verify_evidence
from tests.flow import processes
from tests.flow.client import EVIDENCE, ask
from tests.flow.platform_faults import keyholder, trust_of
from tests.flow.site import Site, standing
from wire.api import Message

ALWAYS = "always"
SHORT_CHAT = (Message("Ana", "", "Dinner at eight?"), Message("Ben", "", "Yes, at my place."))
YEAR = timedelta(days=365)

# One of the quote and one of the collateral for each stage at which they are judged.
REFUSED = {
    TdxFault.TRAILING_BYTES: Stage.FORMAT,
    TdxFault.PCK_REVOKED: Stage.CHAIN,
    TdxFault.COLLATERAL_EXPIRED: Stage.CHAIN,
    TdxFault.UNBOUND_KEY: Stage.SIGNATURE,
    TdxFault.DEBUG: Stage.RULES,
    TdxFault.STALE_TCB: Stage.RULES,
    TdxFault.WRONG_REPORT_DATA: Stage.BINDING,
}


@pytest.fixture
def plan() -> Iterator[GuestPlan]:
    """A TDX guest with its bundle, in a folder that the keyholder's user may look into."""
    with tempfile.TemporaryDirectory(prefix="sealroom-") as folder:
        Path(folder).chmod(0o755)
        yield endorsed(Path(folder) / "endorsements.json")


def endorsed(path: Path) -> GuestPlan:
    """A plan whose bundle is there."""
    plan = GuestPlan(platform=Platform.TDX, endorsements=path)
    lay(plan)
    return plan


def lay(plan: GuestPlan, ago: timedelta = timedelta(0)) -> None:
    """Put the bundle of so long ago in its place."""
    assert plan.endorsements is not None
    plan.endorsements.write_bytes(write_bundle(plan, now=datetime.now(UTC) - ago))


@pytest.mark.parametrize("version", [4, 5])
def test_a_quote_of_each_version_is_trusted(version: int, plan: GuestPlan, tmp_path: Path) -> None:
    plan = replace(plan, quote_version=version)
    with keyholder(tmp_path, {}, plan) as published:
        evidence = published.published().evidence
    guest = verify_evidence(evidence, trust_of(plan), now=datetime.now(UTC))
    assert (guest.platform, guest.tcb_status) == (Platform.TDX, "UpToDate")


@pytest.mark.parametrize("fault", REFUSED)
def test_evidence_that_is_wrong_is_not_trusted(
    fault: TdxFault, plan: GuestPlan, tmp_path: Path
) -> None:
    lay(replace(plan, faults={fault: ALWAYS}))
    with keyholder(tmp_path, {fault: ALWAYS}, plan) as spoiled:
        evidence = spoiled.published().evidence
    with pytest.raises(NotTrusted) as caught:
        verify_evidence(evidence, trust_of(plan), now=datetime.now(UTC))
    assert caught.value.stage is REFUSED[fault]
    assert {finding.reason for finding in caught.value.findings} == TDX_FAULTS[fault].reasons


@pytest.mark.parametrize("content", [None, b"{}"], ids=["missing", "other"])
def test_without_a_bundle_nothing_is_published(
    content: bytes | None, plan: GuestPlan, tmp_path: Path
) -> None:
    assert plan.endorsements is not None
    plan.endorsements.unlink()
    if content is not None:
        plan.endorsements.write_bytes(content)
    with keyholder(tmp_path, {}, plan) as waiting:
        processes.until("a failed attempt", lambda: "attestation-failed" in waiting.events())
        assert not waiting.has_published()
        lay(plan)
        evidence = waiting.published().evidence
    assert verify_evidence(evidence, trust_of(plan), now=datetime.now(UTC)).statement.epoch > 1


@pytest.fixture(scope="module")
def tdx(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tdx")
    with standing(folder, model, GuestPlan(platform=Platform.TDX, slots=1)) as site:
        yield site


def command(site: Site, *arguments: str | Path) -> Any:
    """What the command prints, as JSON."""
    ran = subprocess.run(
        [sys.executable, "-m", "sealroom", *arguments, "--trust", site.lab.trust, "--json"],
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (os.EX_OK, b"")
    return json.loads(ran.stdout)


@pytest.mark.slow
def test_a_chat_is_summarised(tdx: Site) -> None:
    with tdx.room() as room:
        answer = room.summarize(SHORT_CHAT)
    assert answer.text
    assert (answer.receipt.ended, answer.receipt.code) == (Ended.EXITED, 0)
    assert answer.guest.platform is Platform.TDX


@pytest.mark.slow
def test_the_commands_take_it(tdx: Site, tmp_path: Path) -> None:
    chat = tmp_path / "chat.txt"
    chat.write_text("\n".join(f"{message.sender}: {message.text}" for message in SHORT_CHAT))
    summarised = command(tdx, "summarize", chat)
    assert summarised["text"]
    assert summarised["guest"]["platform"] == "tdx"
    evidence = tmp_path / "evidence.json"
    evidence.write_bytes(ask(tdx.lab.relay_url, "GET", EVIDENCE).body)
    verified = command(tdx, "verify", evidence)["guest"]
    assert (verified["platform"], verified["tcb_status"]) == ("tdx", "UpToDate")


@pytest.mark.slow
def test_an_operator_who_forgets_to_refresh_is_found_out(tdx: Site) -> None:
    lay(tdx.plan, ago=YEAR)
    pid = tdx.pids()[Process.KEYHOLDER]
    os.kill(pid, signal.SIGKILL)
    processes.until("its end", lambda: processes.gone(pid))

    def refusal() -> NotTrusted | None:
        with contextlib.suppress(Unreachable):
            try:
                with tdx.room():
                    return None  # still the evidence of the keyholder before
            except NotTrusted as error:
                return error
        return None

    error = processes.until("stale evidence", refusal)
    reasons = {finding.reason for finding in error.findings}
    assert reasons == {Reason.COLLATERAL_EXPIRED, Reason.CRL_STALE}
    lay(tdx.plan)
    os.kill(tdx.pids()[Process.KEYHOLDER], signal.SIGKILL)
    tdx.serves_again()
