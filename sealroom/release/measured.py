# SPDX-License-Identifier: Apache-2.0
"""What the files of one image measure as: the values that a manifest publishes, from the bytes.

The publisher and everybody who verifies a release run these same functions; the tests hold them
against `sev-snp-measure`, another implementation of MRTD and the event log of a TPM.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from attest.snp.launch.cpu import CPU_TYPES
from attest.snp.launch.digest import Launch, vcpu_digests
from attest.snp.launch.firmware import read_firmware
from attest.snp.launch.kernel_hashes import hash_boot
from attest.snp.launch.vmsa import Vmm
from attest.tdx.launch.events import LoadOptions
from attest.tdx.launch.mrtd import PageOrder
from attest.tdx.launch.registers import Register, plan_launch, registers
from sealroom.release.manifest import VCPUS_PUBLISHED, Snp, SnpRow, Tdx

# SNP alone, and with debug swap, which KVM of Linux 6.6 and 6.7 turned on by itself.
FEATURES_PUBLISHED: Final = (0x1, 0x21)

# edk2 2026.08 puts the word in front (`attest.tdx.launch.events`).
LOAD_OPTIONS: Final = LoadOptions.INITRD_FIRST

RTMR0_OPEN: Final = (
    "edk2 2026.08 measures the guest's memory, QEMU's ACPI and SMBIOS tables, its boot order and "
    "its boot menu into RTMR0: values of one host, one shape and one version of QEMU. The order of "
    "these events is not modelled here, and none of them was seen on hardware."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one image is launched with, every file whole."""

    snp_firmware: bytes = field(repr=False)
    tdx_firmware: bytes = field(repr=False)
    kernel: bytes = field(repr=False)
    initrd: bytes = field(repr=False)
    cmdline: str


def snp_launch(parts: Parts) -> Launch:
    """The largest published guest under QEMU, with the first signature and features.

    Raises:
        FormatError: the firmware or the command line is malformed, or something is not modelled.
    """
    return Launch(
        firmware=read_firmware(parts.snp_firmware),
        boot=hash_boot(parts.kernel, parts.initrd, parts.cmdline),
        vmm=Vmm.QEMU,
        vcpus=VCPUS_PUBLISHED,
        cpu=min(CPU_TYPES.values()),
        features=FEATURES_PUBLISHED[0],
    )


def snp_digests(launch: Launch, signature: int, features: int) -> tuple[bytes, ...]:
    """The launch digests with 1, 2, … vCPUs of this kind.

    Raises:
        FormatError: features that are not modelled.
    """
    of_kind = replace(launch, cpu=signature, features=features)
    return tuple(islice(vcpu_digests(of_kind), VCPUS_PUBLISHED))


def publish_snp(parts: Parts) -> Snp:
    """The launch digests for every CPU model that is modelled.

    Raises:
        FormatError: see `snp_launch`.
    """
    launch = snp_launch(parts)
    rows = tuple(
        SnpRow(
            cpus=tuple(name for name, of in CPU_TYPES.items() if of == signature),
            signature=signature,
            features=features,
            digests=snp_digests(launch, signature, features),
        )
        for signature in sorted(set(CPU_TYPES.values()))
        for features in FEATURES_PUBLISHED
    )
    return Snp(vmm=Vmm.QEMU, rows=rows)


def tdx_registers(parts: Parts, load_options: LoadOptions) -> dict[str, bytes]:
    """The registers under QEMU 10 and later, by their names in a manifest; RTMR0 is not one.

    Raises:
        FormatError: the firmware, the kernel or the command line is malformed or not modelled.
    """
    launch = plan_launch(
        parts.tdx_firmware,
        parts.kernel,
        parts.initrd,
        parts.cmdline,
        order=PageOrder.BY_PAGE,
        load_options=load_options,
    )
    values = registers(launch)
    return {
        "mrtd_single_pass": launch.firmware.single_pass,
        "mrtd_two_pass": launch.firmware.two_pass,
        "rtmr1": values[Register.RTMR1],
        "rtmr2": values[Register.RTMR2],
        "rtmr3": values[Register.RTMR3],
    }


def publish_tdx(parts: Parts) -> Tdx:
    """The registers with the firmware of this release.

    Raises:
        FormatError: see `tdx_registers`.
    """
    return Tdx(
        **tdx_registers(parts, LOAD_OPTIONS),
        load_options=LOAD_OPTIONS,
        rtmr0=None,
        rtmr0_open=RTMR0_OPEN,
    )
