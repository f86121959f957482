# SPDX-License-Identifier: Apache-2.0
"""The claims of a report and its key's certificate, in the words that rules are written in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from attest.snp.certificate import Vek
from attest.snp.key_kind import KeyKind
from attest.snp.policy import (
    PERMISSION_BITS,
    PLATFORM_BITS,
    REQUIREMENT_BITS,
    Permission,
    PlatformBit,
    Requirement,
)
from attest.snp.product import ProductLine, line_of
from attest.snp.report import ReportV2, ReportV3, ReportV5
from attest.snp.tcb import Tcb

KEY_NAMES = {0: KeyKind.VCEK, 1: KeyKind.VLEK}


@dataclass(frozen=True)
class Claims:
    """What rules look at: the report, the key's certificate, and the line of the root."""

    report: ReportV2
    vek: Vek
    line: ProductLine

    @cached_property
    def reported(self) -> Tcb:
        """The TCB that the VEK is derived from."""
        return Tcb(self.line, self.report.reported_tcb)

    @cached_property
    def committed(self) -> Tcb:
        """The TCB below which the host cannot go back."""
        return Tcb(self.line, self.report.committed_tcb)

    @cached_property
    def current(self) -> Tcb:
        """The TCB that runs."""
        return Tcb(self.line, self.report.current_tcb)

    @cached_property
    def launch(self) -> Tcb:
        """The TCB at launch."""
        return Tcb(self.line, self.report.launch_tcb)

    @cached_property
    def tcbs(self) -> tuple[Tcb, ...]:
        """All four."""
        return self.reported, self.committed, self.current, self.launch

    @property
    def cpuid_line(self) -> ProductLine | None:
        """The line by the processor's own word; by the root's before version 3."""
        if isinstance(self.report, ReportV3):
            return line_of(self.report.cpuid_family, self.report.cpuid_model)
        return self.line

    @property
    def abi(self) -> tuple[int, int]:
        """The guest policy's lowest ABI version."""
        return self.report.policy >> 8 & 0xFF, self.report.policy & 0xFF

    @property
    def firmware(self) -> tuple[int, int, int]:
        """The committed firmware version."""
        report = self.report
        return report.committed_major, report.committed_minor, report.committed_build

    @property
    def current_firmware(self) -> tuple[int, int, int]:
        """The firmware version that runs."""
        report = self.report
        return report.current_major, report.current_minor, report.current_build

    @property
    def mitigations(self) -> int:
        """Bits that both mitigation vectors have; none before version 5."""
        if isinstance(self.report, ReportV5):
            return self.report.launch_mit_vector & self.report.current_mit_vector
        return 0

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the guest's policy allows."""
        return frozenset(p for p, bit in PERMISSION_BITS.items() if self.policy_bit(bit))

    @property
    def requirements(self) -> frozenset[Requirement]:
        """What the guest's policy requires."""
        return frozenset(r for r, bit in REQUIREMENT_BITS.items() if self.policy_bit(bit))

    @cached_property
    def platform(self) -> frozenset[PlatformBit]:
        """What the platform says it has."""
        info = self.report.platform_info
        return frozenset(name for name, bit in PLATFORM_BITS.items() if info >> bit & 1)

    @property
    def author_key(self) -> bytes:
        """Digest of the author key, or zeros when none was used."""
        enabled = self.report.author_key_enabled
        return self.report.author_key_digest if enabled else bytes(48)

    def policy_bit(self, bit: int) -> bool:
        """One bit of the guest's policy."""
        return bool(self.report.policy >> bit & 1)

    @property
    def chip_matches(self) -> bool:
        """Whether the certificate's hwID is the report's chip, where both name one."""
        hwid, chip_id = self.vek.hwid, self.report.chip_id
        if hwid is None or self.report.chip_id_masked:
            return True
        return chip_id == hwid.ljust(len(chip_id), b"\x00")

    @property
    def in_order(self) -> bool:
        """Whether reported <= committed <= current and launch <= current.

        Firmware versions are in it: no firmware runs below the version that it committed to.
        """
        return (
            self.committed.covers(self.reported)
            and self.current.covers(self.committed)
            and self.current.covers(self.launch)
            and self.firmware <= self.current_firmware
        )
