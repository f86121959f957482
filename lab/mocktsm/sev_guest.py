# SPDX-License-Identifier: Apache-2.0
"""What Linux's sev-guest driver does for a report: ask the firmware for it, the host for keys."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping

from attest.snp.certtable import ARK_GUID, ASK_GUID, ENTRY_BYTES, VCEK_GUID, VLEK_GUID
from attest.snp.key_kind import KeyKind
from lab.mocktsm.fault_plan import FaultPlan
from lab.mocktsm.faults import FaultKind
from lab.mocktsm.pki import authority_certificates
from lab.mocktsm.snp import MockSnp
from lab.mocktsm.snp_faults import SnpFault, snp_report, snp_vek

SHORT_BYTES = 1024


class SevGuest:
    """The driver over one mock chip."""

    provider = "sev_guest"
    attributes = frozenset({"auxblob", "privlevel", "privlevel_floor"})
    faults: frozenset[str] = frozenset(FaultKind) | frozenset(SnpFault)

    def __init__(self, chip: MockSnp) -> None:
        self.chip = chip

    def request(self, inblob: bytes, privlevel: int, faults: FaultPlan, /) -> tuple[bytes, bytes]:
        """A report over ``inblob`` at VMPL ``privlevel``, and the host's certificate table."""
        struck = faults.first(SnpFault)
        if struck is None:
            report, vek = self.chip.report(inblob, vmpl=privlevel), self.chip.certificate
        else:
            report, vek = snp_report(self.chip, struck, inblob), snp_vek(self.chip, struck)
        if faults.strikes(FaultKind.SHORT_BLOB):
            report = report[:SHORT_BYTES]
        bare = faults.strikes(FaultKind.NO_CERTIFICATES)
        return report, b"" if bare else certificate_table(self.chip, vek)


def certificate_table(chip: MockSnp, vek: bytes) -> bytes:
    """The host's certificates for auxblob, in the form of the GHCB specification."""
    ark, ask, asvk = authority_certificates(chip.line)
    is_vcek = chip.kind is KeyKind.VCEK
    return encode_table(
        {
            VCEK_GUID if is_vcek else VLEK_GUID: vek,
            ASK_GUID: ask if is_vcek else asvk,
            ARK_GUID: ark,
        }
    )


def encode_table(certificates: Mapping[uuid.UUID, bytes]) -> bytes:
    """Write a certificate table: entries, a zero entry, then the certificates."""
    offset = ENTRY_BYTES * (len(certificates) + 1)
    header, body = b"", b""
    for guid, der in certificates.items():
        header += guid.bytes + struct.pack("<II", offset + len(body), len(der))
        body += der
    return header + bytes(ENTRY_BYTES) + body
