# SPDX-License-Identifier: Apache-2.0
"""Attacks by somebody who has a platform: one row for each thing that may be wrong with it.

Each is minted by the mock hardware (`lab.mocktsm`) and shown to the SDK by a relay in the
attacker's hands. Only the reasons that belong to a fault count as its refusal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from lab.attack.impostor import Fault, Impostor, caught, plan_for, reasons_of
from lab.attack.site import LabSite
from lab.mocktsm import SnpFault, TdxFault
from sealroom.attack.attack import Attack, Needs, Verdict


@dataclass(frozen=True, slots=True)
class _Row:
    fault: Fault
    name: str
    reference: str
    tries: str


ROWS: Final = (
    _Row(
        SnpFault.FORGED_REPORT,
        "snp-forged-report",
        "CWE-347; AMD 56860 (signature over bytes 0 to 0x29F)",
        "change the measurement after the chip has signed",
    ),
    _Row(
        SnpFault.FORGED_VEK,
        "snp-forged-vek",
        "CWE-295; AMD 57230",
        "bring a certificate for the chip's key that AMD did not sign",
    ),
    _Row(
        SnpFault.STALE_CRL,
        "snp-stale-crl",
        "MarkovianProtocol SM-005 (stale revocation list)",
        "staple a revocation list whose next one is overdue",
    ),
    _Row(
        SnpFault.ISSUER_REVOKED,
        "snp-issuer-revoked",
        "CWE-299",
        "use a chip whose issuing authority AMD has revoked",
    ),
    _Row(
        SnpFault.VEK_OF_OTHER_TCB,
        "snp-self-claimed-patch-level",
        "TOB-WAPI-8 (self-claimed patch level)",
        "claim another patch level than the certificate of the signing key has",
    ),
    _Row(
        SnpFault.STALE_TCB,
        "snp-tcb-below-floor",
        "CVE-2023-20592 (CacheWarp), CVE-2025-0033 (RMPocalypse)",
        "use firmware and microcode from before the fixes",
    ),
    _Row(
        SnpFault.OLD_FIRMWARE,
        "snp-old-firmware",
        "CVE-2025-0033 (RMPocalypse), CVE-2025-54509, CVE-2025-54510",
        "use an SNP firmware build from before the fixes",
    ),
    _Row(
        SnpFault.NO_MITIGATION,
        "snp-mitigation-missing",
        "AMD-SB-3020 and later: mitigation vectors",
        "launch with a mitigation that is not active",
    ),
    _Row(
        SnpFault.OTHER_CHIP,
        "snp-chip-of-another",
        "TOB-WAPI-10 (any CPU trusted); CVE-2026-33697",
        "name another chip than the one whose key signed",
    ),
    _Row(
        SnpFault.UNLISTED_CHIP,
        "snp-unlisted-chip",
        "TOB-WAPI-10 (any CPU trusted); Battering RAM, TEE.fail",
        "run the image on a genuine chip that is the attacker's own, memory bus and all",
    ),
    _Row(
        SnpFault.MASKED_CHIP_ID,
        "snp-masked-chip",
        "TOB-WAPI-10 (any CPU trusted)",
        "hide which chip it is",
    ),
    _Row(
        SnpFault.DEBUG,
        "snp-debug-guest",
        "AMD 56860, guest policy bit 19",
        "launch the guest so that the host may read and write its memory",
    ),
    _Row(
        SnpFault.MIGRATABLE,
        "snp-migratable-guest",
        "AMD 56860, guest policy bit 18",
        "launch the guest so that a migration agent may export it",
    ),
    _Row(
        SnpFault.MIGRATION_AGENT,
        "snp-migration-agent",
        "AMD 56860, REPORT_ID_MA",
        "bind a migration agent to the guest",
    ),
    _Row(
        SnpFault.NO_ALIAS_CHECK,
        "snp-badram",
        "CVE-2024-21944 (BadRAM)",
        "use memory modules that nobody checked for aliases",
    ),
    _Row(
        SnpFault.OTHER_VMPL,
        "snp-wrong-vmpl",
        "AMD 56860, VMPL; CWE-269",
        "request the report from a less privileged level",
    ),
    _Row(
        SnpFault.HOST_REPORT,
        "snp-host-report",
        "AMD 56860, VMPL 0xFFFFFFFF",
        "have the host request the report",
    ),
    _Row(
        SnpFault.WRONG_REPORT_DATA,
        "snp-zero-report-data",
        "CVE-2026-33697 (relay); AMD 56860, REPORT_DATA",
        "bring a report that vouches for nothing: zero bytes, as in one that a host requested",
    ),
    _Row(
        SnpFault.OTHER_MEASUREMENT,
        "snp-other-measurement",
        "RFC 9334 §12; BadAML (TOB-WAPI-17)",
        "launch another image",
    ),
    _Row(
        SnpFault.OTHER_HOST_DATA,
        "snp-other-host-data",
        "TOB-WAPI-13 (what the host passes at launch)",
        "pass something to the guest at its launch",
    ),
    _Row(
        TdxFault.FORGED_QUOTE,
        "tdx-forged-quote",
        "CWE-347; Intel TDX DCAP quoting library API, appendix 3",
        "change the TD report after the quoting enclave has signed it",
    ),
    _Row(
        TdxFault.UNBOUND_KEY,
        "tdx-unbound-attestation-key",
        "CWE-345; Intel TDX DCAP, QE report data",
        "sign the quote with a key that no quoting enclave vouches for",
    ),
    _Row(
        TdxFault.OTHER_QE_SIGNER,
        "tdx-quoting-enclave-of-another",
        "CWE-346",
        "quote with an enclave that Intel did not sign",
    ),
    _Row(
        TdxFault.QE_DEBUG,
        "tdx-quoting-enclave-in-debug",
        "CWE-489",
        "quote with an enclave that may be debugged, so that its key can be read",
    ),
    _Row(
        TdxFault.OTHER_ROOT,
        "tdx-foreign-root",
        "dstack #563 (simulator in production); CWE-295",
        "bring a certificate chain that ends in another root",
    ),
    _Row(
        TdxFault.PCK_REVOKED,
        "tdx-pck-revoked",
        "WireTap, TEE.fail (extracted attestation keys); CWE-299",
        "use a platform whose certificate Intel has revoked",
    ),
    _Row(
        TdxFault.OTHER_PLATFORM,
        "tdx-unlisted-platform",
        "TOB-WAPI-10 (any CPU trusted); WireTap, TEE.fail",
        "run the image on a genuine platform that is the attacker's own, memory bus and all",
    ),
    _Row(
        TdxFault.COLLATERAL_EXPIRED,
        "tdx-stale-collateral",
        "MarkovianProtocol SM-005 (stale revocation list)",
        "staple collateral whose next issue is overdue",
    ),
    _Row(
        TdxFault.STALE_PCK_CRL,
        "tdx-stale-crl",
        "MarkovianProtocol SM-005 (stale revocation list)",
        "staple a revocation list whose next one is overdue",
    ),
    _Row(
        TdxFault.FORGED_TCB_INFO,
        "tdx-forged-tcb-info",
        "CWE-347",
        "staple a rating of the platform that Intel did not sign",
    ),
    _Row(
        TdxFault.STALE_TCB,
        "tdx-tcb-out-of-date",
        "CVE-2024-27457 (TDXdown)",
        "use a TDX module from before the fixes",
    ),
    _Row(
        TdxFault.DEBUG,
        "tdx-debug-td",
        "Intel TDX module ABI, ATTRIBUTES.DEBUG",
        "launch the TD so that the host may read and write its memory",
    ),
    _Row(
        TdxFault.MIGRATABLE,
        "tdx-migratable-td",
        "Intel TDX module ABI, ATTRIBUTES.MIGRATABLE",
        "launch the TD so that it may be exported",
    ),
    _Row(
        TdxFault.SEPT_VE_ENABLED,
        "tdx-sept-ve-enabled",
        "Heckler, WeSee (injected exceptions); ATTRIBUTES.SEPT_VE_DISABLE",
        "launch the TD so that taken pages raise an exception inside it",
    ),
    _Row(
        TdxFault.OTHER_MEASUREMENT,
        "tdx-wrong-mrtd",
        "RFC 9334 §12",
        "launch another firmware",
    ),
    _Row(
        TdxFault.OTHER_REGISTER,
        "tdx-wrong-rtmr",
        "BadAML (TOB-WAPI-17); RFC 9334 §12",
        "boot another kernel, or the same with another command line",
    ),
    _Row(
        TdxFault.WRONG_REPORT_DATA,
        "tdx-zero-report-data",
        "CVE-2026-33697 (relay)",
        "bring a quote that vouches for nothing: zero bytes",
    ),
    _Row(
        TdxFault.TRAILING_BYTES,
        "tdx-trailing-bytes",
        "Trail of Bits, Secure Server-Side Memory (parsers that differ); CWE-130",
        "add bytes behind the quote",
    ),
)


def _run(fault: Fault) -> Callable[[LabSite], Awaitable[Verdict]]:
    return lambda _site: caught(Impostor(plan_for(fault), fault), *reasons_of(fault))


def _defence(fault: Fault) -> str:
    room = "attest.snp" if isinstance(fault, SnpFault) else "attest.tdx"
    return f"{room}: {', '.join(sorted(reasons_of(fault)))}"


ATTACKS: Final = tuple(
    Attack(
        row.name,
        row.reference,
        row.tries,
        _defence(row.fault),
        _run(row.fault),
        needs=Needs.LAB,
    )
    for row in ROWS
)
