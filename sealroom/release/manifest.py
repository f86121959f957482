# SPDX-License-Identifier: Apache-2.0
"""The manifest of a release: which files it has, what they measure as, and what it asks of a host.

One RFC 8785 JSON object, closed like a statement (`attest.statement`): every field is required, one
that is unknown is refused. It has neither times nor paths nor names of machines, so that whoever
builds the release again writes the same bytes. Once its status is "released" it never changes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from attest.canonical import read_canonical, write_canonical
from attest.closed import Notation, read_record, write_record
from attest.cmdline import Cmdline, check_cmdline
from attest.errors import FormatError
from attest.scalars import Hex, Text, Whole
from attest.snp.launch.vmsa import Vmm
from attest.snp.policy import AbiFloor, Permission, ProductPolicy, Requirement
from attest.tdx.launch.events import LoadOptions
from attest.tdx.policy import TdAttribute
from attest.tdx.status import TcbStatus

FORMAT: Final = "sealroom-release/1"
MANIFEST_MAX_BYTES: Final = 1024 * 1024
VCPUS_PUBLISHED: Final = 64

_FILE_MAX_BYTES: Final = 1 << 40
_WHAT: Final = "manifest"
_VERSION: Final = re.compile(r"(?:0|[1-9][0-9]{0,5})(?:\.(?:0|[1-9][0-9]{0,5})){2}", re.ASCII)
_LOCK: Final = re.compile(r"[a-z][a-z0-9-]{0,39}(?:\.[a-z]{1,6})?", re.ASCII)

Sha256 = Annotated[bytes, Hex(32)]
Register = Annotated[bytes, Hex(48)]


class Status(StrEnum):
    """Whether a manifest may still change."""

    DRAFT = "draft"
    RELEASED = "released"


class ImageVariant(StrEnum):
    """The images of a release. Only the first is for people's data."""

    PRODUCTION = "production"
    RESEARCH = "research"
    TEST = "test"


