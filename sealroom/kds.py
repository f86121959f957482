# SPDX-License-Identifier: Apache-2.0
"""What AMD's key distribution service (KDS) is asked for, and whether it gave that (AMD 57230 §4).

Nothing here touches a network. The service's address is the one that the pinned ARK names as the
place of its revocation list. What comes is no more trusted for where it came from: `attest` judges
it like any other certificate; here it is only compared with what was asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from attest import FormatError
from attest.snp.certificate import parse_vek
from attest.snp.claims import KEY_NAMES
from attest.snp.key_kind import KeyKind
from attest.snp.product import PRODUCTS, Component, ProductLine, line_of
from attest.snp.report import ReportV3, parse_report
from attest.snp.roots import AmdRoot
from attest.snp.tcb import Tcb
from attest.x509 import parse_crl
from sealroom.errors import InputError

SERVICE = "KDS"

_CRL_PLACE = "2.5.29.31"
_URL = re.compile(rb"https://[a-z0-9.-]+(?=/vcek/v1/[A-Za-z]+/crl)")
_PARAMETERS = {
    Component.FMC: "fmcSPL",
    Component.BOOT_LOADER: "blSPL",
    Component.TEE: "teeSPL",
    Component.SNP: "snpSPL",
    Component.MICROCODE: "ucodeSPL",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The certificate of the key that signed one report, and the list that could revoke it."""

    line: ProductLine
    hwid: bytes
    tcb: Tcb

    @property
    def vek_path(self) -> str:
        """Where the certificate is: the chip, and the TCB that its key is derived from."""
        levels = "&".join(f"{_PARAMETERS[c]}={svn}" for c, svn in self.tcb.versions.items())
        return f"/vcek/v1/{self.line}/{self.hwid.hex()}?{levels}"

    @property
    def crl_path(self) -> str:
        """Where the list is."""
        return f"/vcek/v1/{self.line}/crl"

    def is_vek(self, der: bytes) -> bool:
        """Whether this is the certificate that was asked for."""
        try:
            vek = parse_vek(der)
        except FormatError:
            return False
        return (vek.hwid, vek.tcb) == (self.hwid, self.tcb.raw)


def wanted(report: bytes, line: ProductLine | None) -> Wanted:
    """What to ask for; `line` is needed for reports of version 2, which do not tell it.

    Raises:
        InputError: a report that no fetched certificate can be of.
        FormatError: not a report.
    """
    parsed = parse_report(report)
    if isinstance(parsed, ReportV3):
        line = line_of(parsed.cpuid_family, parsed.cpuid_model)
    if line is None:
        raise InputError("report", "a known line of processors, or --line", "none")
    if KEY_NAMES.get(parsed.signing_key) is not KeyKind.VCEK:
        raise InputError("report", "one signed by a VCEK", "another key, which the cloud gives")
    if parsed.chip_id_masked:
        raise InputError("report", "one that names its chip", "a masked one")
    hwid = parsed.chip_id[: PRODUCTS[line].hwid_bytes]
    return Wanted(line, hwid, Tcb(line, parsed.reported_tcb))


def is_fresh_crl(der: bytes, now: datetime) -> bool:
    """Whether this is a revocation list that is good now."""
    try:
        crl = parse_crl(der)
    except FormatError:
        return False
    return crl.this_update <= now < crl.next_update


def service_of(root: AmdRoot) -> str:
    """The address of the service, as the ARK's certificate names it.

    Raises:
        InputError: it names none.
    """
    place = root.ark.certificate.extensions.get(_CRL_PLACE)
    found = None if place is None else _URL.search(place.value)
    if found is None:
        raise InputError("ARK", "the place of its revocation list", "none")
    return found[0].decode("ascii")
