# SPDX-License-Identifier: Apache-2.0
"""What a verifier demands of an SEV-SNP guest. Data only: the rules are in `attest.snp.rules`.

Every field is required, so that a check that nobody wrote down cannot go unmade. Sets are
allow-lists and are never empty where a report always has a value; 48 zero bytes among the ID keys,
for example, say that a guest without an ID block is accepted. Debugging and migration are not in
here, because they are always refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated

from attest.scalars import Hex, Text, Whole
from attest.snp.key_kind import KeyKind
from attest.snp.product import ProductLine
from attest.snp.tcb import Tcb, tcb

Byte = Annotated[int, Whole(0, 255)]

FLOORS_REMEMBERED = 64
NO_CHIP = bytes(64)  # what a report says that hides its chip


class Permission(StrEnum):
    """What a guest's policy may allow its host (AMD 56860, GUEST_POLICY); the value is ours."""

    SMT = "smt"
    CXL = "cxl"


class Requirement(StrEnum):
    """What a guest's policy may require of its host."""

    SINGLE_SOCKET = "single-socket"
    AES_256_XTS = "aes-256-xts"
    RAPL_DISABLED = "rapl-disabled"
    CIPHERTEXT_HIDING = "ciphertext-hiding"
    PAGE_SWAP_DISABLED = "page-swap-disabled"


class PlatformBit(StrEnum):
    """What a report may say of the platform (AMD 56860, PLATFORM_INFO)."""

    SMT = "smt"
    TSME = "tsme"
    ECC = "ecc"
    RAPL_DISABLED = "rapl-disabled"
    CIPHERTEXT_HIDING = "ciphertext-hiding"
    ALIAS_CHECK = "alias-check"
    IOMMU_WRITE_SAFE = "iommu-write-safe"
    TIO = "tio"


PERMISSION_BITS = {Permission.SMT: 16, Permission.CXL: 21}
REQUIREMENT_BITS = {
    Requirement.SINGLE_SOCKET: 20,
    Requirement.AES_256_XTS: 22,
    Requirement.RAPL_DISABLED: 23,
    Requirement.CIPHERTEXT_HIDING: 24,
    Requirement.PAGE_SWAP_DISABLED: 25,
}
PLATFORM_BITS = {bit: number for number, bit in enumerate(PlatformBit)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TcbFloor:
    """Lowest accepted security version of each component; 0 for one that the line lacks."""

    fmc: Byte
    boot_loader: Byte
    tee: Byte
    snp: Byte
    microcode: Byte

    def on(self, line: ProductLine) -> Tcb:
        """The floor as a TCB of this line.

        Raises:
            ValueError: it names a component that the line lacks.
        """
        return _floor(line, self)


@lru_cache(maxsize=FLOORS_REMEMBERED)
def _floor(line: ProductLine, floor: TcbFloor) -> Tcb:
    return tcb(
        line,
        fmc=floor.fmc,
        boot_loader=floor.boot_loader,
        tee=floor.tee,
        snp=floor.snp,
        microcode=floor.microcode,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareFloor:
    """Lowest accepted version of the committed SNP firmware."""

    major: Byte
    minor: Byte
    build: Byte


@dataclass(frozen=True, slots=True, kw_only=True)
class AbiFloor:
    """Lowest ABI version that a guest's policy may demand of its host's firmware."""

    major: Byte
    minor: Byte


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPolicy:
    """What is accepted of one product line; a line without one is refused.

    Attributes:
        line: the product line.
        reported_tcb: floor of the TCB that the VEK is derived from.
        committed_tcb: floor of the TCB below which the host cannot go back.
        launch_tcb: floor of the TCB at the guest's launch.
        firmware: floor of the committed firmware.
        mitigations: bits that both mitigation vectors must have; not 0 needs report version 5.
    """

    line: ProductLine
    reported_tcb: TcbFloor
    committed_tcb: TcbFloor
    launch_tcb: TcbFloor
    firmware: FirmwareFloor
    mitigations: Annotated[int, Whole(0, 2**64 - 1)]

    def __post_init__(self) -> None:
        for floor in (self.reported_tcb, self.committed_tcb, self.launch_tcb):
            floor.on(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpPolicy:
    """Everything that is demanded of an SEV-SNP report and of its key's certificate.

    Attributes:
        versions: accepted report versions.
        keys: accepted kinds of signing key.
        csp_ids: clouds whose VLEK is accepted, as the certificate spells them.
        masked_chip_id: whether a VCEK report that hides the chip's identity is accepted.
        chips: accepted chips, each by its CHIP_ID (on Turin 8 bytes, then zeros), or None for any
            that AMD made; one that is hidden is on no list, whatever the kind of key.
        require_crl: whether a fresh CRL must come with the evidence.
        products: accepted product lines with their floors.
        vmpls: accepted privilege levels of the requester.
        abi: lowest ABI version in the guest's policy.
        guest_allows: what the guest's policy may allow at most.
        guest_requires: what the guest's policy must require at least.
        platform_has: what the platform must have.
        platform_lacks: what the platform must not have.
        guest_svn: lowest guest security version, from the ID block.
        measurements: accepted launch digests.
        host_data: accepted host data.
        family_ids: accepted family IDs, from the ID block.
        image_ids: accepted image IDs, from the ID block.
        id_keys: accepted digests of the key that signed the ID block.
        author_keys: accepted digests of the key that certified it; zeros where none did.
    """

    versions: frozenset[Annotated[int, Whole(2, 5)]]
    keys: frozenset[KeyKind]
    csp_ids: frozenset[Annotated[str, Text(256)]]
    masked_chip_id: bool
    chips: frozenset[Annotated[bytes, Hex(64)]] | None
    require_crl: bool
    products: tuple[ProductPolicy, ...]
    vmpls: frozenset[Annotated[int, Whole(0, 3)]]
    abi: AbiFloor
    guest_allows: frozenset[Permission]
    guest_requires: frozenset[Requirement]
    platform_has: frozenset[PlatformBit]
    platform_lacks: frozenset[PlatformBit]
    guest_svn: Annotated[int, Whole(0, 2**32 - 1)]
    measurements: frozenset[Annotated[bytes, Hex(48)]]
    host_data: frozenset[Annotated[bytes, Hex(32)]]
    family_ids: frozenset[Annotated[bytes, Hex(16)]]
    image_ids: frozenset[Annotated[bytes, Hex(16)]]
    id_keys: frozenset[Annotated[bytes, Hex(48)]]
    author_keys: frozenset[Annotated[bytes, Hex(48)]]

    def __post_init__(self) -> None:
        for name in _NEVER_EMPTY:
            if not getattr(self, name) and getattr(self, name) is not None:
                raise ValueError(f"{name} is empty, so nothing could be accepted")
        lines = [product.line for product in self.products]
        if len(set(lines)) != len(lines):
            raise ValueError("a product line stands twice")
        if bool(self.csp_ids) != (KeyKind.VLEK in self.keys):
            raise ValueError("csp_ids go with the key kind vlek, and the other way round")
        if self.chips is not None and NO_CHIP in self.chips:
            raise ValueError("chips has one that hides which it is")
        if self.platform_has & self.platform_lacks:
            raise ValueError("a platform bit is demanded and forbidden")

    def product(self, line: ProductLine) -> ProductPolicy | None:
        """What is accepted of one line, or None when it is not accepted."""
        return next((product for product in self.products if product.line is line), None)


_NEVER_EMPTY = (
    "versions",
    "keys",
    "products",
    "vmpls",
    "measurements",
    "host_data",
    "family_ids",
    "image_ids",
    "id_keys",
    "author_keys",
    "chips",
)
