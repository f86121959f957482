# SPDX-License-Identifier: Apache-2.0
"""A guest that verifies, and one change at a time to it.

`Case` holds everything that a verification takes. Its parts come from the mock platform with valid
values; a test changes one and looks for exactly one reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest import Evidence, Refused, Roots, SnpEndorsements, VerifiedGuest, verify
from attest.evidence import Endorsements
from attest.policy import Policy
from attest.snp.key_kind import KeyKind
from attest.snp.policy import SnpPolicy
from attest.statement import (
    PRODUCT,
    Platform,
    Statement,
    Variant,
    report_data,
    write_statement,
)
from lab.mocktsm import MockSnp, mock_policy, mock_roots
from lab.mocktsm.pki import vek_certificate
from lab.mocktsm.snp import MOCK_CSP_ID

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())

MODEL, PROMPTS, CONFIGURATION = (
    hashlib.sha256(word).digest() for word in (b"model", b"prompts", b"configuration")
)

STATEMENT = Statement(
    product=PRODUCT,
    variant=Variant.MOCK,
    platform=Platform.SEV_SNP,
    key_configs=(b"\x01" * 41, b"\x02" * 41),
    not_before=NOW_S - 60,
    not_after=NOW_S + 1740,
    epoch=7,
    model=MODEL,
    prompts=PROMPTS,
    configuration=CONFIGURATION,
    lacking=(),
    receipt_key=b"\x03" * 32,
    checkpoint=None,
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything that a verification takes."""

    evidence: Evidence
    endorsements: Endorsements
    policy: Policy
    roots: Roots
    now: datetime = NOW

    def verify(self) -> VerifiedGuest:
        return verify(self.evidence, self.endorsements, self.policy, roots=self.roots, now=self.now)

    def refusal(self) -> Refused:
        """The refusal that this case ends in."""
        try:
            self.verify()
        except Refused as refused:
            return refused
        raise AssertionError("nothing was refused")

    @property
    def snp_policy(self) -> SnpPolicy:
        """The part of the policy for SEV-SNP."""
        if self.policy.snp is None:
            raise TypeError("not an SNP case")
        return self.policy.snp

    def snp(self, **changes: Any) -> Case:
        """The same under another SNP policy."""
        return replace(self, policy=replace(self.policy, snp=replace(self.snp_policy, **changes)))

    def product(self, **changes: Any) -> Case:
        """The same under another policy for its product line."""
        (product,) = self.snp_policy.products
        return self.snp(products=(replace(product, **changes),))

    def stated(self, **changes: Any) -> Case:
        """The same under another policy for the statement."""
        statement = replace(self.policy.statement, **changes)
        return replace(self, policy=replace(self.policy, statement=statement))

    def endorsed(self, vek: bytes | None = None, crl: bytes | None = None) -> Case:
        """The same with other endorsements."""
        if not isinstance(self.endorsements, SnpEndorsements):
            raise TypeError("not an SNP case")
        vek = self.endorsements.vek if vek is None else vek
        return replace(self, endorsements=SnpEndorsements(vek=vek, crl=crl))


def good(
    *,
    line: str = "Milan",
    version: int = 3,
    kind: KeyKind = KeyKind.VCEK,
    statement: Statement = STATEMENT,
    report: dict[str, int | bytes] | None = None,
    vek: dict[str, Any] | None = None,
    change: Callable[[bytes], bytes] = lambda data: data,
) -> Case:
    """A case that verifies, unless something is changed.

    Args:
        line: product line.
        version: report version.
        kind: signing key.
        statement: what the guest says of itself.
        report: fields of the report to set, before it is signed.
        vek: arguments of `vek_certificate` to set.
        change: applied to the report after it was signed.
    """
    chip = MockSnp(line=line, version=version, kind=kind)
    written = write_statement(statement)
    signed = chip.report(report_data(written), **(report or {}))
    point = (
        chip.key(chip.tcb).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    )
    subject: dict[str, Any] = {
        "point": point,
        "tcb": chip.tcb.raw,
        "identity": chip.hwid if kind is KeyKind.VCEK else MOCK_CSP_ID,
    }
    certificate = vek_certificate(chip.line, kind, **(subject | (vek or {})))
    return Case(
        evidence=Evidence(platform=Platform.SEV_SNP, statement=written, report=change(signed)),
        endorsements=SnpEndorsements(vek=certificate, crl=None),
        policy=mock_policy(
            platform=chip,
            model=MODEL,
            prompts=PROMPTS,
            configuration=CONFIGURATION,
            max_life_s=3600,
        ),
        roots=mock_roots(line),
    )
