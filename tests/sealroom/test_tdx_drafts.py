# SPDX-License-Identifier: Apache-2.0
"""Drafts for TDX: what is pinned accepts just that quote; the strict one leaves nothing open."""

import json
from pathlib import Path
from typing import Any

import pytest

from attest import Evidence, write_evidence
from attest.endorsements import TdxEndorsements
from attest.lint import lint
from attest.policy import Policy, read_policy
from attest.statement import Platform, write_statement
from attest.tdx.quote import parse_quote
from attest.tdx.status import TcbStatus
from attest.tdx.verify import verify_quote
from lab.mocktsm.intel_collateral import collateral
from lab.mocktsm.tdx_quote import quote
from sealroom.cli import main
from sealroom.policy_drafts import STRICT_LINES, strict
from sealroom.policy_file import load_policy
from sealroom.tdx_drafts import pinned_tdx
from tests.attest.tdx.case import TdxCase
from tests.attest.tdx.evidence import FOLDER, bundles
from tests.sealroom.guest import Guest

BUNDLES = bundles()
# Genuine, and refused whatever a policy says.
NEVER = {
    "trustee-quote4-DEBUG": ["td-debug"],
    "gotdx-spr-2023": ["tcb-not-supported"],
    "v4-phala-outdated": ["tcb-not-supported"],
}

Capture = pytest.CaptureFixture[str]


def files(name: str) -> tuple[list[str], str]:
    """The options for a bundle, and the time at which it is good."""
    row = BUNDLES[name].expected
    form = ["--quote", str(FOLDER / row["quote"]), "--collateral", str(FOLDER / row["collateral"])]
    return form, row["at"]


def reasons(capsys: Capture) -> list[str]:
    told = json.loads(capsys.readouterr().out)["error"]
    return [finding["reason"] for finding in told["findings"]]


@pytest.mark.parametrize("name", BUNDLES)
def test_what_a_real_quote_claims_is_pinned_and_verifies(
    name: str, tmp_path: Path, capsys: Capture
) -> None:
    form, at = files(name)
    path = tmp_path / "policy.yaml"
    assert main(["policy", "init", *form, "--output", str(path)]) == 0
    code = main(["verify", "--json", *form, "--policy", str(path), "--at", at])
    if name in NEVER:
        assert code == 30
        assert reasons(capsys) == NEVER[name]
        for reason in NEVER[name]:
            assert f"# Refused whatever the policy says: {reason}: " in path.read_text("utf-8")
        return
    assert code == 0
    told = json.loads(capsys.readouterr().out)["report"]
    assert told["tcb_status"] == BUNDLES[name].expected["status"]
    assert told["measurement"] == parse_quote(BUNDLES[name].quote).body.mrtd.hex()


@pytest.mark.parametrize("name", ["v4-phala", "gotdx-v5", "gotdx-cos113"])
def test_without_collateral_the_best_rating_is_demanded(name: str, tmp_path: Path) -> None:
    form, at = files(name)
    path = tmp_path / "policy.yaml"
    assert main(["policy", "init", "--from", form[1], "--output", str(path)]) == 0
    assert main(["verify", *form, "--policy", str(path), "--at", at]) == 0
    assert "# No collateral was given" in path.read_text("utf-8")


def test_an_outdated_platform_is_refused_without_its_collateral(
    tmp_path: Path, capsys: Capture
) -> None:
    form, at = files("azure-trustee-old")
    path = tmp_path / "policy.yaml"
    assert main(["policy", "init", "--from", form[1], "--output", str(path)]) == 0
    assert main(["verify", "--json", *form, "--policy", str(path), "--at", at]) == 30
    assert set(reasons(capsys)) == {"tcb-status-not-accepted", "advisory-not-accepted"}


def test_every_other_quote_is_refused_by_a_pinned_policy() -> None:
    policy, _ = pinned_tdx(BUNDLES["v4-phala"].quote, BUNDLES["v4-phala"].collateral)
    other = TdxCase(policy=policy).refusal()
    found = {finding.reason for finding in other.findings}
    assert {"platform-not-listed", "unknown-measurement", "unknown-seam-module"} <= found


@pytest.mark.parametrize("body_type", [2, 3, 4])
def test_every_type_of_body_is_pinned(body_type: int) -> None:
    case = TdxCase(quote=quote(version=5, body_type=body_type))
    policy, against = pinned_tdx(case.quote, case.collateral)
    assert against == ()
    verified = verify_quote(case.quote, case.collateral, policy, roots=case.roots, now=case.now)
    assert verified.measurement == parse_quote(case.quote).body.mrtd


def test_what_a_td_allows_and_what_protects_it_are_pinned_apart() -> None:
    attributes = (1 << 28 | 1 << 27 | 1 << 29 | 1 << 63).to_bytes(8, "little")
    policy, _ = pinned_tdx(quote(body={"td_attributes": attributes}), None)
    assert policy.td_requires == {"sept-ve-disable", "lass"}
    assert policy.td_allows == {"migratable", "perfmon"}


