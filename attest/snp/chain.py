# SPDX-License-Identifier: Apache-2.0
"""VEK → ASK or ASVK → ARK at one moment (rules S5 to S7).

The issuer is found among the verifier's own roots by its name's exact bytes, and the line of
products is the root's, not the certificate's word. Every VEK has serial number 0, so AMD's CRL can
only revoke intermediates; a VEK's serial is compared when it is not 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature

from attest.findings import Finding, Reason, Refused, Stage
from attest.snp.certificate import Vek
from attest.snp.key_kind import KeyKind
from attest.snp.roots import AmdRoot, Authority
from attest.x509 import Certificate, Crl, common_name


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that holds at the moment it was checked for.

    Attributes:
        root: the root that it leads to.
        expires: when the first of its parts ends.
        crl_checked: whether a revocation list was among them.
    """

    root: AmdRoot
    expires: datetime
    crl_checked: bool


def verify_chain(
    vek: Vek, crl: Crl | None, roots: tuple[AmdRoot, ...], *, require_crl: bool, now: datetime
) -> Chain:
    """Check that one of the roots vouches for the VEK at ``now``.

    Raises:
        Refused: stage chain; with every finding once an issuer is known.
    """
    root, issuer = _issuer(vek, roots)
    parts = {
        vek.kind.upper(): vek.certificate,
        "ASK" if vek.kind is KeyKind.VCEK else "ASVK": issuer.certificate,
        "ARK": root.ark.certificate,
    }
    findings: list[Finding] = []
    try:
        issuer.verify(vek.certificate)
    except InvalidSignature:
        wanted = f"a signature by {common_name(issuer.certificate.subject)}"
        findings.append(Finding(Reason.VEK_SIGNATURE, wanted, "one that does not verify"))
    for name, certificate in parts.items():
        findings += _lifetime(name, certificate, now)
    if crl is not None:
        findings += _revocation(crl, root.ark, parts, now)
    elif require_crl:
        findings.append(Finding(Reason.CRL_REQUIRED, f"the CRL of {root.line}", "none"))
    if findings:
        raise Refused(Stage.CHAIN, findings)
    ends = [certificate.not_after for certificate in parts.values()]
    if crl is not None:
        ends.append(crl.next_update)
    return Chain(root, min(ends), crl_checked=crl is not None)


def _issuer(vek: Vek, roots: tuple[AmdRoot, ...]) -> tuple[AmdRoot, Authority]:
    for root in roots:
        authority = root.ask if vek.kind is KeyKind.VCEK else root.asvk
        if authority is not None and authority.certificate.subject == vek.certificate.issuer:
            return root, authority
    wanted = f"an issuer of {vek.kind.upper()}s among {len(roots)} roots"
    got = common_name(vek.certificate.issuer)
    raise Refused(Stage.CHAIN, [Finding(Reason.UNKNOWN_ISSUER, wanted, got)])


def _lifetime(name: str, certificate: Certificate, now: datetime) -> list[Finding]:
    if now < certificate.not_before:
        wanted = f"{name} not before {certificate.not_before.isoformat()}"
        return [Finding(Reason.NOT_YET_VALID, wanted, now.isoformat())]
    if now > certificate.not_after:
        wanted = f"{name} not after {certificate.not_after.isoformat()}"
        return [Finding(Reason.EXPIRED, wanted, now.isoformat())]
    return []


def _revocation(
    crl: Crl, ark: Authority, parts: dict[str, Certificate], now: datetime
) -> list[Finding]:
    try:
        ark.verify(crl)
    except InvalidSignature:
        wanted = f"a CRL signed by {common_name(ark.certificate.subject)}"
        return [Finding(Reason.CRL_SIGNATURE, wanted, f"one of {common_name(crl.issuer)}")]
    findings: list[Finding] = []
    if not crl.this_update <= now < crl.next_update:
        window = f"{crl.this_update.isoformat()} to {crl.next_update.isoformat()}"
        findings.append(Finding(Reason.CRL_STALE, window, now.isoformat()))
    for name, certificate in parts.items():
        if certificate.serial and certificate.serial in crl.revoked:
            got = f"serial 0x{certificate.serial:x}"
            findings.append(Finding(Reason.REVOKED, f"{name} not revoked", got))
    return findings
