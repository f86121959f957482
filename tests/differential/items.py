# SPDX-License-Identifier: Apache-2.0
"""What everybody is asked about: one item is all that a verification takes, less the policy."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from attest.errors import FormatError
from attest.roots import amd_roots
from attest.snp.product import ProductLine
from attest.snp.roots import AmdRoot
from attest.tdx.collateral import MEMBERS
from attest.tdx.roots import IntelRoot
from attest.x509 import common_name, parse_certificate

Question = dict[str, Any]


class Origin(StrEnum):
    """Where an item comes from."""

    REAL = "real"
    CROSSED = "crossed"
    MUTATED = "mutated"
    MINTED = "minted"


def base64_of(data: bytes) -> str:
    """Bytes for a line of JSON."""
    return base64.b64encode(data).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class SnpItem:
    """A report, its key's certificate, perhaps a CRL, and a time.

    Attributes:
        name: what it is.
        origin: where it comes from.
        report: the bytes.
        vek: DER.
        crl: DER, or None.
        now: the verifier's clock.
        roots: whom to believe; empty for AMD's own, as each peer has them pinned.
    """

    name: str
    origin: Origin
    report: bytes
    vek: bytes
    crl: bytes | None
    now: datetime
    roots: tuple[AmdRoot, ...] = ()

    @cached_property
    def is_vlek(self) -> bool:
        """Whether the certificate says that it is a VLEK's: a peer may ask where to put it."""
        return b"SEV-VLEK" in self.vek

    @property
    def question(self) -> Question:
        """The item as the peers read it."""
        return {
            "kind": "snp",
            "now": int(self.now.timestamp()),
            "report": base64_of(self.report),
            "vek": base64_of(self.vek),
            "vlek": self.is_vlek,
            "crl": None if self.crl is None else base64_of(self.crl),
            "roots": [_root(root) for root in self.roots],
            "issuers": [base64_of(der) for der in self.issuers],
        }

    @property
    def issuers(self) -> tuple[bytes, bytes]:
        """The ARK, and the ASK or ASVK, for peers that take a chain from their caller."""
        root = next((r for r in self.believed if r.line is self.line), self.believed[0])
        issuer = root.asvk if self.is_vlek and root.asvk is not None else root.ask
        return root.ark.certificate.der, issuer.certificate.der

    @property
    def believed(self) -> tuple[AmdRoot, ...]:
        """Whom a verifier of this item believes."""
        return self.roots or amd_roots().amd

    @cached_property
    def line(self) -> ProductLine:
        """The product line that the certificate's issuer names, or the first."""
        try:
            name = common_name(parse_certificate(self.vek).issuer)
        except FormatError:
            name = ""
        return next((line for line in ProductLine if line in name), ProductLine.MILAN)

    @cached_property
    def version(self) -> int:
        """The version that the report's first bytes say."""
        return int.from_bytes(self.report[:4], "little")


def _root(root: AmdRoot) -> dict[str, str]:
    name = common_name(root.ark.certificate.subject).removeprefix("ARK-")
    asvk = root.asvk or root.ask
    return {
        "line": root.line,
        "name": name,
        "ark": base64_of(root.ark.certificate.der),
        "ask": base64_of(root.ask.certificate.der),
        "asvk": base64_of(asvk.certificate.der),
    }


@dataclass(frozen=True, kw_only=True)
class TdxItem:
    """A quote, its collateral and a time; the attributes are as in `SnpItem`."""

    name: str
    origin: Origin
    quote: bytes
    collateral: bytes
    now: datetime
    root: IntelRoot | None = None

    @property
    def question(self) -> Question:
        """The item as the peers read it."""
        return {
            "kind": "tdx",
            "now": int(self.now.timestamp()),
            "quote": base64_of(self.quote),
            "collateral": self._members,
            "root": None if self.root is None else base64_of(self.root.der),
        }

    @property
    def _members(self) -> dict[str, str]:
        members = json.loads(self.collateral)
        return {name: members.get(name, "") for name in MEMBERS}


Item = SnpItem | TdxItem