def test_a_revoked_platform_cannot_be_pinned(tmp_path: Path, capsys: Capture) -> None:
    revoked = json.loads(BUNDLES["v4-phala"].collateral)
    revoked["tcb_info"] = revoked["tcb_info"].replace('"UpToDate"', '"Revoked"')
    (tmp_path / "collateral.json").write_text(json.dumps(revoked))
    form = [*files("v4-phala")[0][:3], str(tmp_path / "collateral.json")]
    assert main(["policy", "init", *form]) == 30
    assert "wanted any other status, got Revoked" in capsys.readouterr().err


def evidence_object(guest: Guest) -> bytes:
    bundle = BUNDLES["v4-phala"]
    evidence = Evidence(
        platform=Platform.TDX, statement=write_statement(guest.statement), report=bundle.quote
    )
    return write_evidence(evidence, TdxEndorsements(collateral=bundle.collateral))


def test_a_tdx_guest_is_pinned_with_its_statement(tmp_path: Path, guest: Guest) -> None:
    (tmp_path / "evidence.json").write_bytes(evidence_object(guest))
    options = ["--from", str(tmp_path / "evidence.json"), "--output", str(tmp_path / "p.yaml")]
    assert main(["policy", "init", *options]) == 0
    policy = load_policy(str(tmp_path / "p.yaml"))
    assert isinstance(policy, Policy)
    assert policy.snp is None
    assert policy.statement.models == {guest.statement.model}
    assert policy.tdx is not None
    assert policy.tdx.images[0].mrtd == parse_quote(BUNDLES["v4-phala"].quote).body.mrtd


def test_an_evidence_object_has_its_own_collateral(
    tmp_path: Path, guest: Guest, capsys: Capture
) -> None:
    (tmp_path / "evidence.json").write_bytes(evidence_object(guest))
    more = files("v4-phala")[0][2:]
    assert main(["policy", "init", "--from", str(tmp_path / "evidence.json"), *more]) == 1
    assert "--from goes with nothing else, got --collateral" in capsys.readouterr().err


def filled_in(document: dict[str, Any]) -> Policy:
    if document["snp"] != "none":
        document["snp"]["measurements"] = ["ab" * 48]
        document["snp"]["chips"] = ["cd" * 64]
    image = dict.fromkeys(("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"), "ab" * 48)
    document["tdx"]["images"] = [image]
    document["tdx"]["ppids"] = ["cd" * 16]
    for name in ("models", "prompts", "configurations"):
        document["statement"][name] = ["11" * 32]
    return read_policy(document)


@pytest.mark.parametrize("lines", [(), STRICT_LINES])
def test_a_strict_policy_for_tdx_leaves_nothing_open(lines: tuple[Any, ...]) -> None:
    policy = filled_in(strict(lines, tdx=True))
    assert lint(policy) == ()
    assert (policy.snp is None) == (not lines)


def test_a_strict_draft_says_what_is_to_be_filled_in(tmp_path: Path, capsys: Capture) -> None:
    assert main(["policy", "init", "--tdx", "--output", str(tmp_path / "p.yaml")]) == 0
    assert main(["policy", "lint", str(tmp_path / "p.yaml")]) == 1
    assert "images is empty" in capsys.readouterr().err


def test_a_quote_in_hexadecimal_is_the_quote(tmp_path: Path) -> None:
    bundle, at = BUNDLES["v4-phala"], files("v4-phala")[1]
    (tmp_path / "quote.hex").write_text(bundle.quote.hex() + "\n")
    (tmp_path / "collateral.json").write_bytes(bundle.collateral)
    form = ["--quote", str(tmp_path / "quote.hex"), "--collateral"]
    form.append(str(tmp_path / "collateral.json"))
    path = tmp_path / "policy.yaml"
    assert main(["policy", "init", *form, "--output", str(path)]) == 0
    assert main(["verify", *form, "--policy", str(path), "--at", at]) == 0


def test_a_quote_that_is_too_long_is_not_read(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "quote").write_bytes(b"\x04\x00" + bytes(16384))
    options = ["--quote", str(tmp_path / "quote"), "--collateral", str(tmp_path / "quote")]
    assert main(["policy", "init", *options]) == 10
    assert "at most 16384 bytes" in capsys.readouterr().err
    form, at = files("v4-phala")
    policy = str(tmp_path / "policy.yaml")
    assert main(["policy", "init", *form, "--output", policy]) == 0
    assert main(["verify", *options, "--policy", policy, "--at", at]) == 65
    assert "at most 16384 bytes" in capsys.readouterr().err


def test_mock_collateral_is_for_the_mock_platform() -> None:
    policy, against = pinned_tdx(quote(), collateral())
    assert against == ()
    assert policy.statuses == {TcbStatus.UP_TO_DATE}
