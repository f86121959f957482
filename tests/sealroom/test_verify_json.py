# SPDX-License-Identifier: Apache-2.0
"""docs/verify-json.md has every member of the JSON, and the JSON every member of the document."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sealroom import cli_endorsements
from sealroom.cli import main
from sealroom.errors import EXIT_USAGE, STAGE_EXIT_CODES
from tests.attest.snp.evidence import FOLDER
from tests.attest.tdx.evidence import FOLDER as TDX
from tests.attest.tdx.evidence import bundles
from tests.sealroom.guest import Guest
from tests.sealroom.replay import replaying
from tests.sealroom.test_endorsements_tdx import BUNDLE, recorded

DOCUMENT = (Path(__file__).parents[2] / "docs" / "verify-json.md").read_text(encoding="utf-8")

Capture = pytest.CaptureFixture[str]


def documented(section: str) -> set[str]:
    """The members in the table under a heading."""
    text = DOCUMENT.partition(f"## `{section}`\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))


def told(capsys: Capture) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(capsys.readouterr().out)
    return read


def test_a_guest_has_the_documented_members(tmp_path: Path, guest: Guest, capsys: Capture) -> None:
    (tmp_path / "trust.yaml").write_bytes(guest.trust_file("https://relay.example"))
    (tmp_path / "evidence.json").write_bytes(guest.evidence)
    options = ["--trust", str(tmp_path / "trust.yaml"), str(tmp_path / "evidence.json")]
    assert main(["verify", "--json", *options]) == 0
    result = told(capsys)
    assert result.keys() == {"guest"}
    assert result["guest"].keys() == documented("guest")


def test_a_report_and_an_error_have_the_documented_members(tmp_path: Path, capsys: Capture) -> None:
    folder = FOLDER / "milan-virtee"
    form = ["--report", str(folder / "report.bin"), "--cert", str(folder / "vek.der")]
    policy = tmp_path / "policy.yaml"
    assert main(["policy", "init", *form, "--output", str(policy)]) == 0
    options = ["--json", *form, "--policy", str(policy)]
    assert main(["verify", *options, "--at", "2025-10-01T00:00:00Z"]) == 0
    result = told(capsys)
    assert result.keys() == {"report"}
    assert result["report"].keys() == documented("report")
    assert main(["verify", *options, "--at", "2000-01-01T00:00:00Z"]) == 20
    result = told(capsys)
    assert result.keys() == {"error"}
    assert result["error"].keys() == documented("error")


def test_every_exit_code_of_a_stage_is_documented() -> None:
    codes = {int(code) for code in re.findall(r"^\| ([0-9]+) \|", DOCUMENT, re.MULTILINE)}
    assert codes == {0, EXIT_USAGE, 65, *STAGE_EXIT_CODES.values()}
    for stage in STAGE_EXIT_CODES:
        assert f"`{stage}`" in DOCUMENT


def test_a_quote_has_the_documented_members(tmp_path: Path, capsys: Capture) -> None:
    bundle = bundles()["gotdx-v5"]
    form = ["--quote", str(TDX / bundle.expected["quote"])]
    form += ["--collateral", str(TDX / bundle.expected["collateral"])]
    policy = tmp_path / "policy.yaml"
    assert main(["policy", "init", *form, "--output", str(policy)]) == 0
    options = ["--json", *form, "--policy", str(policy), "--at", bundle.expected["at"]]
    assert main(["verify", *options]) == 0
    report = told(capsys)["report"]
    assert report.keys() == documented("report")
    assert (report["product_line"], report["tcb_status"]) == ("FMSPC 90c06f000000", "UpToDate")


def test_what_is_shown_has_the_documented_members(capsys: Capture) -> None:
    assert main(["show", "--json", str(TDX / "quotes" / "v5-gotdx.bin")]) == 0
    shown = told(capsys)["shown"]
    assert shown
    for section in shown:
        assert section.keys() == {"title", "fields"}
        assert all(field.keys() == documented("shown") for field in section["fields"])


def test_gaps_have_the_documented_members(tmp_path: Path, guest: Guest, capsys: Capture) -> None:
    (tmp_path / "trust.yaml").write_bytes(guest.trust_file("https://relay.example"))
    assert main(["policy", "lint", "--json", str(tmp_path / "trust.yaml")]) == 0
    gaps = told(capsys)["gaps"]
    assert gaps
    assert all(gap.keys() == documented("gaps") for gap in gaps)


def test_fetched_endorsements_have_the_documented_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(cli_endorsements, "wall_clock", lambda: BUNDLE.now)
    quoted = str(TDX / BUNDLE.expected["quote"])
    with replaying(recorded()) as service:
        options = ["--into", str(tmp_path / "got"), "--service", service.url]
        assert main(["endorsements", "fetch", "--json", quoted, *options]) == 0
    result = told(capsys)
    assert result.keys() == {"endorsements"}
    files = result["endorsements"]
    assert files
    assert all(file.keys() == documented("endorsements") for file in files)


def test_a_verified_receipt_has_the_documented_members(
    tmp_path: Path, guest: Guest, capsys: Capture
) -> None:
    trust, kept = tmp_path / "trust.yaml", tmp_path / "receipt.json"
    trust.write_bytes(guest.trust_file("https://relay.example"))
    kept.write_bytes(guest.kept())
    assert main(["verify-receipt", "--json", str(kept), "--trust", str(trust)]) == 0
    result = told(capsys)
    assert result.keys() == {"verified_receipt"}
    verified = result["verified_receipt"]
    assert verified.keys() | verified["receipt"].keys() == documented("verified_receipt")
    assert verified["guest"].keys() == documented("guest")
