# SPDX-License-Identifier: Apache-2.0
"""Real reports of every product line, under the pinned roots, at times when they were valid."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from attest import Reason, Refused, SnpEndorsements, Stage, amd_roots
from attest.layout import cells
from attest.result import Notice, VerifiedReport
from attest.snp.certificate import parse_vek
from attest.snp.claims import KEY_NAMES
from attest.snp.product import PRODUCTS, ProductLine
from attest.snp.report import ReportV3, ReportV5, parse_report
from attest.snp.verify import verify_report
from attest.x509 import parse_crl
from lab.mocktsm import mock_roots
from lab.mocktsm.layouts import encode
from lab.mocktsm.pki import vek_certificate
from tests.attest.snp.evidence import FOLDER, MANIFEST, Sample, fitting_policy, load, samples

EACH = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)

# Genuine, and not acceptable: what stands against each under a policy made for it.
REFUSED = {
    "milan-v2-gosev": [Reason.DEBUG_ALLOWED],
    "milan-vlek-trustee": [Reason.VMPL_NOT_ACCEPTED],
}


def test_the_evidence_is_what_the_manifest_says() -> None:
    for row in MANIFEST["files"]:
        assert hashlib.sha256(load(row["file"])).hexdigest() == row["sha256"]
        assert row["licence"] in {"Apache-2.0", "MIT"}
    listed = {row["file"] for row in MANIFEST["files"]} | {"manifest.json", "README.md"}
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert found == listed


def reasons_against(sample: Sample) -> list[Reason]:
    """The findings of a verification, all of which must be of the rules' stage."""
    try:
        verify_report(
            sample.report,
            sample.endorsements,
            fitting_policy(sample),
            roots=amd_roots().amd,
            now=sample.now,
        )
    except Refused as refused:
        assert refused.stage is Stage.RULES
        return [finding.reason for finding in refused.findings]
    return []


@EACH
def test_the_verdict_is_the_expected_one(sample: Sample) -> None:
    wanted = REFUSED.get(sample.name, [])
    assert reasons_against(sample) == wanted
    assert ("DEBUG" in sample.expected["verdict"]) == (Reason.DEBUG_ALLOWED in wanted)
    assert sample.expected["verdict"].startswith("valid")


@EACH
def test_a_real_report_is_refused_under_mock_roots(sample: Sample) -> None:
    with pytest.raises(Refused) as caught:
        verify_report(
            sample.report,
            sample.endorsements,
            fitting_policy(sample),
            roots=mock_roots(sample.expected["line"]).amd,
            now=sample.now,
        )
    assert [finding.reason for finding in caught.value.findings] == [Reason.UNKNOWN_ISSUER]


@EACH
def test_the_fields_are_the_expected_ones(sample: Sample) -> None:
    report, wanted = parse_report(sample.report), sample.expected
    assert report.version == wanted["version"]
    assert hex(report.policy) == wanted["policy"]
    assert hex(report.platform_info) == wanted["platform_info"]
    assert report.vmpl == wanted["vmpl"]
    assert KEY_NAMES[report.signing_key] == wanted["key"]
    for name in ("measurement", "chip_id"):
        assert getattr(report, name).hex() == wanted[name]
    for name in ("reported_tcb", "committed_tcb", "current_tcb", "launch_tcb"):
        assert getattr(report, name).hex() == wanted[name]
    assert isinstance(report, ReportV3) == (report.version >= 3)
    assert isinstance(report, ReportV5) == (report.version == 5)


@EACH
def test_no_other_time_will_do(sample: Sample) -> None:
    certificate = parse_vek(sample.endorsements.vek).certificate
    for now, reason in (
        (certificate.not_before - timedelta(seconds=1), Reason.NOT_YET_VALID),
        (certificate.not_after + timedelta(seconds=1), Reason.EXPIRED),
    ):
        with pytest.raises(Refused) as caught:
            verify_report(
                sample.report,
                sample.endorsements,
                fitting_policy(sample),
                roots=amd_roots().amd,
                now=now,
            )
        assert [finding.reason for finding in caught.value.findings] == [reason]


@EACH
def test_the_mock_writes_the_same_layout(sample: Sample) -> None:
    """Writing a real report's fields again gives its bytes."""
    report = parse_report(sample.report)
    values = {name: getattr(report, name) for name in cells(type(report))}
    assert encode(type(report), values) == sample.report


@EACH
def test_the_mock_mints_the_same_certificate_but_for_names_keys_and_signature(
    sample: Sample,
) -> None:
    real = parse_vek(sample.endorsements.vek)
    line = ProductLine(sample.expected["line"])
    minted = parse_vek(
        vek_certificate(
            line,
            real.kind,
            point=real.certificate.spki[-97:],
            tcb=real.tcb,
            identity=real.hwid or real.csp_id or b"",
            life=(real.certificate.not_before, real.certificate.not_after),
            algorithm=real.certificate.algorithm,
        )
    )
    assert list(minted.certificate.extensions.items()) == list(real.certificate.extensions.items())
    unlike = {"der", "tbs", "issuer", "signature"}
    for field in set(real.certificate.__dataclass_fields__) - unlike:
        assert getattr(minted.certificate, field) == getattr(real.certificate, field)
    assert real.product_name in PRODUCTS[line].names


@pytest.mark.parametrize("name", ["legacy", "new"])
def test_a_certificate_with_a_bad_signature_is_refused(name: str) -> None:
    sample = samples()[0]
    endorsements = SnpEndorsements(vek=load(f"bad-vek/{name}.der"), crl=None)
    with pytest.raises(Refused) as caught:
        verify_report(
            sample.report,
            endorsements,
            fitting_policy(sample),
            roots=amd_roots().amd,
            now=sample.now,
        )
    assert Reason.VEK_SIGNATURE in [finding.reason for finding in caught.value.findings]


@pytest.mark.parametrize(("line", "revoked"), [("milan", frozenset()), ("genoa", {0x20001})])
def test_amds_crls_are_read(line: str, revoked: frozenset[int]) -> None:
    crl = parse_crl(load(f"crl/{line}.der"))
    assert crl.revoked == revoked
    root = next(root for root in amd_roots().amd if root.line.value.lower() == line)
    root.ark.verify(crl)


def verify_with_crl(name: str, line: str, now: datetime | None) -> VerifiedReport:
    """Verify a sample together with AMD's CRL, which the policy then requires."""
    sample = next(sample for sample in samples() if sample.name == name)
    return verify_report(
        sample.report,
        SnpEndorsements(vek=sample.endorsements.vek, crl=load(f"crl/{line}.der")),
        replace(fitting_policy(sample), require_crl=True),
        roots=amd_roots().amd,
        now=now or sample.now,
    )


def test_a_fresh_crl_is_checked() -> None:
    crl = parse_crl(load("crl/milan.der"))
    verified = verify_with_crl("milan-virtee", "milan", crl.this_update + timedelta(days=1))
    assert Notice.CRL_NOT_GIVEN not in [note.notice for note in verified.notes]
    assert verified.expires == crl.next_update


def test_an_old_crl_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        verify_with_crl("genoa-ms-tav", "genoa", None)
    assert [finding.reason for finding in caught.value.findings] == [Reason.CRL_STALE]


def test_the_crl_of_another_line_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        verify_with_crl("milan-virtee", "genoa", None)
    assert [finding.reason for finding in caught.value.findings] == [Reason.CRL_SIGNATURE]
