# SPDX-License-Identifier: Apache-2.0
"""The launch digest of a guest: firmware pages, the pages it asks for, one VMSA for each vCPU.

It is the MEASUREMENT of an attestation report (AMD 56860 §7.3). The policy of the guest, its host
data and its ID block are in the report by themselves and not in the digest; its memory size, its
devices and its ACPI tables are not measured at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from attest.errors import FormatError, UnsupportedError
from attest.ovmf import PAGE_BYTES
from attest.scalars import Whole
from attest.snp.launch.firmware import Firmware, Section, SectionType
from attest.snp.launch.kernel_hashes import Boot
from attest.snp.launch.pages import PageType, extend, extend_blank, extend_normal
from attest.snp.launch.vmsa import RESET_VECTOR, VMSA_GPA, Vmm, vmsa_page

VCPUS_MAX = 1024
SNP_ACTIVE = 1 << 0

# SEV_FEATURES (APM vol. 2, table B-4) that a host may set without further state in the VMSA.
FEATURES: dict[int, str] = {
    0: "SNP active",
    1: "vTOM",
    2: "reflect #VC",
    3: "restricted injection",
    4: "alternate injection",
    5: "debug swap",
    6: "prevent host IBS",
    7: "BTB isolation",
    8: "VMPL SSS",
    9: "secure TSC",
    10: "VMGEXIT parameter",
    12: "IBS virtualisation",
    14: "VMSA register protection",
    15: "SMT protection",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything that the digest is made of.

    Attributes:
        firmware: of the guest.
        boot: kernel, initrd and command line; None when the VMM writes no table of their hashes.
        vmm: who launches.
        vcpus: how many, from 1.
        cpu: the vCPUs' signature; only QEMU's digest depends on it.
        features: SEV_FEATURES of each vCPU.
    """

    firmware: Firmware
    boot: Boot | None
    vmm: Vmm
    vcpus: Annotated[int, Whole(1, VCPUS_MAX)]
    cpu: Annotated[int, Whole(0, (1 << 32) - 1)]
    features: Annotated[int, Whole(0, (1 << 53) - 1)]

    def __post_init__(self) -> None:
        if not 1 <= self.vcpus <= VCPUS_MAX:
            raise FormatError("vCPUs", None, f"wanted 1 to {VCPUS_MAX}, got {self.vcpus}")
        if not 0 <= self.cpu < 1 << 32:
            raise FormatError("vCPU signature", None, f"wanted 32 bits, got 0x{self.cpu:x}")
        if not self.features & SNP_ACTIVE:
            raise FormatError("guest features", None, "wanted bit 0 (SNP active) set")
        unknown = self.features & ~sum(1 << bit for bit in FEATURES)
        if unknown:
            raise UnsupportedError("guest features", None, f"bits 0x{unknown:x} are not modelled")
        if self.vcpus > 1 and self.firmware.reset_eip is None:
            raise FormatError("firmware", None, "several vCPUs need a SEV-ES reset block")
        if self.boot is not None:
            _check_room(self.firmware, self.boot)


def launch_digest(launch: Launch) -> bytes:
    """The MEASUREMENT of a guest that is launched so."""
    return next(islice(vcpu_digests(launch), launch.vcpus - 1, None))


def vcpu_digests(launch: Launch) -> Iterator[bytes]:
    """The digest with 1, 2, 3, … vCPUs, up to what the firmware can start."""
    digest = extend(memory_digest(launch), PageType.VMSA, VMSA_GPA, _vmsa(launch, RESET_VECTOR))
    yield digest
    eip = launch.firmware.reset_eip
    if eip is None:
        return
    contents = _vmsa(launch, eip)
    for _ in range(1, VCPUS_MAX):
        digest = extend(digest, PageType.VMSA, VMSA_GPA, contents)
        yield digest


def memory_digest(launch: Launch) -> bytes:
    """The launch digest before the first VMSA: all that is in memory at the start."""
    digest = launch.firmware.digest
    for section in launch.firmware.sections:
        digest = _extend_section(digest, section, launch)
    if launch.vmm is Vmm.EC2:  # which puts the CPUID pages last
        for section in launch.firmware.sections:
            if section.kind is SectionType.CPUID:
                digest = extend(digest, PageType.CPUID, section.gpa)
    return digest


def _vmsa(launch: Launch, eip: int) -> bytes:
    page = vmsa_page(launch.vmm, eip=eip, cpu=launch.cpu, features=launch.features)
    return hashlib.sha384(page).digest()


def _extend_section(digest: bytes, section: Section, launch: Launch) -> bytes:
    gpa, size = section.gpa, section.size
    match section.kind:
        case SectionType.SEC_MEM:
            kind = PageType.UNMEASURED if launch.vmm is Vmm.GCE else PageType.ZERO
            return extend_blank(digest, kind, gpa, size)
        case SectionType.SVSM_CAA:
            return extend_blank(digest, PageType.ZERO, gpa, size)
        case SectionType.SECRETS:
            return extend(digest, PageType.SECRETS, gpa)
        case SectionType.CPUID:
            return digest if launch.vmm is Vmm.EC2 else extend(digest, PageType.CPUID, gpa)
        case SectionType.KERNEL_HASHES:
            if launch.boot is None:
                return extend_blank(digest, PageType.ZERO, gpa, size)
            offset = (launch.firmware.hashes_gpa or 0) % PAGE_BYTES
            return extend_normal(digest, gpa, launch.boot.page(offset))


def _check_room(firmware: Firmware, boot: Boot) -> None:
    pages = [s.gpa for s in firmware.sections if s.kind is SectionType.KERNEL_HASHES]
    if not pages or firmware.hashes_gpa is None:
        raise FormatError(
            "firmware", None, "it has no place for kernel hashes: wanted an AmdSev build of OVMF"
        )
    offset = firmware.hashes_gpa - pages[0]
    if not 0 <= offset < PAGE_BYTES:
        raise FormatError("firmware", None, "the table of kernel hashes lies outside of its page")
    boot.page(offset)
