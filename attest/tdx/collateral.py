# SPDX-License-Identifier: Apache-2.0
"""Collateral in the QuoteCollateralV3 form: one JSON object with all that Intel says of a platform.

Nine members: two CRLs, TCB information and QE identity as the exact text that Intel signed, their
signatures, and the chains of certificates that issued them. It is untrusted as a whole: each part
is believed for its signature, which `attest.tdx.chain` checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from attest.errors import FormatError
from attest.evidence import COLLATERAL_MAX_BYTES
from attest.tdx.certificate import parse_pck_ca, parse_pem, parse_tcb_signer
from attest.tdx.intel_json import Members, read_json
from attest.tdx.roots import Holder
from attest.tdx.tcb_info import QeIdentity, TcbInfo, parse_qe_identity, parse_tcb_info
from attest.x509 import Crl, parse_crl

MEMBERS = (
    "pck_crl_issuer_chain",
    "root_ca_crl",
    "pck_crl",
    "tcb_info_issuer_chain",
    "tcb_info",
    "tcb_info_signature",
    "qe_identity_issuer_chain",
    "qe_identity",
    "qe_identity_signature",
)
# Some writers add it. The chain that counts is the one in the quote, so this one is never read.
UNREAD_MEMBER = "pck_certificate_chain"

SIGNATURE_BYTES = 64
COLLATERALS_REMEMBERED = 16

_WHAT = "collateral"


@dataclass(frozen=True, slots=True)
class Signed:
    """A document's bytes, the signature over them (r and s), and who is said to have made it."""

    data: bytes
    signature: bytes
    signer: Holder


@dataclass(frozen=True, slots=True)
class Collateral:
    """Collateral as parsed. Nobody has checked a signature yet.

    Attributes:
        root_crl: what the root revokes.
        pck_crl: what the PCK's CA revokes.
        pck_crl_issuer: the CA that is said to have made ``pck_crl``.
        tcb_info: of the platform.
        signed_tcb_info: its bytes.
        qe_identity: of the quoting enclave.
        signed_qe_identity: its bytes.
        roots: the certificates that end the three chains, DER as sent.
    """

    root_crl: Crl
    pck_crl: Crl
    pck_crl_issuer: Holder
    tcb_info: TcbInfo
    signed_tcb_info: Signed
    qe_identity: QeIdentity
    signed_qe_identity: Signed
    roots: tuple[bytes, bytes, bytes]


@lru_cache(maxsize=COLLATERALS_REMEMBERED)
def parse_collateral(data: bytes) -> Collateral:
    """Read one QuoteCollateralV3 object; what some bytes gave is remembered.

    Raises:
        FormatError: a member is missing, unknown, or not what it should be.
    """
    members = read_json(data, _WHAT, COLLATERAL_MAX_BYTES)
    if unknown := sorted(members.value.keys() - {*MEMBERS, UNREAD_MEMBER}):
        raise FormatError(_WHAT, None, f"unknown member {unknown[0][:64]!r}")
    issuer, pck_root = _chain(members, "pck_crl_issuer_chain")
    tcb_signer, tcb_root = _chain(members, "tcb_info_issuer_chain")
    qe_signer, qe_root = tcb_signer, tcb_root
    if members.text("qe_identity_issuer_chain") != members.text("tcb_info_issuer_chain"):
        qe_signer, qe_root = _chain(members, "qe_identity_issuer_chain")
    tcb_info = _signed(members, "tcb_info", tcb_signer)
    qe_identity = _signed(members, "qe_identity", qe_signer)
    return Collateral(
        root_crl=parse_crl(members.hexadecimal("root_ca_crl"), f"{_WHAT}.root_ca_crl"),
        pck_crl=parse_crl(members.hexadecimal("pck_crl"), f"{_WHAT}.pck_crl"),
        pck_crl_issuer=parse_pck_ca(issuer),
        tcb_info=parse_tcb_info(tcb_info.data),
        signed_tcb_info=tcb_info,
        qe_identity=parse_qe_identity(qe_identity.data),
        signed_qe_identity=qe_identity,
        roots=(pck_root, tcb_root, qe_root),
    )


def _chain(members: Members, name: str) -> tuple[bytes, bytes]:
    what = f"{_WHAT}.{name}"
    ders = parse_pem(members.data(name), what)
    if len(ders) != 2:
        raise FormatError(what, None, f"wanted an issuer and a root, got {len(ders)} certificates")
    return ders[0], ders[1]


def _signed(members: Members, name: str, signer: bytes) -> Signed:
    return Signed(
        data=members.data(name),
        signature=members.hexadecimal(f"{name}_signature", SIGNATURE_BYTES),
        signer=parse_tcb_signer(signer),
    )
