# SPDX-License-Identifier: Apache-2.0
"""What each field of an SEV-SNP report means, a row each (AMD 56860, ATTESTATION_REPORT).

A row says what the field is about, how its value reads, and when it is unusual. A test holds the
rows against the layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from attest.snp.claims import KEY_NAMES
from attest.snp.floors import Processor, below
from attest.snp.key_kind import KeyKind
from attest.snp.policy import PERMISSION_BITS, PLATFORM_BITS, REQUIREMENT_BITS, PlatformBit
from attest.snp.product import ProductLine
from attest.snp.report import VMPL_HOST, ReportV2, ReportV3, ReportV5
from attest.snp.rules import NO_MIGRATION_AGENT
from attest.snp.tcb import Tcb


@dataclass(frozen=True, slots=True)
class Shown:
    """A report and the line of processors it is from, if anything told."""

    report: ReportV2
    line: ProductLine | None

    def tcb(self, name: str) -> Tcb | None:
        """One of the four TCBs, readable once the line is known."""
        raw: bytes = getattr(self.report, name)
        return None if self.line is None else Tcb(self.line, raw)


@dataclass(frozen=True, slots=True)
class Row:
    """How one field is shown."""

    means: str
    read: Callable[[Shown], str] | None = None
    unusual: Callable[[Shown], str] = lambda s: ""


def _bits(value: int, names: Iterable[tuple[str, int]]) -> str:
    return ", ".join(name for name, bit in names if value >> bit & 1) or "nothing"


def _policy(s: Shown) -> str:
    policy = s.report.policy
    allows = _bits(policy, [*PERMISSION_BITS.items(), ("migration", 18), ("debug", 19)])
    requires = _bits(policy, REQUIREMENT_BITS.items())
    abi = f"{policy >> 8 & 0xFF}.{policy & 0xFF}"
    return f"0x{policy:x}: ABI {abi}; allows {allows}; requires {requires}"


def _policy_unusual(s: Shown) -> str:
    policy = s.report.policy
    if policy >> 19 & 1:
        return "the host may debug the guest, and read all of it"
    if policy >> 18 & 1:
        return "a migration agent may take the guest elsewhere"
    if not policy >> 17 & 1 or policy >> 26:
        return "bit 17 is not set, or a reserved one is"
    return ""


def _platform(s: Shown) -> str:
    info = s.report.platform_info
    return f"0x{info:x}: {_bits(info, PLATFORM_BITS.items())}"


def _platform_unusual(s: Shown) -> str:
    info = s.report.platform_info
    if unknown := info >> len(PLATFORM_BITS):
        return f"unknown bits 0x{unknown << len(PLATFORM_BITS):x}"
    if not info >> PLATFORM_BITS[PlatformBit.ALIAS_CHECK] & 1:
        return "the alias check is not complete: BadRAM, CVE-2024-21944, AMD-SB-3015"
    return ""


def _flags(s: Shown) -> str:
    key = KEY_NAMES.get(s.report.signing_key, f"key {s.report.signing_key}")
    author = ", author key in use" if s.report.author_key_enabled else ""
    masked = ", chip key masked" if s.report.chip_key_masked else ""
    return f"0x{s.report.flags:x}: signed by the {key.upper()}{author}{masked}"


def _flags_unusual(s: Shown) -> str:
    if s.report.signing_key not in KEY_NAMES:
        return "no key that is known signs this report"
    if s.report.chip_key_masked:
        return "the host has told the firmware not to use the chip's key"
    return ""


def _tcb(name: str) -> Callable[[Shown], str]:
    def read(s: Shown) -> str:
        raw: bytes = getattr(s.report, name)
        tcb = s.tcb(name)
        return f"{raw.hex()}: {tcb.text}" if tcb else f"{raw.hex()}: its line is not known"

    return read


def _reported_unusual(s: Shown) -> str:
    tcb = s.tcb("reported_tcb")
    if tcb is None:
        return ""
    processor = None
    if isinstance(s.report, ReportV3):
        processor = Processor(s.report.cpuid_model, s.report.cpuid_stepping)
    open_still = [floor.advisory for floor in below(tcb.line, tcb.versions, processor)]
    return f"below the floor of {', '.join(open_still)}" if open_still else ""


def _committed_unusual(s: Shown) -> str:
    provisional = s.report.committed_tcb != s.report.current_tcb
    return "not the current one: the host can still go back to it" if provisional else ""


def _launch_unusual(s: Shown) -> str:
    other = s.report.launch_tcb != s.report.current_tcb
    return "not the current one: the firmware has changed since launch" if other else ""


def _chip(s: Shown) -> str:
    return "masked" if s.report.chip_id_masked else s.report.chip_id.hex()


def _chip_unusual(s: Shown) -> str:
    vcek = KEY_NAMES.get(s.report.signing_key) is KeyKind.VCEK
    return (
        "the chip's key signs and its identity is hidden" if vcek and _chip(s) == "masked" else ""
    )


def _vmpl_unusual(s: Shown) -> str:
    if s.report.vmpl == VMPL_HOST:
        return "the host asked for this report, and not the guest"
    return "not the highest level: another one may control this one" if s.report.vmpl else ""


def _hexadecimal(name: str) -> Callable[[Shown], str]:
    def read(s: Shown) -> str:
        value: int = getattr(s.report, name)
        return f"0x{value:x}"

    return read


def _cpu_unusual(s: Shown) -> str:
    return "" if s.line else "no processor that is known"


def _vector(name: str) -> Callable[[Shown], str]:
    def read(s: Shown) -> str:
        value: int = getattr(s.report, name)
        bits = ", ".join(str(bit) for bit in range(64) if value >> bit & 1) or "none"
        return f"0x{value:x}: bits {bits}"

    return read


def _vector_unusual(s: Shown) -> str:
    report = s.report
    if not isinstance(report, ReportV5) or report.launch_mit_vector == report.current_mit_vector:
        return ""
    return "not what it was at launch"


_ZEROS = "zeros for no ID block"

ROWS: dict[str, Row] = {
    "version": Row(
        "layout of the report",
        unusual=lambda s: "it does not name its processor" if s.report.version == 2 else "",
    ),
    "guest_svn": Row("the guest's own security version, from the ID block"),
    "policy": Row(
        "what the guest's owner allows and requires of the host", _policy, _policy_unusual
    ),
    "family_id": Row(f"family of the image, from the ID block; {_ZEROS}"),
    "image_id": Row(f"the image, from the ID block; {_ZEROS}"),
    "vmpl": Row("privilege level that asked for the report", unusual=_vmpl_unusual),
    "signature_algo": Row("1 is ECDSA on P-384 with SHA-384"),
    "current_tcb": Row("security versions that run now", _tcb("current_tcb")),
    "platform_info": Row("what the platform says of itself", _platform, _platform_unusual),
    "flags": Row("which key signs, and what is masked", _flags, _flags_unusual),
    "report_data": Row("64 bytes that the guest had vouched for"),
    "measurement": Row("launch digest: which software was put into memory"),
    "host_data": Row("what the host put in at launch; nobody else checked it"),
    "id_key_digest": Row(f"the key that signed the ID block; {_ZEROS}"),
    "author_key_digest": Row("the key that certified that key"),
    "report_id": Row("this guest, until it ends"),
    "report_id_ma": Row(
        "its migration agent; all ones for none",
        unusual=lambda s: "bound" if s.report.report_id_ma != NO_MIGRATION_AGENT else "",
    ),
    "reported_tcb": Row(
        "security versions that the key is derived from", _tcb("reported_tcb"), _reported_unusual
    ),
    "cpuid_family": Row(
        "combined CPUID family of the processor",
        _hexadecimal("cpuid_family"),
        _cpu_unusual,
    ),
    "cpuid_model": Row("its combined model", _hexadecimal("cpuid_model")),
    "cpuid_stepping": Row("its stepping"),
    "chip_id": Row("the chip", _chip, _chip_unusual),
    "committed_tcb": Row(
        "security versions below which the host cannot go back",
        _tcb("committed_tcb"),
        _committed_unusual,
    ),
    "current_build": Row("build of the firmware that runs"),
    "current_minor": Row("its minor version"),
    "current_major": Row("its major version"),
    "committed_build": Row("build of the committed firmware"),
    "committed_minor": Row("its minor version"),
    "committed_major": Row("its major version"),
    "launch_tcb": Row("security versions at launch", _tcb("launch_tcb"), _launch_unusual),
    "launch_mit_vector": Row("mitigations at launch", _vector("launch_mit_vector")),
    "current_mit_vector": Row("mitigations now", _vector("current_mit_vector"), _vector_unusual),
    "signature_r": Row("first half of the signature, little endian"),
    "signature_s": Row("second half"),
}
