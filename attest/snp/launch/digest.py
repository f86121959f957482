# SPDX-License-Identifier: Apache-2.0
"""The launch digest of a guest: firmware pages, the pages it asks for, one VMSA for each vCPU.

It is the MEASUREMENT of an attestation report (AMD 56860, ATTESTATION_REPORT). The guest's policy,
its host data and the keys of its ID block are in the report by themselves and not in the digest;
its memory size, its devices and its ACPI tables are not measured at all.
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
from attest.snp.launch.firmware import Firmware, SectionType
from attest.snp.launch.kernel_hashes import Boot
from attest.snp.launch.pages import PageType, extend, extend_blank, extend_normal, page_info
from attest.snp.launch.vmsa import RESET_VECTOR, VMSA_GPA, Vmm, vmsa_page

VCPUS_MAX = 1024
SNP_ACTIVE = 1 << 0

# Bits of SEV_FEATURES (AMD APM vol. 2, VMSA). vTOM is not among them: a guest that has it has an
# address besides, in a field of the VMSA that is not modelled.
FEATURES: dict[int, str] = {
    0: "SNP active",
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


_PAGE_TYPES: dict[SectionType, PageType] = {
    SectionType.SEC_MEM: PageType.ZERO,
    SectionType.SVSM_CAA: PageType.ZERO,
    SectionType.KERNEL_HASHES: PageType.ZERO,  # where no hashes are put
    SectionType.SECRETS: PageType.SECRETS,
    SectionType.CPUID: PageType.CPUID,
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
    digest = extend(memory_digest(launch), _vmsa_info(launch, RESET_VECTOR))
    yield digest
    eip = launch.firmware.reset_eip
    if eip is None:
        return
    info = _vmsa_info(launch, eip)
    for _ in range(1, VCPUS_MAX):
        digest = extend(digest, info)
        yield digest


def memory_digest(launch: Launch) -> bytes:
    """The launch digest before the first VMSA: all that is in memory at the start."""
    digest = launch.firmware.digest
    # EC2 puts the CPUID pages last.
    last = SectionType.CPUID if launch.vmm is Vmm.EC2 else None
    for section in sorted(launch.firmware.sections, key=lambda section: section.kind is last):
        if section.kind is SectionType.KERNEL_HASHES and launch.boot is not None:
            offset = (launch.firmware.hashes_gpa or 0) % PAGE_BYTES
            digest = extend_normal(digest, section.gpa, launch.boot.page(offset))
        else:
            page_type = _page_type(section.kind, launch.vmm)
            digest = extend_blank(digest, page_type, section.gpa, section.size)
    return digest


def _page_type(kind: SectionType, vmm: Vmm) -> PageType:
    if kind is SectionType.SEC_MEM and vmm is Vmm.GCE:
        return PageType.UNMEASURED
    return _PAGE_TYPES[kind]


def _vmsa_info(launch: Launch, eip: int) -> bytes:
    page = vmsa_page(launch.vmm, eip=eip, cpu=launch.cpu, features=launch.features)
    return page_info(PageType.VMSA, VMSA_GPA, hashlib.sha384(page).digest())


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
