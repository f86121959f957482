# SPDX-License-Identifier: Apache-2.0
"""Raw forms for tests: the options that name stored ones, policies that pin them, what refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealroom.cli import main
from tests.attest.snp.evidence import FOLDER, MANIFEST

HCL = FOLDER.parent / "azure-hcl"
EXPECTED = {item["name"]: item for item in MANIFEST["expected"]}
MILAN = "milan-virtee"
AT = EXPECTED[MILAN]["at"]

Capture = pytest.CaptureFixture[str]


def raw(name: str) -> list[str]:
    """The options for one of the stored reports."""
    return ["--report", str(FOLDER / name / "report.bin"), "--cert", str(FOLDER / name / "vek.der")]


def pin(path: Path, form: list[str]) -> list[str]:
    """The option for a policy that pins what this form claims."""
    if main(["policy", "init", *form, "--output", str(path)]):
        raise ValueError(f"nothing to pin in {form}")
    return ["--policy", str(path)]


def findings(capsys: Capture) -> list[str]:
    """The reasons of the refusal that was printed."""
    told = json.loads(capsys.readouterr().out)["error"]
    return [finding["reason"] for finding in told["findings"]]
