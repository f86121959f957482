# SPDX-License-Identifier: Apache-2.0
"""The CPU models of QEMU that can run an SNP guest, by the signature that reset leaves in EDX.

The signature is CPUID Fn0000_0001_EAX (AMD 25481). Models with the same signature have the same
launch digest: a version of a model changes its features, which are not measured. Source of the
table: QEMU, target/i386/cpu.c, builtin_x86_defs.
"""

from __future__ import annotations

from attest.errors import UnsupportedError


def signature(family: int, model: int, stepping: int) -> int:
    """CPUID Fn0000_0001_EAX of a processor.

    Raises:
        ValueError: a number that the fields cannot hold.
    """
    if not (0 <= family <= 0xF + 0xFF and 0 <= model <= 0xFF and 0 <= stepping <= 0xF):
        raise ValueError(f"no processor: family {family}, model {model}, stepping {stepping}")
    extended = max(family - 0xF, 0)
    return (
        extended << 20 | (model >> 4) << 16 | min(family, 0xF) << 8 | (model & 0xF) << 4 | stepping
    )


_NAPLES = signature(0x17, 0x01, 2)
_ROME = signature(0x17, 0x31, 0)
_MILAN = signature(0x19, 0x01, 1)
_GENOA = signature(0x19, 0x11, 0)
_TURIN = signature(0x1A, 0x00, 0)

CPU_TYPES: dict[str, int] = {
    "EPYC": _NAPLES,
    "EPYC-v1": _NAPLES,
    "EPYC-v2": _NAPLES,
    "EPYC-v3": _NAPLES,
    "EPYC-v4": _NAPLES,
    "EPYC-v5": _NAPLES,
    "EPYC-IBPB": _NAPLES,
    "EPYC-Rome": _ROME,
    "EPYC-Rome-v1": _ROME,
    "EPYC-Rome-v2": _ROME,
    "EPYC-Rome-v3": _ROME,
    "EPYC-Rome-v4": _ROME,
    "EPYC-Rome-v5": _ROME,
    "EPYC-Milan": _MILAN,
    "EPYC-Milan-v1": _MILAN,
    "EPYC-Milan-v2": _MILAN,
    "EPYC-Milan-v3": _MILAN,
    "EPYC-Genoa": _GENOA,
    "EPYC-Genoa-v1": _GENOA,
    "EPYC-Genoa-v2": _GENOA,
    "EPYC-Turin": _TURIN,
    "EPYC-Turin-v1": _TURIN,
}


def cpu_signature(name: str) -> int:
    """The signature of a CPU model.

    Raises:
        UnsupportedError: a model that is not in the table.
    """
    if name not in CPU_TYPES:
        raise UnsupportedError("vCPU type", None, f"{name} is not modelled")
    return CPU_TYPES[name]
