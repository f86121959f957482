# SPDX-License-Identifier: Apache-2.0
"""`sealroom verify` on raw forms of TDX: quotes, HCL reports of a TD, bundles."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from attest import SnpEndorsements
from attest.closed import write_record
from attest.endorsements import TdxEndorsements, write_endorsements
from attest.roots import write_roots
from attest.tdx.quote import parse_quote
from lab.mocktsm import MockSnp
from lab.mocktsm.intel_collateral import collateral
from lab.mocktsm.intel_pki import mock_intel_roots
from sealroom.cli import main
from sealroom.policy_file import ReportPolicy
from tests.attest.tdx.case import NOW as CASE_NOW
from tests.attest.tdx.evidence import bundles, permissive, strict
from tests.attest.tdx.test_td_report import td_report
from tests.attest.test_azure import td_quote, wrap_td
from tests.sealroom.raw import AT, HCL, MILAN, Capture, findings, pin, raw

BUNDLES = bundles()


@pytest.fixture
def policy(tmp_path: Path) -> list[str]:
    return pin(tmp_path / "policy.yaml", raw(MILAN))


def test_a_quote_is_refused_by_a_policy_for_snp_alone(
    tmp_path: Path, policy: list[str], capsys: Capture
) -> None:
    (tmp_path / "quote").write_bytes(bytes(48))
    options = ["--quote", str(tmp_path / "quote"), "--collateral", str(tmp_path / "quote")]
    assert main(["verify", "--json", *options, *policy]) == 10
    assert findings(capsys) == ["unsupported-platform"]


def quote(name: str, path: Path, **changes: object) -> list[str]:
    """The options for one of the stored quotes, and a policy: strict but for the changes."""
    bundle = BUNDLES[name]
    (path / "quote.bin").write_bytes(bundle.quote)
    (path / "collateral.json").write_bytes(bundle.collateral)
    tdx = replace(strict(bundle.quote), **changes)  # type: ignore[arg-type]  # by name
    document = write_record(ReportPolicy(snp=None, tdx=tdx))
    (path / "tdx.yaml").write_text(json.dumps(document))
    options = ["--quote", str(path / "quote.bin"), "--collateral", str(path / "collateral.json")]
    return [*options, "--policy", str(path / "tdx.yaml"), "--at", bundle.now.isoformat()]


@pytest.mark.parametrize("name", ["v4-phala", "gotdx-v5"])
def test_a_real_quote_is_accepted(name: str, tmp_path: Path, capsys: Capture) -> None:
    assert main(["verify", "--json", *quote(name, tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)["report"]
    assert (told["platform"], told["tcb_status"]) == ("tdx", "UpToDate")
    assert bytes.fromhex(told["measurement"]) == parse_quote(BUNDLES[name].quote).body.mrtd


def test_an_advisory_that_is_accepted_is_told(tmp_path: Path, capsys: Capture) -> None:
    bundle = BUNDLES["azure-trustee-old"]
    policy = permissive(bundle.quote)
    changes = {name: getattr(policy, name) for name in policy.__dataclass_fields__}
    assert main(["verify", *quote(bundle.name, tmp_path, **changes)]) == 0
    told = capsys.readouterr().out
    assert "note         tcb-not-up-to-date: OutOfDate" in told
    assert "\nadvisories   INTEL-SA-" in told


def test_a_changed_quote_exits_with_20(tmp_path: Path, capsys: Capture) -> None:
    options = quote("v4-phala", tmp_path)
    data = bytearray(BUNDLES["v4-phala"].quote)
    data[0x30 + 0x208] ^= 1  # the report data
    (tmp_path / "quote.bin").write_bytes(data)
    assert main(["verify", "--json", *options]) == 20
    assert findings(capsys) == ["quote-signature-invalid"]


def test_another_image_exits_with_30(tmp_path: Path, capsys: Capture) -> None:
    other = replace(strict(BUNDLES["v4-phala"].quote).images[0], mrtd=bytes(48))
    assert main(["verify", "--json", *quote("v4-phala", tmp_path, images=(other,))]) == 30
    assert findings(capsys) == ["unknown-measurement"]


def test_a_report_is_refused_by_a_policy_for_tdx_alone(tmp_path: Path, capsys: Capture) -> None:
    policy = quote("v4-phala", tmp_path)[4:6]
    assert main(["verify", "--json", *raw(MILAN), *policy, "--at", AT]) == 10
    assert findings(capsys) == ["unsupported-platform"]


def test_a_policy_for_tdx_alone_is_linted(tmp_path: Path, capsys: Capture) -> None:
    path = quote("v4-phala", tmp_path, trailing_bytes=True)[5]
    assert main(["policy", "lint", "--strict", path]) == 1
    told = capsys.readouterr().out
    assert "\ntdx-trailing-bytes: tdx.trailing_bytes\n" in told
    assert "CVE-2024-27457" in told


def test_a_policy_for_no_platform_is_refused(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "none.yaml"
    path.write_text("format: sealroom-report-policy/1\nsnp: none\ntdx: none\n")
    assert main(["policy", "lint", str(path)]) == 1
    assert "there is no platform" in capsys.readouterr().err


def test_a_tdx_hcl_report_is_refused_by_name(policy: list[str], capsys: Capture) -> None:
    options = ["--hcl", str(HCL / "tdx" / "hcl.bin"), *raw(MILAN)[2:]]
    assert main(["verify", "--json", *options, *policy]) == 10
    assert findings(capsys) == ["unsupported-platform"]
    assert main(["policy", "init", *options]) == 10


def test_a_tdx_hcl_report_alone_is_signed_by_nothing(policy: list[str], capsys: Capture) -> None:
    options = ["--hcl", str(HCL / "tdx" / "hcl.bin"), *policy]
    assert main(["verify", "--json", *options]) == 20
    assert findings(capsys) == ["quote-required"]


@pytest.fixture
def td(tmp_path: Path) -> list[str]:
    """The options for a mock TD's HCL report with a quote of it, roots and policy included."""
    quoted = td_quote()
    files = {
        "hcl": wrap_td(td_report(parse_quote(quoted).body)),
        "quote": quoted,
        "collateral": collateral(),
        "roots": json.dumps(write_roots(mock_intel_roots())).encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    options = [word for name in files for word in (f"--{name}", str(tmp_path / name))]
    return [*options, *pin(tmp_path / "td.yaml", options[2:6]), "--at", CASE_NOW.isoformat()]


def test_a_tdx_hcl_report_is_accepted_with_a_quote_of_it(td: list[str], capsys: Capture) -> None:
    assert main(["verify", *td]) == 0
    assert "  A2   not quote-of-another-report: MRTD " in capsys.readouterr().out


def test_a_quote_of_another_td_exits_with_50(td: list[str], capsys: Capture) -> None:
    body = parse_quote(td_quote()).body
    Path(td[1]).write_bytes(wrap_td(td_report(body, rtmr3=b"\x09" * 48)))
    assert main(["verify", "--json", *td]) == 50
    assert findings(capsys) == ["quote-of-another-report"]


def test_a_quote_with_an_snp_hcl_report_is_refused_by_name(td: list[str], capsys: Capture) -> None:
    options = ["--hcl", str(HCL / "milan-v3" / "hcl.bin"), *td[2:]]
    assert main(["verify", "--json", *options]) == 10
    assert findings(capsys) == ["unsupported-platform"]


def test_a_bundle_does_for_collateral(tmp_path: Path, td: list[str]) -> None:
    bundle = tmp_path / "endorsements.json"
    bundle.write_bytes(write_endorsements(TdxEndorsements(collateral=collateral())))
    td[4:6] = ["--endorsements", str(bundle)]
    assert main(["verify", *td]) == 0
    assert main(["verify", *td[2:]]) == 0


def test_a_bundle_of_another_platform_is_refused(
    tmp_path: Path, td: list[str], policy: list[str], capsys: Capture
) -> None:
    bundle = tmp_path / "endorsements.json"
    bundle.write_bytes(write_endorsements(TdxEndorsements(collateral=collateral())))
    options = [*raw(MILAN)[:2], "--endorsements", str(bundle), *policy]
    assert main(["verify", "--json", *options]) == 10
    assert findings(capsys) == ["endorsements-of-another-platform"]
    bundle.write_bytes(write_endorsements(SnpEndorsements(vek=MockSnp().certificate, crl=None)))
    td[4:6] = ["--endorsements", str(bundle)]
    assert main(["verify", "--json", *td]) == 10
    assert findings(capsys) == ["endorsements-of-another-platform"]
    bundle.write_bytes(b"{}")
    assert main(["verify", "--json", *options]) == 10
