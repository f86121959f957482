# SPDX-License-Identifier: Apache-2.0
"""What a verifier demands of a TDX guest. Data only: the rules are in `attest.tdx.rules`.

Every field is required, so that a check that nobody wrote down cannot go unmade. Sets are
allow-lists and are never empty where a quote always has a value; 48 zero bytes among the owners,
for example, say that a TD without an owner is accepted. Debugging and a revoked platform are not in
here, because they are always refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from attest.scalars import Hex, Text, Whole
from attest.tdx.status import ADVISORY_MAX_CHARACTERS, TcbStatus

Register = Annotated[bytes, Hex(48)]


class TdAttribute(StrEnum):
    """What a TD may be allowed or held to (Intel TDX module ABI, ATTRIBUTES); the value is ours."""

    ICSSD = "icssd"
    LASS = "lass"
    SEPT_VE_DISABLE = "sept-ve-disable"
    MIGRATABLE = "migratable"
    PKS = "pks"
    KL = "kl"
    TPA = "tpa"
    PERFMON = "perfmon"


TD_ATTRIBUTE_BITS = {
    TdAttribute.ICSSD: 16,
    TdAttribute.LASS: 27,
    TdAttribute.SEPT_VE_DISABLE: 28,
    TdAttribute.MIGRATABLE: 29,
    TdAttribute.PKS: 30,
    TdAttribute.KL: 31,
    TdAttribute.TPA: 62,
    TdAttribute.PERFMON: 63,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TdImage:
    """The registers of one image: initial contents, then what firmware and kernel extended.

    RTMR0 holds what the host chose: memory, ACPI tables, settings. None accepts any of it, for an
    image that lets none of it act.
    """

    mrtd: Register
    rtmr0: Register | None
    rtmr1: Register
    rtmr2: Register
    rtmr3: Register

    @property
    def rtmrs(self) -> tuple[bytes | None, ...]:
        """The four registers that are extended at run time; None for one that may be any."""
        return self.rtmr0, self.rtmr1, self.rtmr2, self.rtmr3

    def accepts(self, mrtd: bytes, rtmrs: tuple[bytes, ...]) -> bool:
        """Whether a TD with these registers runs this image."""
        pairs = zip(self.rtmrs, rtmrs, strict=True)
        return mrtd == self.mrtd and all(wanted in (None, got) for wanted, got in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxPolicy:
    """Everything that is demanded of a TDX quote and of Intel's collateral.

    Attributes:
        versions: accepted quote versions.
        body_types: accepted types of TD report: 2 (TDX 1.0), 3 (1.5), 4 (1.5, extended).
        trailing_bytes: whether other bytes than zeros may follow a quote in its buffer.
        ppids: accepted platforms, each by the PPID in its PCK certificate, or None for any that
            Intel has certified.
        statuses: accepted ratings of the platform.
        advisories: Intel's advisories that may apply to the platform.
        evaluation: lowest accepted tcbEvaluationDataNumber, of TCB information and QE identity.
        tcb_date: earliest accepted date of the platform's TCB level, its module's and its QE's.
        td_allows: what the TD's attributes may allow at most.
        td_requires: what the TD's attributes must have at least.
        xfam: extended processor features that the TD may use, a mask in the quote's byte order.
        service_tds: accepted service TDs, for body types 3 and 4; zeros where there is none.
        devices: accepted digests of devices, for body type 4; zeros where there are none.
        images: accepted images.
        config_ids: accepted MRCONFIGID, from the host.
        owners: accepted MROWNER, from the host.
        owner_configs: accepted MROWNERCONFIG, from the host.
        seam_modules: accepted measurements of the TDX module, or None: Intel's collateral rates
            modules by version, and an allow-list refuses each new one.
    """

    versions: frozenset[Annotated[int, Whole(4, 5)]]
    body_types: frozenset[Annotated[int, Whole(2, 4)]]
    trailing_bytes: bool
    ppids: frozenset[Annotated[bytes, Hex(16)]] | None
    statuses: frozenset[TcbStatus]
    advisories: frozenset[Annotated[str, Text(ADVISORY_MAX_CHARACTERS)]]
    evaluation: Annotated[int, Whole(0, 2**31 - 1)]
    tcb_date: datetime
    td_allows: frozenset[TdAttribute]
    td_requires: frozenset[TdAttribute]
    xfam: Annotated[bytes, Hex(8)]
    service_tds: frozenset[Register]
    devices: frozenset[Register]
    images: tuple[TdImage, ...]
    config_ids: frozenset[Register]
    owners: frozenset[Register]
    owner_configs: frozenset[Register]
    seam_modules: frozenset[Register] | None

    def __post_init__(self) -> None:
        for name in _NEVER_EMPTY:
            if not getattr(self, name) and getattr(self, name) is not None:
                raise ValueError(f"{name} is empty, so nothing could be accepted")
        if TcbStatus.REVOKED in self.statuses:
            raise ValueError("a revoked platform is never accepted")
        if self.body_types - {2} and not self.service_tds:
            raise ValueError("service_tds is empty, so no body of type 3 or 4 could be accepted")
        if 4 in self.body_types and not self.devices:
            raise ValueError("devices is empty, so no body of type 4 could be accepted")


_NEVER_EMPTY = (
    "versions",
    "body_types",
    "statuses",
    "images",
    "config_ids",
    "owners",
    "owner_configs",
    "seam_modules",
    "ppids",
)
