# SPDX-License-Identifier: Apache-2.0
"""What Intel's provisioning certification service (PCS) is asked for, and whether it gave that.

Intel SGX and TDX PCS API, version 4. Nothing here touches a network. The service's address is the
one that the PCK's certificate names as the place of its revocation list, once a pinned root has
vouched for that certificate; the root names the place of its own. What comes is no more trusted for
where it came from: `attest` judges it like any other collateral; here it is only compared with what
was asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_to_bytes

from attest import FormatError, Roots
from attest.limits import CRL_MAX_BYTES
from attest.tdx.certificate import PckChain, intel_name, parse_pck_chain
from attest.tdx.collateral import SIGNATURE_BYTES, parse_collateral
from attest.tdx.quote import parse_quote
from attest.tdx.tcb_info import DOCUMENT_MAX_BYTES
from attest.x509 import Certificate
from sealroom.errors import InputError

SERVICE = "PCS"

# Members of the service's two JSON replies.
TCB_INFO = "tcbInfo"
QE_IDENTITY = "enclaveIdentity"
REPLY_MAX_BYTES = DOCUMENT_MAX_BYTES + 256  # the document, its signature and the names of both

# The headers in which an issuer's chain comes, percent-encoded, as `Reply.headers` spells them.
TCB_INFO_CHAIN = "tcb-info-issuer-chain"
QE_IDENTITY_CHAIN = "sgx-enclave-identity-issuer-chain"
PCK_CRL_CHAIN = "sgx-pck-crl-issuer-chain"

_CAS = {
    intel_name("Intel SGX PCK Platform CA"): "platform",
    intel_name("Intel SGX PCK Processor CA"): "processor",
}
_CRL_PLACE = "2.5.29.31"
_SERVICE = re.compile(rb"(https://[a-z0-9.-]+)/sgx/certification/v[0-9]/pckcrl\?")
_ROOT_CRL = re.compile(rb"(https://[a-z0-9.-]+)(/[A-Za-z0-9/_-]+\.der)")


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask for: its name, where it is, its greatest length, the header of its chain."""

    what: str
    service: str
    path: str
    most: int
    chain: str = ""


@dataclass(frozen=True, slots=True)
class WantedCollateral:
    """The collateral of one quote: for the platforms of its FMSPC, under the CA of its PCK."""

    chain: PckChain

    @property
    def fmspc(self) -> str:
        """Which platforms it is about."""
        return self.chain.pck.fmspc.hex()

    @property
    def ca(self) -> str:
        """Which of the two CAs issued the PCK."""
        return _CAS[self.chain.ca.certificate.subject]

    def requests(self, roots: Roots, service: str | None) -> tuple[Request, ...]:
        """What to ask whom: the places that the certificates name, or one service for all.

        Raises:
            InputError: no root vouches for the PCK, or a certificate names no place.
        """
        pcs = service or self._service(roots)
        root, root_path = _place(roots.intel[0].holder.certificate, _ROOT_CRL)
        ca = f"ca={self.ca}&encoding=der"
        certification = "/certification/v4"
        return (
            Request(
                TCB_INFO,
                pcs,
                f"/tdx{certification}/tcb?fmspc={self.fmspc}",
                REPLY_MAX_BYTES,
                TCB_INFO_CHAIN,
            ),
            Request(
                QE_IDENTITY,
                pcs,
                f"/tdx{certification}/qe/identity",
                REPLY_MAX_BYTES,
                QE_IDENTITY_CHAIN,
            ),
            Request(
                "PCK CRL", pcs, f"/sgx{certification}/pckcrl?{ca}", CRL_MAX_BYTES, PCK_CRL_CHAIN
            ),
            Request("root CRL", service or root, root_path, CRL_MAX_BYTES),
        )

    def problem(self, collateral: bytes, now: datetime) -> str:
        """Why this is not the collateral that was asked for, or no longer; empty if it is."""
        try:
            got = parse_collateral(collateral)
        except FormatError as error:
            return str(error)
        pck = self.chain.pck
        if (got.tcb_info.fmspc, got.tcb_info.pce_id) != (pck.fmspc, pck.pce_id):
            return (
                f"TCB info of FMSPC {got.tcb_info.fmspc.hex()}, PCEID {got.tcb_info.pce_id.hex()}"
            )
        if got.pck_crl.issuer != self.chain.ca.certificate.subject:
            return "the PCK CRL of another CA"
        issues = (got.tcb_info.issue, got.qe_identity.issue)
        if not all(issue.issued <= now < issue.next_update for issue in issues):
            return "a document that is not in force"
        if not all(crl.this_update <= now < crl.next_update for crl in (got.root_crl, got.pck_crl)):
            return "a revocation list that is not in force"
        return ""

    def _service(self, roots: Roots) -> str:
        chain = self.chain
        root = next((root.holder for root in roots.intel if root.der == chain.root), None)
        pck = chain.pck.holder.certificate
        if root is None or not root.issued(chain.ca.certificate) or not chain.ca.issued(pck):
            raise InputError("quote", "a PCK under Intel's root, or --service", "another one")
        return _place(pck, _SERVICE)[0]


