# SPDX-License-Identifier: Apache-2.0
"""A whole TDX guest in an evidence object, through the commands: show, pin, verify."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attest import Evidence, write_evidence
from attest.endorsements import TdxEndorsements
from attest.roots import write_roots
from attest.statement import Platform, report_data, write_statement
from lab.mocktsm import MockTdx, mock_intel_roots
from lab.mocktsm.intel_pki import LIST_LIFE
from sealroom.cli import main
from tests.sealroom.guest import Guest

OLD_MODULE = bytes([4, 1, 4]) + bytes(13)

Capture = pytest.CaptureFixture[str]


class Files:
    """The guest's evidence and the mock roots in files, and a time at which all is good."""

    def __init__(self, path: Path, guest: Guest, tee_tcb_svn: bytes | None = None) -> None:
        mock = MockTdx(version=5)
        begin = int(LIST_LIFE[0].timestamp()) + 60
        statement = write_statement(
            replace(
                guest.statement, platform=Platform.TDX, not_before=begin, not_after=begin + 1800
            )
        )
        body = {} if tee_tcb_svn is None else {"tee_tcb_svn": tee_tcb_svn}
        quote = mock.quote(report_data(statement), {"body": body})
        evidence = Evidence(platform=Platform.TDX, statement=statement, report=quote)
        data = write_evidence(evidence, TdxEndorsements(collateral=mock.collateral(LIST_LIFE)))
        self.object = str(path / "evidence.json")
        self.policy = str(path / "policy.yaml")
        Path(self.object).write_bytes(data)
        (path / "roots.yaml").write_text(json.dumps(write_roots(mock_intel_roots())))
        at = datetime.fromtimestamp(begin, UTC) + timedelta(minutes=1)
        self.options = ["--policy", self.policy, "--at", at.isoformat()]
        self.roots = ["--roots", str(path / "roots.yaml")]


def test_a_tdx_guest_is_pinned_and_accepted(tmp_path: Path, guest: Guest, capsys: Capture) -> None:
    files = Files(tmp_path, guest)
    assert main(["policy", "init", "--from", files.object, "--output", files.policy]) == 0
    assert main(["verify", "--json", files.object, *files.options, *files.roots]) == 0
    told = json.loads(capsys.readouterr().out)["guest"]
    assert (told["platform"], told["tcb_status"], told["advisories"]) == ("tdx", "UpToDate", [])
    assert main(["verify", "--json", files.object, *files.options]) == 20
    assert json.loads(capsys.readouterr().out)["error"]["findings"][0]["reason"] == "unknown-issuer"


def test_the_advisories_of_an_accepted_guest_are_told(
    tmp_path: Path, guest: Guest, capsys: Capture
) -> None:
    files = Files(tmp_path, guest, OLD_MODULE)
    assert main(["policy", "init", "--from", files.object, "--output", files.policy]) == 0
    assert main(["verify", files.object, *files.options, *files.roots]) == 0
    told = capsys.readouterr().out
    assert "\nadvisories   INTEL-SA-" in told
    assert "\nnote         tcb-not-up-to-date: " in told


def test_a_tdx_guests_evidence_is_shown_with_its_binding(
    tmp_path: Path, guest: Guest, capsys: Capture
) -> None:
    assert main(["show", Files(tmp_path, guest).object]) == 0
    told = capsys.readouterr().out
    assert "binding     the report data is SHA-512 of the statement" in told
    assert "\nTDX quote, version 5, unverified\n" in told
    assert "\ncollateral\n" in told
