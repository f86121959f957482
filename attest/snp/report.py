# SPDX-License-Identifier: Apache-2.0
"""The SEV-SNP attestation report (AMD 56860, table ATTESTATION_REPORT), versions 2 to 5.

The version decides which fields exist: the processor's identity came with 3, the mitigation vectors
with 5, and 4 has the layout of 3. A field that a version lacks is reserved there, hence zero. What
`parse_report` returns is what the bytes claim; nobody has checked a signature yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from attest.errors import FormatError, UnsupportedError
from attest.layout import U8, U32, U64, Raw, Span, decode

SIGNED = Span(0x000, 0x2A0)
ECDSA_P384_SHA384 = 1
VMPL_HOST = 0xFFFFFFFF  # the report was requested by the host, not from inside the guest

# Order of the group of P-384 (FIPS 186-4 §D.1.2.4).
P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)

_WHAT = "SNP report"


@dataclass(frozen=True, slots=True)
class ReportV2:
    """What every version has."""

    version: Annotated[int, U32(0x000)]
    guest_svn: Annotated[int, U32(0x004)]
    policy: Annotated[int, U64(0x008)]
    family_id: Annotated[bytes, Raw(0x010, 16)]
    image_id: Annotated[bytes, Raw(0x020, 16)]
    vmpl: Annotated[int, U32(0x030)]
    signature_algo: Annotated[int, U32(0x034)]
    current_tcb: Annotated[bytes, Raw(0x038, 8)]
    platform_info: Annotated[int, U64(0x040)]
    flags: Annotated[int, U32(0x048)]
    report_data: Annotated[bytes, Raw(0x050, 64)]
    measurement: Annotated[bytes, Raw(0x090, 48)]
    host_data: Annotated[bytes, Raw(0x0C0, 32)]
    id_key_digest: Annotated[bytes, Raw(0x0E0, 48)]
    author_key_digest: Annotated[bytes, Raw(0x110, 48)]
    report_id: Annotated[bytes, Raw(0x140, 32)]
    report_id_ma: Annotated[bytes, Raw(0x160, 32)]
    reported_tcb: Annotated[bytes, Raw(0x180, 8)]
    chip_id: Annotated[bytes, Raw(0x1A0, 64)]
    committed_tcb: Annotated[bytes, Raw(0x1E0, 8)]
    current_build: Annotated[int, U8(0x1E8)]
    current_minor: Annotated[int, U8(0x1E9)]
    current_major: Annotated[int, U8(0x1EA)]
    committed_build: Annotated[int, U8(0x1EC)]
    committed_minor: Annotated[int, U8(0x1ED)]
    committed_major: Annotated[int, U8(0x1EE)]
    launch_tcb: Annotated[bytes, Raw(0x1F0, 8)]
    signature_r: Annotated[bytes, Raw(0x2A0, 48)]
    signature_s: Annotated[bytes, Raw(0x2E8, 48)]

    SIZE: ClassVar[int] = 0x4A0
    RESERVED: ClassVar[tuple[Span, ...]] = (
        Span(0x04C, 0x050),
        Span(0x188, 0x1A0),
        Span(0x1EB, 0x1EC),
        Span(0x1EF, 0x1F0),
        Span(0x1F8, 0x2A0),
        Span(0x2D0, 0x2E8),
        Span(0x318, 0x4A0),
    )

    @property
    def author_key_enabled(self) -> bool:
        """AUTHOR_KEY_EN: the ID key was certified by an author key."""
        return bool(self.flags & 1)

    @property
    def chip_key_masked(self) -> bool:
        """MASK_CHIP_KEY: the host told the firmware not to use the VCEK."""
        return bool(self.flags & 2)

    @property
    def signing_key(self) -> int:
        """SIGNING_KEY: 0 for VCEK, 1 for VLEK, 7 for none; the others are reserved."""
        return self.flags >> 2 & 7

    @property
    def chip_id_masked(self) -> bool:
        """MASK_CHIP_ID leaves CHIP_ID all zero."""
        return not any(self.chip_id)


@dataclass(frozen=True, slots=True)
class ReportV3(ReportV2):
    """Versions 3 and 4: the processor says what it is."""

    cpuid_family: Annotated[int, U8(0x188)]
    cpuid_model: Annotated[int, U8(0x189)]
    cpuid_stepping: Annotated[int, U8(0x18A)]

    RESERVED: ClassVar[tuple[Span, ...]] = (
        Span(0x04C, 0x050),
        Span(0x18B, 0x1A0),
        Span(0x1EB, 0x1EC),
        Span(0x1EF, 0x1F0),
        Span(0x1F8, 0x2A0),
        Span(0x2D0, 0x2E8),
        Span(0x318, 0x4A0),
    )


@dataclass(frozen=True, slots=True)
class ReportV5(ReportV3):
    """Version 5: the mitigations in force, at launch and now."""

    launch_mit_vector: Annotated[int, U64(0x1F8)]
    current_mit_vector: Annotated[int, U64(0x200)]

    RESERVED: ClassVar[tuple[Span, ...]] = (
        Span(0x04C, 0x050),
        Span(0x18B, 0x1A0),
        Span(0x1EB, 0x1EC),
        Span(0x1EF, 0x1F0),
        Span(0x208, 0x2A0),
        Span(0x2D0, 0x2E8),
        Span(0x318, 0x4A0),
    )


VERSIONS: dict[int, type[ReportV2]] = {2: ReportV2, 3: ReportV3, 4: ReportV3, 5: ReportV5}


def parse_report(data: bytes) -> ReportV2:
    """Read exactly one report (rule S1).

    Raises:
        UnsupportedError: a version that is not in `VERSIONS`.
        FormatError: any other departure from the layout.
    """
    if len(data) != ReportV2.SIZE:
        raise FormatError(_WHAT, len(data), f"wanted {ReportV2.SIZE} bytes, got {len(data)}")
    version = int.from_bytes(data[:4], "little")
    if version not in VERSIONS:
        known = ", ".join(map(str, VERSIONS))
        raise UnsupportedError(_WHAT, 0, f"wanted version {known}, got {version}")
    report = decode(VERSIONS[version], data)
    if report.signature_algo != ECDSA_P384_SHA384:
        raise FormatError(_WHAT, 0x034, f"wanted algorithm 1, got {report.signature_algo}")
    if report.flags >> 5:
        raise FormatError(_WHAT, 0x048, "reserved flags are not zero")
    for offset, number in ((0x2A0, report.signature_r), (0x2E8, report.signature_s)):
        if not 1 <= int.from_bytes(number, "little") < P384_ORDER:
            raise FormatError(_WHAT, offset, "signature is out of range")
    return report
