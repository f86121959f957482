# SPDX-License-Identifier: Apache-2.0
"""`sealroom verify` on raw forms: real reports get their verdict, a broken thing its exit code."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError, SnpEndorsements, amd_roots
from attest.closed import write_record
from attest.endorsements import TdxEndorsements, write_endorsements
from attest.roots import write_roots
from attest.tdx.quote import parse_quote
from attest.x509 import parse_crl
from lab.mocktsm import MockSnp, mock_roots
from lab.mocktsm.intel_collateral import collateral
from lab.mocktsm.intel_pki import mock_intel_roots
from sealroom.cli import main
from sealroom.pem import CERTIFICATE, read_ders, read_pem
from sealroom.policy_file import ReportPolicy
from tests.attest.snp.evidence import FOLDER, MANIFEST
from tests.attest.tdx.case import NOW as CASE_NOW
from tests.attest.tdx.evidence import bundles, permissive, strict
from tests.attest.test_azure import td_quote, td_report, wrap_td
from tests.sealroom.guest import Guest

HCL = FOLDER.parent / "azure-hcl"
EXPECTED = {item["name"]: item for item in MANIFEST["expected"]}
MILAN = "milan-virtee"
BUNDLES = bundles()
AT = EXPECTED[MILAN]["at"]
LATER = ["--at", "2026-02-06T00:00:00Z"]
# Genuine, and refused under a policy that pins all that it claims.
NEVER = {"milan-v2-gosev": "debug-allowed"}

Capture = pytest.CaptureFixture[str]


def raw(name: str) -> list[str]:
    """The options for one of the stored reports."""
    return ["--report", str(FOLDER / name / "report.bin"), "--cert", str(FOLDER / name / "vek.der")]


def pin(path: Path, form: list[str]) -> list[str]:
    """The option for a policy that pins what this form claims."""
    assert main(["policy", "init", *form, "--output", str(path)]) == 0
    return ["--policy", str(path)]


def findings(capsys: Capture) -> list[str]:
    told = json.loads(capsys.readouterr().out)["error"]
    return [finding["reason"] for finding in told["findings"]]


@pytest.fixture
def policy(tmp_path: Path) -> list[str]:
    return pin(tmp_path / "policy.yaml", raw(MILAN))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_report_gets_its_verdict(name: str, tmp_path: Path, capsys: Capture) -> None:
    options = [*raw(name), *pin(tmp_path / "policy.yaml", raw(name)), "--at", EXPECTED[name]["at"]]
    code = main(["verify", "--json", *options])
    if name in NEVER:
        assert code == 30
        assert findings(capsys) == [NEVER[name]]
        return
    assert code == 0
    told = json.loads(capsys.readouterr().out)["report"]
    assert told["measurement"] == EXPECTED[name]["measurement"]
    assert told["product_line"] == EXPECTED[name]["line"]


def test_what_no_policy_can_accept_is_told_in_the_draft(tmp_path: Path) -> None:
    pin(tmp_path / "policy.yaml", raw("milan-v2-gosev"))
    assert "# Refused whatever the policy says: debug-allowed" in (
        tmp_path / "policy.yaml"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["milan-v2", "milan-v3"])
def test_a_real_hcl_report_is_accepted(name: str, tmp_path: Path, capsys: Capture) -> None:
    certificate = HCL / name / ("chain.pem" if name == "milan-v2" else "vek.der")
    form = ["--hcl", str(HCL / name / "hcl.bin"), "--cert", str(certificate)]
    policy = pin(tmp_path / "policy.yaml", form)
    assert main(["verify", *form, *policy, "--at", AT]) == 0
    assert "  A1   report-data-mismatch: " in capsys.readouterr().out


def test_claims_that_the_report_does_not_vouch_for_exit_with_50(
    tmp_path: Path, capsys: Capture
) -> None:
    data = (HCL / "milan-v3" / "hcl.bin").read_bytes()
    (tmp_path / "hcl.bin").write_bytes(data.replace(b"HCLAkPub", b"HCLAkPuc"))
    form = ["--hcl", str(tmp_path / "hcl.bin"), "--cert", str(HCL / "milan-v3" / "vek.der")]
    policy = pin(tmp_path / "policy.yaml", form)
    assert main(["verify", "--json", *form, *policy, "--at", AT]) == 50
    assert findings(capsys) == ["report-data-mismatch"]


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


def test_an_snp_hcl_report_alone_lacks_its_certificate(policy: list[str], capsys: Capture) -> None:
    options = ["--hcl", str(HCL / "milan-v3" / "hcl.bin"), *policy]
    assert main(["verify", *options]) == 1
    assert "an SEV-SNP report is inside, which goes with --cert" in capsys.readouterr().err


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
    assert "  A2   quote-of-another-report: MRTD " in capsys.readouterr().out


def test_a_quote_of_another_td_exits_with_50(td: list[str], capsys: Capture) -> None:
    body = parse_quote(td_quote()).body
    Path(td[1]).write_bytes(wrap_td(td_report(body, rtmr3=b"\x09" * 48)))
    assert main(["verify", "--json", *td]) == 50
    assert findings(capsys) == ["quote-of-another-report"]


def test_a_quote_with_an_snp_hcl_report_is_refused_by_name(td: list[str], capsys: Capture) -> None:
    options = ["--hcl", str(HCL / "milan-v3" / "hcl.bin"), *td[2:]]
    assert main(["verify", "--json", *options]) == 10
    assert findings(capsys) == ["unsupported-platform"]


def test_a_report_cut_short_exits_with_10(
    tmp_path: Path, policy: list[str], capsys: Capture
) -> None:
    (tmp_path / "report").write_bytes(bytes(1183))
    options = ["--report", str(tmp_path / "report"), *raw(MILAN)[2:], *policy]
    assert main(["verify", "--json", *options]) == 10
    assert findings(capsys) == ["malformed-report"]


def test_another_chips_certificate_exits_with_20(policy: list[str], capsys: Capture) -> None:
    options = [*raw(MILAN)[:2], *raw("milan-ms-tav")[2:], *policy, *LATER]
    assert main(["verify", "--json", *options]) == 20
    assert findings(capsys) == ["report-signature-invalid"]


def test_another_policy_exits_with_30(tmp_path: Path, policy: list[str], capsys: Capture) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(path.read_text().replace("vmpls: [0]", "vmpls: [3]"))
    assert main(["verify", "--json", *raw(MILAN), *policy, "--at", AT]) == 30
    assert findings(capsys) == ["vmpl-not-accepted"]


def test_two_veks_are_one_too_many(policy: list[str], capsys: Capture) -> None:
    options = [*raw(MILAN), *raw("genoa-ms-tav")[2:], *policy, "--at", AT]
    assert main(["verify", "--json", *options]) == 10
    assert findings(capsys) == ["malformed-vek-certificate"]


def test_a_file_that_is_no_certificate_is_the_veks_parser_to_refuse(
    tmp_path: Path, policy: list[str], capsys: Capture
) -> None:
    (tmp_path / "vek").write_bytes(b"\x30\x00")
    options = [*raw(MILAN)[:2], "--cert", str(tmp_path / "vek"), *policy, "--at", AT]
    assert main(["verify", "--json", *options]) == 10
    assert findings(capsys) == ["malformed-vek-certificate"]


def test_an_authority_that_is_the_verifiers_own_may_come_along(
    tmp_path: Path, policy: list[str]
) -> None:
    (tmp_path / "ask").write_bytes(amd_roots().amd[0].ask.certificate.der)
    options = [*raw(MILAN), "--cert", str(tmp_path / "ask"), *policy, "--at", AT]
    assert main(["verify", *options]) == 0


def test_an_authority_that_is_not_exits_with_20(
    tmp_path: Path, policy: list[str], capsys: Capture
) -> None:
    (tmp_path / "ask").write_bytes(mock_roots().amd[0].ask.certificate.der)
    options = [*raw(MILAN), "--cert", str(tmp_path / "ask"), *policy, "--at", AT]
    assert main(["verify", "--json", *options]) == 20
    assert findings(capsys) == ["unknown-issuer"]


def test_other_roots_are_believed_only_when_named(tmp_path: Path, capsys: Capture) -> None:
    mock = MockSnp()
    (tmp_path / "report").write_bytes(mock.report(bytes(64)))
    (tmp_path / "vek").write_bytes(mock.certificate)
    (tmp_path / "roots.yaml").write_text(json.dumps(write_roots(mock_roots())))
    form = ["--report", str(tmp_path / "report"), "--cert", str(tmp_path / "vek")]
    policy = pin(tmp_path / "policy.yaml", form)
    assert main(["verify", "--json", *form, *policy]) == 20
    assert findings(capsys) == ["unknown-issuer"]
    assert main(["verify", *form, *policy, "--roots", str(tmp_path / "roots.yaml")]) == 0


def test_without_a_policy_the_trust_files_is_taken(tmp_path: Path, guest: Guest) -> None:
    (tmp_path / "trust.yaml").write_bytes(guest.trust_file("https://relay.example"))
    mock = MockSnp()
    (tmp_path / "report").write_bytes(mock.report(bytes(64)))
    (tmp_path / "vek").write_bytes(mock.certificate)
    form = ["--report", str(tmp_path / "report"), "--cert", str(tmp_path / "vek")]
    assert main(["verify", *form, "--trust", str(tmp_path / "trust.yaml")]) == 0
    (tmp_path / "roots.yaml").write_text(json.dumps(write_roots(amd_roots())))
    roots = ["--roots", str(tmp_path / "roots.yaml")]
    assert main(["verify", *form, "--trust", str(tmp_path / "trust.yaml"), *roots]) == 20


def fresh(line: str) -> list[str]:
    crl = parse_crl((FOLDER / "crl" / f"{line}.der").read_bytes())
    return ["--at", (crl.this_update + timedelta(days=1)).isoformat()]


def test_a_crl_is_checked(policy: list[str], capsys: Capture) -> None:
    crl = ["--crl", str(FOLDER / "crl" / "milan.der")]
    assert main(["verify", "--json", *raw(MILAN), *policy, *crl, *fresh("milan")]) == 0
    told = json.loads(capsys.readouterr().out)["report"]
    assert "crl-not-given" not in [note["notice"] for note in told["notes"]]


def test_a_stale_crl_exits_with_20(policy: list[str], capsys: Capture) -> None:
    crl = ["--crl", str(FOLDER / "crl" / "milan.der")]
    options = [*raw(MILAN), *policy, *crl, "--at", "2026-06-01T00:00:00Z"]
    assert main(["verify", "--json", *options]) == 20
    assert findings(capsys) == ["crl-stale"]


def test_a_crl_in_pem_is_one_block(tmp_path: Path, policy: list[str]) -> None:
    path = tmp_path / "crl.pem"
    block = pem("X509 CRL", (FOLDER / "crl" / "milan.der").read_bytes())
    path.write_text(block)
    options = [*raw(MILAN), *policy, "--crl", str(path), *fresh("milan")]
    assert main(["verify", *options]) == 0
    path.write_text(block * 2)
    assert main(["verify", *options]) == 10


def test_a_bundle_does_for_certificates_and_list(tmp_path: Path, policy: list[str]) -> None:
    vek = (FOLDER / MILAN / "vek.der").read_bytes()
    crl = (FOLDER / "crl" / "milan.der").read_bytes()
    bundle = tmp_path / "endorsements.json"
    bundle.write_bytes(write_endorsements(SnpEndorsements(vek=vek, crl=crl)))
    options = [*raw(MILAN)[:2], "--endorsements", str(bundle), *policy]
    assert main(["verify", *options, *fresh("milan")]) == 0
    assert main(["verify", *options, "--at", "2026-06-01T00:00:00Z"]) == 20


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


def test_a_policy_for_reports_is_not_enough_for_a_guest(
    tmp_path: Path, policy: list[str], guest: Guest, capsys: Capture
) -> None:
    (tmp_path / "evidence.json").write_bytes(guest.evidence)
    assert main(["verify", str(tmp_path / "evidence.json"), *policy]) == 1
    assert "wanted format sealroom-policy/1" in capsys.readouterr().err


def test_a_guest_is_accepted_by_a_policy_that_pins_it(tmp_path: Path, guest: Guest) -> None:
    path = tmp_path / "evidence.json"
    path.write_bytes(guest.evidence)
    (tmp_path / "roots.yaml").write_text(json.dumps(write_roots(mock_roots())))
    policy = pin(tmp_path / "policy.yaml", ["--from", str(path)])
    roots = ["--roots", str(tmp_path / "roots.yaml")]
    assert main(["verify", str(path), *policy, *roots]) == 0
    assert main(["verify", str(path), *policy]) == 20


def pem(label: str, der: bytes) -> str:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        pem("CERTIFICATE", b"a") + "and text",
        pem("CERTIFICATE", b"a").replace("END CERTIFICATE", "END OTHER"),
        pem("CERTIFICATE", b"a").replace("YQ==", "Y=Q="),
        pem("CERTIFICATE", b"a") * 17,
        pem("PRIVATE KEY", b"a"),
        " " * (128 * 1024) + pem("CERTIFICATE", b"a"),
    ],
)
def test_a_pem_file_has_blocks_of_its_kind_and_nothing_else(text: str) -> None:
    data = text or "-----BEGIN "
    with pytest.raises(FormatError):
        read_ders(data.encode(), CERTIFICATE, "file")


@given(st.binary(max_size=200))
def test_any_bytes_are_blocks_or_the_packages_error(data: bytes) -> None:
    try:
        read_pem(b"-----BEGIN " + data, "file")
    except FormatError as error:
        assert error.what == "file"