# What the last word of the product's name must be; in production it is the version.
_LAST_WORDS: Final = {ImageVariant.RESEARCH: "RESEARCH", ImageVariant.TEST: "TEST"}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file, by its content."""

    size: Annotated[int, Whole(1, _FILE_MAX_BYTES)]
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A list of locked inputs of the build, by its name in `image/locks`."""

    name: Annotated[str, Text(48)]
    sha256: Sha256

    def __post_init__(self) -> None:
        if _LOCK.fullmatch(self.name) is None:
            raise ValueError("name is not one of a lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """The two builds of OVMF."""

    snp: File
    tdx: File


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefacts:
    """The three files that a guest boots from."""

    vmlinuz: File
    initrd: File
    cmdline: File


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpRow:
    """Launch digests that differ in the number of vCPUs alone.

    Attributes:
        cpus: QEMU's CPU models with this signature.
        signature: CPUID Fn0000_0001_EAX of the vCPUs.
        features: SEV_FEATURES of the vCPUs.
        digests: the first with 1 vCPU, the last with `VCPUS_PUBLISHED`.
    """

    cpus: tuple[Annotated[str, Text(32)], ...]
    signature: Annotated[int, Whole(0, (1 << 32) - 1)]
    features: Annotated[int, Whole(1, (1 << 53) - 1)]
    digests: tuple[Register, ...]

    def __post_init__(self) -> None:
        if not self.cpus or len(self.digests) != VCPUS_PUBLISHED:
            raise ValueError(f"wanted CPU models and {VCPUS_PUBLISHED} digests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snp:
    """What an SEV-SNP report of this image says."""

    vmm: Vmm
    rows: tuple[SnpRow, ...]

    def __post_init__(self) -> None:
        keys = [(row.signature, row.features) for row in self.rows]
        if not keys or keys != sorted(set(keys)):
            raise ValueError("rows are not sorted by signature and features, or there are none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapedRtmr0:
    """RTMR0 of a guest of one shape."""

    qemu: Annotated[str, Text(64)]
    vcpus: Annotated[int, Whole(1, 1024)]
    memory_mib: Annotated[int, Whole(1, 1 << 30)]
    value: Register


@dataclass(frozen=True, slots=True, kw_only=True)
class Tdx:
    """What a TDX quote of this image says.

    Attributes:
        mrtd_single_pass: MRTD under QEMU 9 and later.
        mrtd_two_pass: MRTD under QEMU 8 with patches for TDX.
        rtmr0: one for each published shape; None when it is not pinned.
        rtmr0_open: why it is not, or None.
        load_options: what the firmware makes of the command line; part of RTMR2.
        rtmr1: of the kernel.
        rtmr2: of the command line and the initrd.
        rtmr3: zeros, since this image extends nothing.
    """

    mrtd_single_pass: Register
    mrtd_two_pass: Register
    rtmr0: tuple[ShapedRtmr0, ...] | None
    rtmr0_open: Annotated[str, Text(400)] | None
    load_options: LoadOptions
    rtmr1: Register
    rtmr2: Register
    rtmr3: Register

    def __post_init__(self) -> None:
        if bool(self.rtmr0) is bool(self.rtmr0_open) or self.rtmr0 == ():
            raise ValueError("wanted rtmr0 or why it is open, and not both")
        if any(self.rtmr3):
            raise ValueError("rtmr3 is not zero, and this image extends nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One variant.

    Attributes:
        product: its name, as people see it.
        cmdline: the kernel's command line, which is the file's content.
        files: what is booted.
        snp: its launch digests.
        tdx: its registers.
    """

    product: Annotated[str, Text(64)]
    cmdline: Annotated[str, Cmdline()]
    files: Artefacts
    snp: Snp
    tdx: Tdx

    def __post_init__(self) -> None:
        check_cmdline(self.cmdline)
        text = self.cmdline.encode("utf-8")
        if File(size=len(text), sha256=hashlib.sha256(text).digest()) != self.files.cmdline:
            raise ValueError("the command line is not the file's content")


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """All variants of a release."""

    production: Image
    research: Image
    test: Image

    def of(self, variant: ImageVariant) -> Image:
        """One of them."""
        image: Image = getattr(self, variant.value)
        return image


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpMinimum:
    """What the release asks of an SEV-SNP host, in the words of `attest.snp.policy`."""

    abi: AbiFloor
    guest_allows: frozenset[Permission]
    guest_requires: frozenset[Requirement]
    products: tuple[ProductPolicy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxMinimum:
    """What the release asks of a TDX host, in the words of `attest.tdx.policy`."""

    statuses: frozenset[TcbStatus]
    evaluation: Annotated[int, Whole(0, 2**31 - 1)]
    tcb_date: datetime
    td_allows: frozenset[TdAttribute]
    td_requires: frozenset[TdAttribute]


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """The lowest that a policy for this release should accept."""

    snp: SnpMinimum
    tdx: TdxMinimum


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything that is published of one release.

    Attributes:
        version: of the release.
        status: whether this file may still change.
        locks: the lists of locked inputs, sorted by name.
        licences: the text of the licences of all that is in the release.
        model: the model's file, which the command line names.
        prompts: SHA-256 over the prompts, as statements have it.
        firmware: for each platform.
        images: the variants.
        minimum: what to ask of a host.
    """

    version: Annotated[str, Text(20)]
    status: Status
    locks: tuple[Lock, ...]
    licences: File
    model: File
    prompts: Sha256
    firmware: Firmware
    images: Images
    minimum: Minimum
    format: Literal["sealroom-release/1"] = FORMAT

    def __post_init__(self) -> None:
        if _VERSION.fullmatch(self.version) is None:
            raise ValueError("version is not three numbers")
        names = [lock.name for lock in self.locks]
        if not names or names != sorted(set(names)):
            raise ValueError("locks are not sorted by name, or there are none")
        word = f"sealroom.model=sha256:{self.model.sha256.hex()}:{self.model.size}"
        for variant in ImageVariant:
            image = self.images.of(variant)
            if [w for w in image.cmdline.split() if w.startswith("sealroom.model=")] != [word]:
                raise ValueError(f"the command line of {variant} does not name the model")
            if image.product.split(" ")[-1] != _LAST_WORDS.get(variant, self.version):
                raise ValueError(f"the product of {variant} is named like another variant")


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest. Who wrote it, and whether it is in the log, is not looked at.

    Raises:
        FormatError: not the canonical bytes of one manifest.
    """
    value = read_canonical(data, _WHAT, MANIFEST_MAX_BYTES)
    return read_record(Manifest, value, _WHAT, Notation.JSON)


def write_manifest(manifest: Manifest) -> bytes:
    """The manifest's exact bytes.

    Raises:
        ValueError: a field is not what `parse_manifest` would take.
    """
    data = write_canonical(write_record(manifest, Notation.JSON))
    try:
        parse_manifest(data)
    except FormatError as error:
        raise ValueError(str(error)) from error
    return data
