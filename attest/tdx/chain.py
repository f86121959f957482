# SPDX-License-Identifier: Apache-2.0
"""PCK → CA → root, and everything else that Intel signed, at one moment (rules T2 to T6).

The root is one of the verifier's own, compared byte by byte; both revocation lists, TCB information
and QE identity are always required, and TCB information must be of this platform. Each row of
`CHAIN_RULES` is a predicate over the moment and the parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from attest.findings import Finding, Outcome, Reason, Refused, Rule, Stage, apply, conclude
from attest.tdx.certificate import PckChain
from attest.tdx.collateral import Collateral, Signed
from attest.tdx.roots import Holder, IntelRoot
from attest.tdx.tcb_info import Issue
from attest.x509 import Certificate, Crl, common_name


@dataclass(frozen=True, slots=True)
class Parts:
    """A chain and collateral, and the root of the verifier's that they must lead to.

    Attributes:
        root: the verifier's.
        chain: the quote's.
        collateral: all of it.
        certificates: every certificate that is relied on, by what it is called here.
        crls: both revocation lists.
        issues: when TCB information and QE identity were issued and end.
    """

    root: Holder
    chain: PckChain
    collateral: Collateral
    certificates: dict[str, Certificate]
    crls: dict[str, Crl]
    issues: dict[str, Issue]

    @property
    def signers(self) -> tuple[Holder, ...]:
        """Who signed TCB information and QE identity; most often one and the same."""
        documents = (self.collateral.signed_tcb_info, self.collateral.signed_qe_identity)
        return tuple({d.signer.certificate.der: d.signer for d in documents}.values())

    @property
    def revoked(self) -> list[str]:
        """The certificates that one of the lists revokes."""
        lists = self.crls
        return [
            name
            for name, certificate in self.certificates.items()
            if certificate.serial in lists["PCK CRL" if name == "PCK" else "root CRL"].revoked
        ]

    @property
    def crl_issuer_is_pck_issuer(self) -> bool:
        """Whether the PCK CRL's issuer is the PCK's: one name, one key, vouched for by the root."""
        issuer, ca = self.collateral.pck_crl_issuer.certificate, self.chain.ca.certificate
        return issuer.der == ca.der or (
            (issuer.subject, issuer.spki) == (ca.subject, ca.spki) and self.root.issued(issuer)
        )

    @property
    def expires(self) -> datetime:
        """When the first of them ends."""
        ends = [certificate.not_after for certificate in self.certificates.values()]
        ends += [crl.next_update for crl in self.crls.values()]
        return min(ends + [issue.next_update for issue in self.issues.values()])


def _parts(root: Holder, chain: PckChain, collateral: Collateral) -> Parts:
    tcb_info, qe_identity = collateral.signed_tcb_info, collateral.signed_qe_identity
    return Parts(
        root=root,
        chain=chain,
        collateral=collateral,
        certificates={
            "PCK": chain.pck.holder.certificate,
            "PCK CA": chain.ca.certificate,
            "PCK CRL issuer": collateral.pck_crl_issuer.certificate,
            "TCB info signer": tcb_info.signer.certificate,
            "QE identity signer": qe_identity.signer.certificate,
            "root": root.certificate,
        },
        crls={"root CRL": collateral.root_crl, "PCK CRL": collateral.pck_crl},
        issues={"TCB info": collateral.tcb_info.issue, "QE identity": collateral.qe_identity.issue},
    )


def _signed(document: Signed) -> bool:
    return document.signer.signed(document.signature, document.data)


def _latest(starts: Iterable[tuple[datetime, str]]) -> str:
    moment, name = max(starts)
    return f"{name} from {moment.isoformat()}"


def _earliest(ends: Iterable[tuple[datetime, str]]) -> str:
    moment, name = min(ends)
    return f"{name} to {moment.isoformat()}"


CHAIN_RULES: tuple[Rule[datetime, Parts], ...] = (
    Rule(
        "T3",
        Reason.PCK_CA_SIGNATURE,
        lambda now, c: c.root.issued(c.chain.ca.certificate),
        lambda now, c: "a PCK CA signed by the root",
        lambda c: common_name(c.chain.ca.certificate.subject),
    ),
    Rule(
        "T3",
        Reason.PCK_SIGNATURE,
        lambda now, c: c.chain.ca.issued(c.chain.pck.holder.certificate),
        lambda now, c: "a PCK signed by its CA",
        lambda c: f"serial 0x{c.chain.pck.holder.certificate.serial:x}",
    ),
    Rule(
        "T3",
        Reason.NOT_YET_VALID,
        lambda now, c: all(x.not_before <= now for x in c.certificates.values()),
        lambda now, c: f"certificates valid at {now.isoformat()}",
        lambda c: _latest((x.not_before, name) for name, x in c.certificates.items()),
    ),
    Rule(
        "T3",
        Reason.EXPIRED,
        lambda now, c: all(now <= x.not_after for x in c.certificates.values()),
        lambda now, c: f"certificates valid at {now.isoformat()}",
        lambda c: _earliest((x.not_after, name) for name, x in c.certificates.items()),
    ),
    Rule(
        "T4",
        Reason.ROOT_CRL_SIGNATURE,
        lambda now, c: c.root.issued(c.collateral.root_crl),
        lambda now, c: "a root CRL signed by the root",
        lambda c: common_name(c.collateral.root_crl.issuer),
    ),
    Rule(
        "T4",
        Reason.PCK_CRL_ISSUER,
        lambda now, c: c.crl_issuer_is_pck_issuer,
        lambda now, c: f"the PCK's, {common_name(c.chain.ca.certificate.subject)}",
        lambda c: common_name(c.collateral.pck_crl_issuer.certificate.subject),
    ),
    Rule(
        "T4",
        Reason.PCK_CRL_SIGNATURE,
        lambda now, c: c.collateral.pck_crl_issuer.issued(c.collateral.pck_crl),
        lambda now, c: "a PCK CRL signed by its issuer",
        lambda c: common_name(c.collateral.pck_crl.issuer),
    ),
    Rule(
        "T4",
        Reason.CRL_STALE,
        lambda now, c: all(x.this_update <= now < x.next_update for x in c.crls.values()),
        lambda now, c: f"lists in force at {now.isoformat()}",
        lambda c: "; ".join(
            f"{name} {x.this_update.isoformat()} to {x.next_update.isoformat()}"
            for name, x in c.crls.items()
        ),
    ),
    Rule(
        "T4",
        Reason.REVOKED,
        lambda now, c: not c.revoked,
        lambda now, c: "nothing revoked",
        lambda c: ", ".join(c.revoked) or "nothing",
    ),
    Rule(
        "T5",
        Reason.COLLATERAL_ROOT,
        lambda now, c: all(x == c.root.certificate.der for x in c.collateral.roots),
        lambda now, c: f"three times {hashlib.sha256(c.root.certificate.der).hexdigest()}",
        lambda c: ", ".join(hashlib.sha256(x).hexdigest() for x in c.collateral.roots),
    ),
    Rule(
        "T5",
        Reason.COLLATERAL_SIGNER,
        lambda now, c: all(c.root.issued(x.certificate) for x in c.signers),
        lambda now, c: "a signer that the root vouches for",
        lambda c: ", ".join(f"serial 0x{x.certificate.serial:x}" for x in c.signers),
    ),
    Rule(
        "T5",
        Reason.TCB_INFO_SIGNATURE,
        lambda now, c: _signed(c.collateral.signed_tcb_info),
        lambda now, c: "signed by its signer",
        lambda c: f"evaluation {c.collateral.tcb_info.issue.evaluation}",
    ),
    Rule(
        "T5",
        Reason.QE_IDENTITY_SIGNATURE,
        lambda now, c: _signed(c.collateral.signed_qe_identity),
        lambda now, c: "signed by its signer",
        lambda c: f"evaluation {c.collateral.qe_identity.issue.evaluation}",
    ),
    Rule(
        "T5",
        Reason.COLLATERAL_NOT_YET_ISSUED,
        lambda now, c: all(x.issued <= now for x in c.issues.values()),
        lambda now, c: f"issued by {now.isoformat()}",
        lambda c: _latest((x.issued, name) for name, x in c.issues.items()),
    ),
    Rule(
        "T5",
        Reason.COLLATERAL_EXPIRED,
        lambda now, c: all(now < x.next_update for x in c.issues.values()),
        lambda now, c: f"in force at {now.isoformat()}",
        lambda c: _earliest((x.next_update, name) for name, x in c.issues.items()),
    ),
    Rule(
        "T6",
        Reason.FMSPC_MISMATCH,
        lambda now, c: c.collateral.tcb_info.fmspc == c.chain.pck.fmspc,
        lambda now, c: "TCB info of the PCK's platform",
        lambda c: f"{c.collateral.tcb_info.fmspc.hex()} for {c.chain.pck.fmspc.hex()}",
    ),
    Rule(
        "T6",
        Reason.PCEID_MISMATCH,
        lambda now, c: c.collateral.tcb_info.pce_id == c.chain.pck.pce_id,
        lambda now, c: "TCB info of the PCK's platform",
        lambda c: f"{c.collateral.tcb_info.pce_id.hex()} for {c.chain.pck.pce_id.hex()}",
    ),
)


def verify_chain(
    chain: PckChain, collateral: Collateral, roots: tuple[IntelRoot, ...], now: datetime
) -> tuple[tuple[Outcome, ...], datetime]:
    """Check that one of the roots vouches for the PCK and the collateral at ``now``.

    Returns:
        What held, and when the first of the parts ends.

    Raises:
        Refused: stage chain; with every finding once the root is known.
    """
    root = next((root for root in roots if root.der == chain.root), None)
    if root is None:
        got = f"SHA-256 {hashlib.sha256(chain.root).hexdigest()}"
        finding = Finding(Reason.UNKNOWN_ISSUER, f"one of {len(roots)} roots", got)
        raise Refused(Stage.CHAIN, [finding])
    parts = _parts(root.holder, chain, collateral)
    return conclude(Stage.CHAIN, apply(CHAIN_RULES, now, parts)), parts.expires
