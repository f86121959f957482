# SPDX-License-Identifier: Apache-2.0
"""docs/verify-json.md has every member of the JSON, and the JSON every member of the document."""

import json
import re
from pathlib import Path

import pytest

from sealroom.cli import main
from sealroom.errors import EXIT_USAGE, STAGE_EXIT_CODES
from tests.attest.snp.evidence import FOLDER
from tests.sealroom.guest import Guest

DOCUMENT = (Path(__file__).parents[2] / "docs" / "verify-json.md").read_text(encoding="utf-8")

Capture = pytest.CaptureFixture[str]


def documented(section: str) -> set[str]:
    """The members in the table under a heading."""
    text = DOCUMENT.partition(f"## `{section}`\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))


def told(capsys: Capture) -> dict[str, dict[str, object]]:
    read: dict[str, dict[str, object]] = json.loads(capsys.readouterr().out)
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
