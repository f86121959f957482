# SPDX-License-Identifier: Apache-2.0
"""The rules for an SEV-SNP report, one row each, with the checklist's number.

A row is a predicate over the policy and the claims; it does no I/O and has no clock, and the order
of rows means nothing. The claims are only as good as the chain and the signature, which
`attest.snp.verify` checks first. `RULES` are for every product, `PRODUCT_RULES` for the part of the
policy about the product at hand.
"""

from __future__ import annotations

from attest.findings import Reason, Rule, any_hex, words
from attest.snp.claims import KEY_NAMES, Claims
from attest.snp.key_kind import KeyKind
from attest.snp.policy import ProductPolicy, SnpPolicy
from attest.snp.product import PRODUCTS
from attest.snp.report import VMPL_HOST
from attest.snp.tcb import Tcb

NO_MIGRATION_AGENT = b"\xff" * 32

_POLICY_ALWAYS_ONE = 17
_POLICY_MIGRATE_MA = 18
_POLICY_DEBUG = 19
_POLICY_RESERVED_FROM = 26


def _dotted(*numbers: int) -> str:
    return ".".join(map(str, numbers))


RULES: tuple[Rule[SnpPolicy, Claims], ...] = (
    Rule(
        "S1",
        Reason.REPORT_VERSION_NOT_ACCEPTED,
        lambda p, c: c.report.version in p.versions,
        lambda p, c: ", ".join(map(str, sorted(p.versions))),
        lambda c: str(c.report.version),
    ),
    Rule(
        "S2",
        Reason.SIGNING_KEY_MISMATCH,
        lambda p, c: KEY_NAMES.get(c.report.signing_key) is c.vek.kind,
        lambda p, c: f"the certificate's kind, {c.vek.kind}",
        lambda c: KEY_NAMES.get(c.report.signing_key, f"{c.report.signing_key}"),
    ),
    Rule(
        "S2",
        Reason.SIGNING_KEY_NOT_ACCEPTED,
        lambda p, c: c.vek.kind in p.keys,
        lambda p, c: words(frozenset(p.keys)),
        lambda c: c.vek.kind,
    ),
    Rule(  # The VCEK is not in use then, whatever signed. A VLEK is unaffected by it.
        "S2",
        Reason.CHIP_KEY_MASKED,
        lambda p, c: not (c.report.chip_key_masked and c.vek.kind is KeyKind.VCEK),
        lambda p, c: "chip key not masked",
        lambda c: "masked" if c.report.chip_key_masked else "not masked",
    ),
    Rule(
        "S3",
        Reason.PRODUCT_MISMATCH,
        lambda p, c: c.cpuid_line is c.line,
        lambda p, c: c.line,
        lambda c: str(c.cpuid_line),
    ),
    Rule(
        "S3",
        Reason.VEK_PRODUCT_MISMATCH,
        lambda p, c: (
            c.vek.product_name in PRODUCTS[c.line].names
            and c.vek.struct_version == PRODUCTS[c.line].struct_version
        ),
        lambda p, c: f"{words(PRODUCTS[c.line].names)} {PRODUCTS[c.line].struct_version}",
        lambda c: f"{c.vek.product_name} {c.vek.struct_version}",
    ),
    Rule(
        "S3",
        Reason.PRODUCT_NOT_ACCEPTED,
        lambda p, c: p.product(c.line) is not None,
        lambda p, c: words(frozenset(product.line for product in p.products)),
        lambda c: c.line,
    ),
    Rule(
        "S9",
        Reason.TCB_MISMATCH,
        lambda p, c: c.report.reported_tcb == c.vek.tcb,
        lambda p, c: f"the certificate's, {Tcb(c.line, c.vek.tcb).text}",
        lambda c: c.reported.text,
    ),
    Rule(
        "S9",
        Reason.TCB_RESERVED,
        lambda p, c: all(tcb.reserved_is_zero for tcb in c.tcbs),
        lambda p, c: "reserved bytes zero",
        lambda c: " ".join(tcb.raw.hex() for tcb in c.tcbs),
    ),
    Rule(
        "S10",
        Reason.CHIP_ID_MASKED,
        lambda p, c: p.masked_chip_id or c.vek.hwid is None or not c.report.chip_id_masked,
        lambda p, c: "chip ID not masked",
        lambda c: "masked" if c.report.chip_id_masked else "not masked",
    ),
    Rule(
        "S10",
        Reason.CHIP_ID_MISMATCH,
        lambda p, c: c.chip_matches,
        lambda p, c: f"the certificate's hwID, {(c.vek.hwid or b'').hex()}",
        lambda c: c.report.chip_id.hex(),
    ),
    Rule(
        "S10",
        Reason.CHIP_NOT_LISTED,
        lambda p, c: p.chips is None or c.report.chip_id in p.chips,
        lambda p, c: any_hex(p.chips or frozenset()),
        lambda c: c.report.chip_id.hex(),
    ),
    Rule(
        "S10",
        Reason.UNKNOWN_CSP,
        lambda p, c: c.vek.csp_id is None or c.vek.csp_id in p.csp_ids,
        lambda p, c: words(p.csp_ids),
        lambda c: c.vek.csp_id or "none",
    ),
    Rule(
        "S11",
        Reason.TCB_ORDER,
        lambda p, c: c.in_order,
        lambda p, c: "reported <= committed <= current, launch <= current",
        lambda c: (
            "; ".join(tcb.text for tcb in c.tcbs)
            + f"; firmware {_dotted(*c.firmware)} committed, {_dotted(*c.current_firmware)} runs"
        ),
    ),
    Rule(
        "S12",
        Reason.GUEST_POLICY_RESERVED,
        lambda p, c: (
            c.policy_bit(_POLICY_ALWAYS_ONE) and not c.report.policy >> _POLICY_RESERVED_FROM
        ),
        lambda p, c: "bit 17 set and bits 26 to 63 clear",
        lambda c: f"0x{c.report.policy:x}",
    ),
    Rule(
        "S12",
        Reason.DEBUG_ALLOWED,
        lambda p, c: not c.policy_bit(_POLICY_DEBUG),
        lambda p, c: "debugging not allowed",
        lambda c: f"0x{c.report.policy:x}",
    ),
    Rule(
        "S12",
        Reason.MIGRATION_ALLOWED,
        lambda p, c: not c.policy_bit(_POLICY_MIGRATE_MA),
        lambda p, c: "migration not allowed",
        lambda c: f"0x{c.report.policy:x}",
    ),
    Rule(
        "S12",
        Reason.MIGRATION_AGENT,
        lambda p, c: c.report.report_id_ma == NO_MIGRATION_AGENT,
        lambda p, c: "no migration agent",
        lambda c: c.report.report_id_ma.hex(),
    ),
    Rule(
        "S12",
        Reason.ABI_TOO_OLD,
        lambda p, c: c.abi >= (p.abi.major, p.abi.minor),
        lambda p, c: _dotted(p.abi.major, p.abi.minor),
        lambda c: _dotted(*c.abi),
    ),
    Rule(
        "S12",
        Reason.GUEST_ALLOWS_TOO_MUCH,
        lambda p, c: c.permissions <= p.guest_allows,
        lambda p, c: f"at most {words(frozenset(p.guest_allows))}",
        lambda c: words(frozenset(c.permissions)),
    ),
    Rule(
        "S12",
        Reason.GUEST_REQUIRES_TOO_LITTLE,
        lambda p, c: c.requirements >= p.guest_requires,
        lambda p, c: f"at least {words(frozenset(p.guest_requires))}",
        lambda c: words(frozenset(c.requirements)),
    ),
    Rule(
        "S13",
        Reason.HOST_REPORT,
        lambda p, c: c.report.vmpl != VMPL_HOST,
        lambda p, c: "a report requested by the guest",
        lambda c: f"VMPL 0x{c.report.vmpl:x}",
    ),
    Rule(
        "S13",
        Reason.VMPL_NOT_ACCEPTED,
        lambda p, c: c.report.vmpl in p.vmpls or c.report.vmpl == VMPL_HOST,
        lambda p, c: ", ".join(map(str, sorted(p.vmpls))),
        lambda c: f"VMPL 0x{c.report.vmpl:x}",
    ),
    Rule(
        "S14",
        Reason.PLATFORM_LACKS,
        lambda p, c: c.platform >= p.platform_has,
        lambda p, c: f"at least {words(frozenset(p.platform_has))}",
        lambda c: words(frozenset(c.platform)),
    ),
    Rule(
        "S14",
        Reason.PLATFORM_FORBIDDEN,
        lambda p, c: not c.platform & p.platform_lacks,
        lambda p, c: f"none of {words(frozenset(p.platform_lacks))}",
        lambda c: words(frozenset(c.platform)),
    ),
    Rule(
        "S17",
        Reason.UNKNOWN_MEASUREMENT,
        lambda p, c: c.report.measurement in p.measurements,
        lambda p, c: any_hex(p.measurements),
        lambda c: c.report.measurement.hex(),
    ),
    Rule(
        "S17",
        Reason.UNKNOWN_HOST_DATA,
        lambda p, c: c.report.host_data in p.host_data,
        lambda p, c: any_hex(p.host_data),
        lambda c: c.report.host_data.hex(),
    ),
    Rule(
        "S17",
        Reason.GUEST_SVN_TOO_OLD,
        lambda p, c: c.report.guest_svn >= p.guest_svn,
        lambda p, c: f"at least {p.guest_svn}",
        lambda c: str(c.report.guest_svn),
    ),
    Rule(
        "S17",
        Reason.UNKNOWN_FAMILY,
        lambda p, c: c.report.family_id in p.family_ids,
        lambda p, c: any_hex(p.family_ids),
        lambda c: c.report.family_id.hex(),
    ),
    Rule(
        "S17",
        Reason.UNKNOWN_IMAGE,
        lambda p, c: c.report.image_id in p.image_ids,
        lambda p, c: any_hex(p.image_ids),
        lambda c: c.report.image_id.hex(),
    ),
    Rule(
        "S17",
        Reason.UNTRUSTED_ID_KEY,
        lambda p, c: c.report.id_key_digest in p.id_keys,
        lambda p, c: any_hex(p.id_keys),
        lambda c: c.report.id_key_digest.hex(),
    ),
    Rule(
        "S17",
        Reason.UNTRUSTED_AUTHOR_KEY,
        lambda p, c: c.author_key in p.author_keys,
        lambda p, c: any_hex(p.author_keys),
        lambda c: c.author_key.hex(),
    ),
)

