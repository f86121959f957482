# SPDX-License-Identifier: Apache-2.0
"""The rows of SEV-SNP: reports, Azure's HCL reports, certificates, revocation lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature

from attest import FormatError, Reason, Refused, SnpEndorsements, Stage, amd_roots
from attest.azure import ReportType, parse_hcl, refuse_unsigned, verify_hcl
from attest.snp.certificate import parse_vek
from attest.snp.chain import verify_chain
from attest.snp.roots import AmdRoot
from attest.snp.verify import verify_report
from attest.x509 import Crl, common_name, parse_certificate, parse_crl
from lab.evidence_table.policies import snp_policy
from lab.evidence_table.row import Row, Verdict, judge
from sealroom.pem import CERTIFICATE, read_ders

CLOCK = datetime(2025, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PINNED = "one of the pinned roots"

# What the directory's words for a verdict mean: the reasons of the refusal, none for acceptance.
VERDICTS: dict[str, tuple[Reason, ...]] = {
    "valid": (),
    "valid-signature-but-DEBUG-policy": (Reason.DEBUG_ALLOWED,),
}


def rows(folder: Path) -> Iterator[Row]:
    """Every item of AMD's in the directory."""
    expected: list[dict[str, Any]] = json.loads((folder / "amd" / "expected.json").read_text())
    yield from (_report(folder, row) for row in expected)
    for path in sorted(folder.glob("azure/*/hcl_report.bin")):
        yield _hcl(folder, path)
    for path in sorted(folder.glob("negative/amd/*.der")):
        yield _bad_vek(folder, path, expected)
    for path in sorted(folder.glob("amd/crl/*.der")):
        yield _crl(folder, path)
    for path in sorted((folder / "amd").rglob("*.pem")):
        if path.parent.name == "kds_cert_chain" or "roots" in path.parts:
            yield _authorities(folder, path)
    for path in sorted((folder / "amd").glob("*-only/vcek.*")):
        yield _vek_alone(folder, path)


def load_certificate(path: Path) -> bytes:
    """The first certificate of a file, PEM or DER."""
    return read_ders(path.read_bytes(), CERTIFICATE, path.name)[0]


def clock_for(vek: bytes) -> datetime:
    """The directory's clock: one day, or the certificate's second one if it is younger."""
    return max(CLOCK, parse_vek(vek).certificate.not_before + DAY)


def _report(folder: Path, expected: dict[str, Any]) -> Row:
    report = (folder / expected["report"]).read_bytes()
    vek = load_certificate(folder / expected["vek"])
    now = clock_for(vek)
    got = judge(
        partial(
            verify_report,
            report,
            SnpEndorsements(vek=vek, crl=None),
            snp_policy(report, vek),
            roots=amd_roots().amd,
            now=now,
        )
    )
    key = expected["vek_kind"].removeprefix("SEV-")
    return Row(
        item=expected["report"],
        what=f"report, version {expected['version']}, {expected['product_name']}, {key}",
        clock=now,
        expected=expected["verdict"],
        got=got,
        agrees=VERDICTS.get(expected["verdict"]) == got.reasons,
    )


def _hcl(folder: Path, path: Path) -> Row:
    data, item = path.read_bytes(), str(path.relative_to(folder))
    hcl = parse_hcl(data)
    if hcl.kind is ReportType.TDX:
        return Row(
            item=item,
            what="Azure HCL report, TDREPORT inside",
            clock=None,
            expected="nothing signed: refused without a quote",
            got=(got := judge(partial(refuse_unsigned, data))),
            agrees=got.reasons == (Reason.QUOTE_REQUIRED,),
        )
    vek = load_certificate(next(path.parent.glob("v[cl]ek.*")))
    now = clock_for(vek)
    got = judge(
        partial(
            verify_hcl,
            data,
            SnpEndorsements(vek=vek, crl=None),
            snp_policy(hcl.report, vek),
            roots=amd_roots().amd,
            now=now,
        )
    )
    return Row(
        item=item,
        what="Azure HCL report, SEV-SNP report inside",
        clock=now,
        expected="valid, and bound to its runtime claims",
        got=got,
        agrees=got.stage is None,
    )


def _bad_vek(folder: Path, path: Path, expected: list[dict[str, Any]]) -> Row:
    good = next(row for row in expected if row["verdict"] == "valid")
    report = (folder / good["report"]).read_bytes()
    policy = snp_policy(report, load_certificate(folder / good["vek"]))
    vek = path.read_bytes()
    got = judge(
        partial(
            verify_report,
            report,
            SnpEndorsements(vek=vek, crl=None),
            policy,
            roots=amd_roots().amd,
            now=(now := clock_for(vek)),
        )
    )
    return Row(
        item=str(path.relative_to(folder)),
        what="VCEK certificate, with another's report",
        clock=now,
        expected="bad signature",
        got=got,
        agrees=got.reasons == (Reason.VEK_SIGNATURE,),
    )


def _crl(folder: Path, path: Path) -> Row:
    crl = parse_crl(path.read_bytes())
    signers = [root for root in amd_roots().amd if _signed(root, crl)]
    revoked = ", ".join(f"0x{serial:x}" for serial in sorted(crl.revoked)) or "nothing"
    return Row(
        item=str(path.relative_to(folder)),
        what=f"revocation list of {common_name(crl.issuer)}, revokes {revoked}",
        clock=None,
        expected="signed by the pinned ARK",
        got=Verdict() if signers else Verdict(Stage.CHAIN, (Reason.CRL_SIGNATURE,)),
        agrees=bool(signers),
    )


def _signed(root: AmdRoot, crl: Crl) -> bool:
    try:
        root.ark.verify(crl)
    except InvalidSignature:
        return False
    return True


def _authorities(folder: Path, path: Path) -> Row:
    ders = read_ders(path.read_bytes(), CERTIFICATE, path.name)
    names = [common_name(parse_certificate(der).subject) for der in ders]
    held = (a for root in amd_roots().amd for a in (root.ark, root.ask, root.asvk))
    pinned = {authority.certificate.der for authority in held if authority is not None}
    agrees = set(ders) <= pinned
    return Row(
        item=str(path.relative_to(folder)),
        what=f"certificates of {', '.join(names)}",
        clock=None,
        expected=PINNED,
        got=Verdict() if agrees else Verdict(Stage.CHAIN, (Reason.UNKNOWN_ISSUER,)),
        agrees=agrees,
    )


def _vek_alone(folder: Path, path: Path) -> Row:
    vek = load_certificate(path)
    now, got = clock_for(vek), Verdict()
    try:
        parsed = parse_vek(vek)
        verify_chain(parsed, None, amd_roots().amd, require_crl=False, now=now)
    except FormatError:
        got = Verdict(Stage.FORMAT, (Reason.MALFORMED_VEK,))
    except Refused as refused:
        got = Verdict(refused.stage, tuple(finding.reason for finding in refused.findings))
    return Row(
        item=str(path.relative_to(folder)),
        what="VCEK certificate without a report",
        clock=now,
        expected="vouched for by a pinned root",
        got=got,
        agrees=got.stage is None,
    )
