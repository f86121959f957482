# SPDX-License-Identifier: Apache-2.0
"""Real evidence for `bench.attest`: what each candidate is given, ours and the others' alike."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from attest import SnpEndorsements, amd_roots
from attest.snp.policy import SnpPolicy
from attest.snp.report import parse_report
from attest.tdx.policy import TdxPolicy
from attest.x509 import parse_crl
from tests.attest.snp import evidence as snp
from tests.attest.tdx import evidence as tdx

SNP_SAMPLE: Final = "milan-ms-tav"  # report version 3, VCEK
SNP_CRL: Final = "crl/milan.der"
TDX_BUNDLE: Final = "v4-phala"  # quote version 4, UpToDate


@dataclass(frozen=True)
class SnpMaterial:
    """A report of Milan with everything that AMD publishes about its key."""

    name: str
    line: str
    report: bytes
    vek: bytes
    ask: bytes
    ark: bytes
    crl: bytes
    now: datetime
    policy: SnpPolicy

    @property
    def endorsements(self) -> SnpEndorsements:
        """Without a revocation list, as most peers take them."""
        return SnpEndorsements(vek=self.vek, crl=None)

    @property
    def with_crl(self) -> SnpEndorsements:
        """With one."""
        return SnpEndorsements(vek=self.vek, crl=self.crl)

    @property
    def strict_policy(self) -> SnpPolicy:
        """The policy that wants the list."""
        return replace(self.policy, require_crl=True)

    @property
    def measurement(self) -> bytes:
        """Of the guest's launch."""
        return parse_report(self.report).measurement

    @property
    def report_data(self) -> bytes:
        """What the guest had vouched for."""
        return parse_report(self.report).report_data


@dataclass(frozen=True)
class TdxMaterial:
    """A quote with Intel's collateral for its platform, at a time when that was in force."""

    name: str
    quote: bytes
    collateral: bytes
    now: datetime
    policy: TdxPolicy


def snp_material() -> SnpMaterial:
    """A time within the revocation list's window."""
    sample = next(x for x in snp.samples() if x.name == SNP_SAMPLE)
    root = next(x for x in amd_roots().amd if x.line == sample.expected["line"])
    crl = snp.load(SNP_CRL)
    return SnpMaterial(
        name=SNP_SAMPLE,
        line=root.line.value,
        report=sample.report,
        vek=sample.endorsements.vek,
        ask=root.ask.certificate.der,
        ark=root.ark.certificate.der,
        crl=crl,
        now=parse_crl(crl).next_update - timedelta(days=1),
        policy=snp.fitting_policy(sample),
    )


def tdx_material() -> TdxMaterial:
    """A bundle that Intel rates UpToDate."""
    bundle = tdx.bundles()[TDX_BUNDLE]
    return TdxMaterial(
        TDX_BUNDLE, bundle.quote, bundle.collateral, bundle.now, tdx.strict(bundle.quote)
    )


def pem(der: bytes, label: str = "CERTIFICATE") -> str:
    """DER in PEM (RFC 7468)."""
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
