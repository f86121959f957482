# SPDX-License-Identifier: Apache-2.0
"""What an import of attest loads, and what only evidence makes it load: counted, not timed."""

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from attest.statement import Platform
from attest.verify import load
from tests.attest.whole import whole
from tests.contract.repository import ROOT

# A fresh interpreter takes these steps and says after each which modules it has.
STEPS = """
import base64, json, sys
from datetime import datetime

case = json.load(sys.stdin)
loaded = {}

import attest
for name in attest.__all__:
    getattr(attest, name)
loaded["names"] = [*sys.modules]

policy = attest.read_policy(case["policy"])
loaded["policy"] = [*sys.modules]

from attest.roots import read_roots
roots = read_roots(case["roots"])
loaded["roots"] = [*sys.modules]

if case["load"]:
    from attest.statement import Platform
    from attest.verify import load
    load(*map(Platform, case["load"]))
loaded["load"] = [*sys.modules]

evidence, endorsements = attest.parse_evidence(base64.b64decode(case["evidence"]))
now = datetime.fromisoformat(case["now"])
guest = attest.verify(evidence, endorsements, policy, roots=roots, now=now)
loaded["verified"] = [*sys.modules]
json.dump({"platform": guest.platform, "loaded": loaded}, sys.stdout)
"""
# The keyholder makes its evidence long after it has given up its files.
KEYHOLDER = """
import base64, json, sys

case = json.load(sys.stdin)
import guest.keyholder.__main__
from attest.endorsements import parse_endorsements, write_endorsements
from attest.evidence import parse_evidence, write_evidence
from attest.statement import parse_statement, write_statement
from guest.keyholder.stapling import choose_endorsements

before = {*sys.modules}
evidence, endorsements = parse_evidence(base64.b64decode(case["evidence"]))
write_statement(parse_statement(evidence.statement))
bundle = parse_endorsements(write_endorsements(endorsements))
write_evidence(evidence, choose_endorsements(evidence.platform, evidence.report, b"", bundle))
json.dump(sorted({*sys.modules} - before), sys.stdout)
"""
SNP, TDX = Platform.SEV_SNP, Platform.TDX
OTHER = {SNP: "attest.tdx", TDX: "attest.snp"}
# Reading a policy takes its words; what reads reports and certificates comes with evidence.
POLICIES = {
    SNP: {
        "attest.snp",
        "attest.snp.key_kind",
        "attest.snp.policy",
        "attest.snp.product",
        "attest.snp.tcb",
    },
    TDX: {"attest.tdx", "attest.tdx.policy", "attest.tdx.status"},
}


def said_by(code: str, case: dict[str, Any]) -> Any:
    """What a fresh interpreter says in JSON."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(case),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def steps(platform: Platform, asked: tuple[Platform, ...] = ()) -> dict[str, set[str]]:
    """Verify one mock guest in a fresh interpreter; which modules it had after each step."""
    said = said_by(STEPS, whole(platform) | {"load": asked})
    assert said["platform"] == platform
    return {step: set(modules) for step, modules in said["loaded"].items()}


def under(modules: Iterable[str], *packages: str) -> set[str]:
    """Those that are one of the packages or in it."""
    return {m for m in modules if any(f"{m}.".startswith(f"{p}.") for p in packages)}


@pytest.mark.parametrize("platform", Platform)
def test_a_platforms_rooms_come_with_its_first_evidence(platform: Platform) -> None:
    loaded = steps(platform)
    late = ("cryptography", "attest.snp", "attest.tdx")
    assert under(loaded["names"], *late) == set()
    assert under(loaded["policy"], *late) == POLICIES[platform]
    assert f"attest.{'snp' if platform is SNP else 'tdx'}.verify" in loaded["verified"]
    assert under(loaded["verified"], OTHER[platform]) == set()


@pytest.mark.parametrize("platform", Platform)
def test_after_load_a_verification_imports_nothing(platform: Platform) -> None:
    for asked in ((platform,), tuple(Platform)):
        loaded = steps(platform, asked)
        assert loaded["verified"] - loaded["load"] == set()


def test_load_without_a_platform_means_every_one() -> None:
    load()
    assert {"attest.snp.verify", "attest.tdx.verify"} <= sys.modules.keys()


@pytest.mark.parametrize("platform", Platform)
def test_the_keyholder_has_what_its_evidence_takes_when_it_starts(platform: Platform) -> None:
    assert said_by(KEYHOLDER, whole(platform)) == []
