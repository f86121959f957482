# SPDX-License-Identifier: Apache-2.0
"""`sealroom verify` on raw forms: real reports get their verdict, a broken thing its code."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError, SnpEndorsements, amd_roots
from attest.endorsements import write_endorsements
from attest.roots import write_roots
from attest.x509 import parse_crl
from lab.mocktsm import MockSnp, mock_roots
from sealroom.cli import main
from sealroom.pem import CERTIFICATE, read_ders, read_pem
from tests.attest.snp.evidence import FOLDER
from tests.sealroom.guest import Guest
from tests.sealroom.raw import AT, EXPECTED, HCL, MILAN, Capture, findings, pin, raw

LATER = ["--at", "2026-02-06T00:00:00Z"]
# Genuine, and refused under a policy that pins all that it claims.
NEVER = {"milan-v2-gosev": "debug-allowed"}


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
    assert "  A1   not report-data-mismatch: " in capsys.readouterr().out


def test_claims_that_the_report_does_not_vouch_for_exit_with_50(
    tmp_path: Path, capsys: Capture
) -> None:
    data = (HCL / "milan-v3" / "hcl.bin").read_bytes()
    (tmp_path / "hcl.bin").write_bytes(data.replace(b"HCLAkPub", b"HCLAkPuc"))
    form = ["--hcl", str(tmp_path / "hcl.bin"), "--cert", str(HCL / "milan-v3" / "vek.der")]
    policy = pin(tmp_path / "policy.yaml", form)
    assert main(["verify", "--json", *form, *policy, "--at", AT]) == 50
    assert findings(capsys) == ["report-data-mismatch"]


def test_an_snp_hcl_report_alone_lacks_its_certificate(policy: list[str], capsys: Capture) -> None:
    options = ["--hcl", str(HCL / "milan-v3" / "hcl.bin"), *policy]
    assert main(["verify", *options]) == 1
    assert "an SEV-SNP report is inside, which goes with --cert" in capsys.readouterr().err


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


def test_text_before_a_block_is_told_from_der() -> None:
    data = f"Certificate:\n    Data: ...\n{pem(CERTIFICATE, b'der')}"
    with pytest.raises(FormatError, match="nothing before its first block"):
        read_ders(data.encode(), CERTIFICATE, "file")
