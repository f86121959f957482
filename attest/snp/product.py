# SPDX-License-Identifier: Apache-2.0
"""AMD product lines: what differs between them is one row each (AMD 57230, 56860 §2.3).

A processor that is not in the table is refused by name; its TCB layout is never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProductLine(StrEnum):
    """A line of processors with one ARK. Genoa's also signs for Bergamo and Siena."""

    MILAN = "Milan"
    GENOA = "Genoa"
    TURIN = "Turin"


class Component(StrEnum):
    """A security version number within a TCB_VERSION."""

    FMC = "fmc"
    BOOT_LOADER = "boot_loader"
    TEE = "tee"
    SNP = "snp"
    MICROCODE = "microcode"


@dataclass(frozen=True, slots=True)
class Product:
    """One line.

    Attributes:
        family: combined CPUID family.
        models: combined CPUID models.
        tcb: which component each byte of a TCB_VERSION holds, byte 0 first; None is reserved.
        struct_version: value of that extension in its VEK certificates.
        names: product names in its VEK certificates, before any stepping.
        hwid_bytes: length of the chip's identity; the rest of CHIP_ID is zero.
    """

    family: int
    models: tuple[range, ...]
    tcb: tuple[Component | None, ...]
    struct_version: int
    names: frozenset[str]
    hwid_bytes: int


_FROM_MILAN = (
    Component.BOOT_LOADER,
    Component.TEE,
    None,
    None,
    None,
    None,
    Component.SNP,
    Component.MICROCODE,
)
_FROM_TURIN = (
    Component.FMC,
    Component.BOOT_LOADER,
    Component.TEE,
    Component.SNP,
    None,
    None,
    None,
    Component.MICROCODE,
)

PRODUCTS: dict[ProductLine, Product] = {
    ProductLine.MILAN: Product(
        family=0x19,
        models=(range(0x10),),
        tcb=_FROM_MILAN,
        struct_version=0,
        names=frozenset({"Milan"}),
        hwid_bytes=64,
    ),
    ProductLine.GENOA: Product(
        family=0x19,
        models=(range(0x10, 0x20), range(0xA0, 0xB0)),
        tcb=_FROM_MILAN,
        struct_version=0,
        names=frozenset({"Genoa", "Bergamo", "Siena"}),
        hwid_bytes=64,
    ),
    ProductLine.TURIN: Product(
        family=0x1A,
        models=(range(0x12),),
        tcb=_FROM_TURIN,
        struct_version=1,
        names=frozenset({"Turin"}),
        hwid_bytes=8,
    ),
}


def line_of(family: int, model: int) -> ProductLine | None:
    """The line that a processor belongs to, or None when it is not in the table."""
    for line, product in PRODUCTS.items():
        if family == product.family and any(model in models for models in product.models):
            return line
    return None
