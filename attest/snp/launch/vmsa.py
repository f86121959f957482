# SPDX-License-Identifier: Apache-2.0
"""A vCPU's state at its start, as the page that is measured (AMD APM vol. 2, table B-4).

What KVM and the three VMMs put there is a table. The first vCPU starts at the reset vector, the
others where the firmware's SEV-ES reset block says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

from attest.ovmf import PAGE_BYTES

RESET_VECTOR = 0xFFFFFFF0
VMSA_GPA = 0xFFFFFFFFF000


class Vmm(StrEnum):
    """The virtual machine monitors that are modelled."""

    QEMU = "qemu"
    EC2 = "ec2"
    GCE = "gce"


@dataclass(frozen=True, slots=True)
class _Start:
    """Where the VMMs differ. ``rdx`` is None where it is the CPU's signature."""

    cs: int
    cs_at_reset: int
    ss: int
    tr: int
    pat: int
    rdx: int | None
    mxcsr: int
    fcw: int


_PAT = 0x0007040600070406
_STARTS: dict[Vmm, _Start] = {
    Vmm.QEMU: _Start(0x9B, 0x9B, 0x93, 0x8B, _PAT, None, mxcsr=0x1F80, fcw=0x37F),
    Vmm.EC2: _Start(0x9B, 0x9A, 0x92, 0x83, _PAT, 0x600, mxcsr=0, fcw=0),
    Vmm.GCE: _Start(0x9B, 0x9B, 0x93, 0x8B, 0x70106, 0x600, mxcsr=0, fcw=0),
}

_SEGMENT = struct.Struct("<HHIQ")  # selector, attributes, limit, base
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


def vmsa_page(vmm: Vmm, *, eip: int, cpu: int, features: int) -> bytes:
    """One vCPU's VMSA.

    Args:
        vmm: who makes the vCPU.
        eip: where it starts, 32 bits.
        cpu: its signature; only QEMU puts it there.
        features: SEV_FEATURES, bit 0 (SNP) included.
    """
    start = _STARTS[vmm]
    cs = start.cs_at_reset if eip == RESET_VECTOR else start.cs
    segments = (
        (0x000, 0, 0x93, 0xFFFF, 0),  # ES
        (0x010, 0xF000, cs, 0xFFFF, eip & 0xFFFF0000),
        (0x020, 0, start.ss, 0xFFFF, 0),
        (0x030, 0, 0x93, 0xFFFF, 0),  # DS
        (0x040, 0, 0x93, 0xFFFF, 0),  # FS
        (0x050, 0, 0x93, 0xFFFF, 0),  # GS
        (0x060, 0, 0, 0xFFFF, 0),  # GDTR
        (0x070, 0, 0x82, 0xFFFF, 0),  # LDTR
        (0x080, 0, 0, 0xFFFF, 0),  # IDTR
        (0x090, 0, start.tr, 0xFFFF, 0),
    )
    registers = (
        (0x0D0, _U64, 0x1000),  # EFER: KVM sets SVME
        (0x148, _U64, 0x40),  # CR4: KVM sets MCE
        (0x158, _U64, 0x10),  # CR0
        (0x160, _U64, 0x400),  # DR7
        (0x168, _U64, 0xFFFF0FF0),  # DR6
        (0x170, _U64, 0x2),  # RFLAGS
        (0x178, _U64, eip & 0xFFFF),  # RIP
        (0x268, _U64, start.pat),  # G_PAT
        (0x310, _U64, cpu if start.rdx is None else start.rdx),  # RDX
        (0x3B0, _U64, features),  # SEV_FEATURES
        (0x3E8, _U64, 0x1),  # XCR0
        (0x408, _U32, start.mxcsr),
        (0x410, _U16, start.fcw),  # x87 control word
    )
    page = bytearray(PAGE_BYTES)
    for offset, *segment in segments:
        _SEGMENT.pack_into(page, offset, *segment)
    for offset, form, value in registers:
        form.pack_into(page, offset, value)
    return bytes(page)
