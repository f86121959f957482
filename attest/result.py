# SPDX-License-Identifier: Apache-2.0
"""What a verification comes to. These types are its only proof, so nothing else can make them.

`VerifiedGuest` is the only thing that a client may seal to. It cannot be constructed, copied with
changes, unpickled or subclassed; `attest.verify.verify` returns it or raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, final

from attest.findings import Check, Outcome
from attest.statement import Platform, Statement

if TYPE_CHECKING:
    from attest.tdx.status import TcbStatus


class Notice(StrEnum):
    """Something that a policy accepted and that a person may still want to know."""

    PROVISIONAL_FIRMWARE = "provisional-firmware"
    UNKNOWN_PLATFORM_BITS = "unknown-platform-bits"
    CHIP_KEY_MASKED = "chip-key-masked"
    CHIP_ID_MASKED = "chip-id-masked"
    CRL_NOT_GIVEN = "crl-not-given"
    TCB_NOT_UP_TO_DATE = "tcb-not-up-to-date"
    MODULE_UPDATED = "tdx-module-updated"
    TRAILING_BYTES = "trailing-bytes"


class Note(NamedTuple):
    """One notice and the value it is about."""

    notice: Notice
    got: str


class _OnlyVerified:
    __slots__ = ()

    def __new__(cls, *_: object, **__: object) -> Self:
        raise TypeError(f"{cls.__name__} is made by a verification and by nothing else")


@final
@dataclass(frozen=True, slots=True, init=False)
class VerifiedReport(_OnlyVerified):
    """A hardware report whose chain, signature and rules hold. It vouches for 64 bytes.

    Attributes:
        platform: the hardware.
        product_line: the line of processors.
        measurement: launch measurement of the guest.
        report_data: what the guest had the hardware vouch for.
        tcb: the platform's security versions that the key is derived from, for people.
        tcb_status: Intel's rating of the platform; None for AMD's, which nobody rates.
        advisories: Intel's advisories that apply to the platform, sorted.
        outcomes: every rule that held; see ``checks``.
        notes: what was accepted and is worth knowing.
        expires: when the first of the certificates and lists used ends.
    """

    platform: Platform
    product_line: str
    measurement: bytes
    report_data: bytes
    tcb: str
    tcb_status: TcbStatus | None
    advisories: tuple[str, ...]
    outcomes: tuple[Outcome, ...] = field(repr=False)
    notes: tuple[Note, ...]
    expires: datetime

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every rule that held, with the value that it held for."""
        return tuple(check for outcome in self.outcomes for check in outcome.checks)


@final
@dataclass(frozen=True, slots=True, init=False)
class VerifiedGuest(_OnlyVerified):
    """A guest that a policy accepts, and the keys that may be sealed to until ``expires``.

    Attributes:
        report: the verified hardware report.
        statement: what the guest says of itself; the report vouches for its exact bytes.
        outcomes: every rule that held, those of the report included; see ``checks``.
        policy_digest: which policy accepted it.
        expires: when the first of everything used ends, the statement included.
    """

    report: VerifiedReport
    statement: Statement
    outcomes: tuple[Outcome, ...] = field(repr=False)
    policy_digest: bytes
    expires: datetime

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every rule that held, with the value that it held for."""
        return tuple(check for outcome in self.outcomes for check in outcome.checks)

    @property
    def key_configs(self) -> tuple[bytes, ...]:
        """OHTTP key configurations that may be sealed to."""
        return self.statement.key_configs

    @property
    def receipt_key(self) -> bytes:
        """Ed25519 public key that signs this guest's erasure receipts."""
        return self.statement.receipt_key

    @property
    def platform(self) -> Platform:
        """The hardware."""
        return self.report.platform

    @property
    def product_line(self) -> str:
        """The line of processors."""
        return self.report.product_line

    @property
    def measurement(self) -> bytes:
        """Launch measurement of the guest."""
        return self.report.measurement

    @property
    def tcb(self) -> str:
        """The platform's security versions, for people."""
        return self.report.tcb

    @property
    def tcb_status(self) -> TcbStatus | None:
        """Intel's rating of the platform; None for AMD's, which nobody rates."""
        return self.report.tcb_status

    @property
    def advisories(self) -> tuple[str, ...]:
        """Intel's advisories that apply to the platform."""
        return self.report.advisories

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was accepted and is worth knowing."""
        return self.report.notes


R = TypeVar("R", VerifiedReport, VerifiedGuest)


def conclude_verification(result: type[R], **values: Any) -> R:
    """Make a result with all its fields. Called at the end of a verification, and nowhere else."""
    if values.keys() != result.__dataclass_fields__.keys():
        raise TypeError(f"{result.__name__} does not have just {', '.join(values)}")
    made = object.__new__(result)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made