PRODUCT_RULES: tuple[Rule[ProductPolicy, Claims], ...] = (
    Rule(
        "S11",
        Reason.REPORTED_TCB_TOO_OLD,
        lambda p, c: c.reported.covers(p.reported_tcb.on(p.line)),
        lambda p, c: f"at least {p.reported_tcb.on(p.line).text}",
        lambda c: c.reported.text,
    ),
    Rule(
        "S11",
        Reason.COMMITTED_TCB_TOO_OLD,
        lambda p, c: c.committed.covers(p.committed_tcb.on(p.line)),
        lambda p, c: f"at least {p.committed_tcb.on(p.line).text}",
        lambda c: c.committed.text,
    ),
    Rule(
        "S11",
        Reason.LAUNCH_TCB_TOO_OLD,
        lambda p, c: c.launch.covers(p.launch_tcb.on(p.line)),
        lambda p, c: f"at least {p.launch_tcb.on(p.line).text}",
        lambda c: c.launch.text,
    ),
    Rule(
        "S15",
        Reason.MITIGATION_MISSING,
        lambda p, c: c.mitigations & p.mitigations == p.mitigations,
        lambda p, c: f"all of 0x{p.mitigations:x}",
        lambda c: f"0x{c.mitigations:x}",
    ),
    Rule(
        "S16",
        Reason.FIRMWARE_TOO_OLD,
        lambda p, c: c.firmware >= (p.firmware.major, p.firmware.minor, p.firmware.build),
        lambda p, c: f"at least {_dotted(p.firmware.major, p.firmware.minor, p.firmware.build)}",
        lambda c: _dotted(*c.firmware),
    ),
)
