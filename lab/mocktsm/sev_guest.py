# SPDX-License-Identifier: Apache-2.0
"""What Linux's sev-guest driver does for a report: ask the firmware for it, the host for keys."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping

from attest.snp.certificate import KeyKind
from attest.snp.certtable import ARK_GUID, ASK_GUID, ENTRY_BYTES, VCEK_GUID, VLEK_GUID
from attest.snp.tcb import Tcb
from lab.mocktsm.faults import FaultKind, FaultPlan
from lab.mocktsm.pki import authority_certificates
from lab.mocktsm.snp import MockSnp

SHORT_BYTES = 1024


class SevGuest:
    """The driver over one mock chip."""

    provider = "sev_guest"

    def __init__(self, chip: MockSnp) -> None:
        self.chip = chip

    def request(self, inblob: bytes, privlevel: int, faults: FaultPlan) -> tuple[bytes, bytes]:
        """A report over ``inblob`` at VMPL ``privlevel``, and the host's certificate table."""
        changes: dict[str, int | bytes] = {"vmpl": privlevel}
        if faults.strikes(FaultKind.OTHER_VMPL):
            changes["vmpl"] = 1
        level = self.chip.tcb
        if faults.strikes(FaultKind.STALE_TCB):
            level = Tcb(level.line, bytes(max(0, svn - 1) for svn in level.raw))
            changes |= dict.fromkeys(
                ("current_tcb", "committed_tcb", "reported_tcb", "launch_tcb"), level.raw
            )
        wrong = faults.strikes(FaultKind.WRONG_REPORT_DATA)
        report = self.chip.report(bytes(len(inblob)) if wrong else inblob, **changes)
        if faults.strikes(FaultKind.SHORT_BLOB):
            report = report[:SHORT_BYTES]
        bare = faults.strikes(FaultKind.NO_CERTIFICATES)
        return report, b"" if bare else certificate_table(self.chip, level)


def certificate_table(chip: MockSnp, level: Tcb) -> bytes:
    """The host's certificates for auxblob, in the form of the GHCB specification."""
    ark, ask, asvk = authority_certificates(chip.line)
    is_vcek = chip.kind is KeyKind.VCEK
    vek = chip.certificate if level == chip.tcb else chip.vek(level)
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