def wanted_collateral(quote: bytes) -> WantedCollateral:
    """What to ask for to verify this quote.

    Raises:
        FormatError: not a quote, or its PCK certificates are malformed.
    """
    return WantedCollateral(parse_pck_chain(parse_quote(quote).pck_chain))


def assemble(replies: Mapping[str, tuple[bytes, Mapping[str, str]]]) -> bytes:
    """QuoteCollateralV3 from the replies, each a body and headers, by `Request.what`.

    Raises:
        FormatError: a reply is not of its form, or comes without its issuer's chain.
    """
    (tcb_info, tcb_headers), (identity, qe_headers) = replies[TCB_INFO], replies[QE_IDENTITY]
    pck_crl, crl_headers = replies["PCK CRL"]
    tcb, tcb_signature = split_reply(tcb_info, TCB_INFO)
    qe, qe_signature = split_reply(identity, QE_IDENTITY)
    members = {
        "pck_crl_issuer_chain": _chain(crl_headers, PCK_CRL_CHAIN),
        "root_ca_crl": replies["root CRL"][0].hex(),
        "pck_crl": pck_crl.hex(),
        "tcb_info_issuer_chain": _chain(tcb_headers, TCB_INFO_CHAIN),
        "tcb_info": _text(tcb, TCB_INFO),
        "tcb_info_signature": tcb_signature.hex(),
        "qe_identity_issuer_chain": _chain(qe_headers, QE_IDENTITY_CHAIN),
        "qe_identity": _text(qe, QE_IDENTITY),
        "qe_identity_signature": qe_signature.hex(),
    }
    return json.dumps(members).encode("ascii")


def split_reply(data: bytes, member: str) -> tuple[bytes, bytes]:
    """The exact bytes that Intel signed, and the signature (r and s) that stands after them.

    Raises:
        FormatError: the reply is not these two members and nothing else.
    """
    shape = rb'\{"%s":(\{.*\}),"signature":"([0-9A-Fa-f]{%d})"\}\s*'
    pattern = shape % (member.encode("ascii"), 2 * SIGNATURE_BYTES)
    found = re.fullmatch(pattern, data, re.DOTALL)
    if found is None:
        raise FormatError(f"reply with {member}", None, f"wanted {member} and its signature")
    return found[1], bytes.fromhex(found[2].decode("ascii"))


def _chain(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if value is None or not value.isascii():
        raise FormatError("reply", None, f"wanted the header {name}, percent-encoded")
    return _text(unquote_to_bytes(value), name)


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(what, error.start, "wanted UTF-8") from error


def _place(certificate: Certificate, pattern: re.Pattern[bytes]) -> tuple[str, ...]:
    """The parts of the place that a certificate names for its revocation list."""
    extension = certificate.extensions.get(_CRL_PLACE)
    found = None if extension is None else pattern.search(extension.value)
    if found is None:
        raise InputError("certificate", "the place of its revocation list, or --service", "none")
    return tuple(part.decode("ascii") for part in found.groups())
