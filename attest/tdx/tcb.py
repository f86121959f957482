# SPDX-License-Identifier: Apache-2.0
"""Intel's evaluation of a platform (Quote Verification Library, step 4.1.2.5.2; rules T7 to T11).

Three parts are looked up, each among its own levels, highest first: the platform, the TDX module,
the quoting enclave. The worst of them decides. A part without a level leaves no status at all. A
quote that tells which module runs now is evaluated for it too (step 4.1.2.5.1.20).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import ge

from attest.tdx.certificate import Pck
from attest.tdx.quote import QeReport, TdReport10, TdReport15
from attest.tdx.status import TcbStatus
from attest.tdx.tcb_info import (
    Module,
    PartLevel,
    PlatformLevel,
    QeIdentity,
    Rating,
    TcbInfo,
)

# What an outdated module or quoting enclave makes of the platform's own status.
_OUTDATED = {
    TcbStatus.UP_TO_DATE: TcbStatus.OUT_OF_DATE,
    TcbStatus.SW_HARDENING_NEEDED: TcbStatus.OUT_OF_DATE,
    TcbStatus.CONFIGURATION_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
}
_OUT_OF_DATE = frozenset(_OUTDATED.values())
_CONFIGURATION = frozenset(
    {
        TcbStatus.CONFIGURATION_NEEDED,
        TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
        TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    }
)

# The module's own versions stand first among the TDX components, and past version 0 of the module
# its identity rates them instead.
_MODULE_SVN, _MODULE_VERSION, _MODULE_COMPONENTS = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Rated:
    """What Intel's rating of the three parts comes to, for one version of the TDX module.

    Attributes:
        platform: the platform's level, or None when it has none.
        module: the TDX module's identity, or None when its version has none.
        module_level: the module's level, or None; a module of version 0 has no levels to find.
        module_rated: whether the module has the level that it needs.
        qe: the quoting enclave's level, or None.
    """

    platform: PlatformLevel | None
    module: Module | None
    module_level: PartLevel | None
    module_rated: bool
    qe: PartLevel | None

    @property
    def ratings(self) -> tuple[Rating, ...]:
        """The ratings that were found."""
        levels = (self.platform, self.module_level, self.qe)
        return tuple(level.rating for level in levels if level is not None)

    @property
    def status(self) -> TcbStatus | None:
        """Of all parts together, or None when one has no level."""
        if self.platform is None or not self.module_rated or self.qe is None:
            return None
        status = self.platform.rating.status
        for part in (self.module_level, self.qe):
            if part is not None:
                status = converge(status, part.rating.status)
        return status


@dataclass(frozen=True)
class Evaluation:
    """The platform with the module that the TD was launched with, and with the one running now.

    Attributes:
        launch: at launch.
        current: now, or None when the quote does not tell.
    """

    launch: Rated
    current: Rated | None

    @property
    def both(self) -> tuple[Rated, ...]:
        """What there is of the two."""
        return (self.launch,) if self.current is None else (self.launch, self.current)

    @cached_property
    def status(self) -> TcbStatus | None:
        """The rating of the whole, or None when a part has no level.

        A TD that was launched on an outdated platform which is no longer so need only be launched
        again. What is revoked now is revoked, whatever it was.
        """
        statuses = [rated.status for rated in self.both]
        if None in statuses:
            return None
        launch, current = statuses[0], statuses[-1]
        if current is TcbStatus.REVOKED:
            return current
        if launch not in _OUT_OF_DATE or current not in _OUTDATED:
            return launch
        if _CONFIGURATION.isdisjoint({launch, current}):
            return TcbStatus.RELAUNCH_ADVISED
        return TcbStatus.RELAUNCH_ADVISED_CONFIGURATION_NEEDED

    @cached_property
    def date(self) -> datetime | None:
        """The date of the oldest part's level at launch."""
        return min((rating.date for rating in self.launch.ratings), default=None)

    @cached_property
    def advisories(self) -> tuple[str, ...]:
        """The advisories that applied to any part at launch, sorted."""
        found = {name for rating in self.launch.ratings for name in rating.advisories}
        return tuple(sorted(found))


def evaluate(
    tcb_info: TcbInfo, qe_identity: QeIdentity, pck: Pck, body: TdReport10, qe_report: QeReport
) -> Evaluation:
    """Rate a platform by what Intel says of it."""
    certified = [level for level in tcb_info.levels if _certified(pck, level)]
    qe = _part_level(qe_identity.levels, qe_report.isvsvn)
    launch = _rate(tcb_info, certified, qe, body.tee_tcb_svn)
    if not isinstance(body, TdReport15):
        return Evaluation(launch, None)
    return Evaluation(launch, _rate(tcb_info, certified, qe, body.tee_tcb_svn2))


def converge(status: TcbStatus, part: TcbStatus) -> TcbStatus:
    """The status of a platform, given that of a part of it."""
    if part is TcbStatus.REVOKED:
        return part
    if part is TcbStatus.OUT_OF_DATE:
        return _OUTDATED.get(status, status)
    return status


def _rate(
    tcb_info: TcbInfo, certified: list[PlatformLevel], qe: PartLevel | None, svns: bytes
) -> Rated:
    version = svns[_MODULE_VERSION]
    first = _MODULE_COMPONENTS if version else 0
    platform = next((x for x in certified if _covers(svns[first:], x.tdx[first:])), None)
    module = tcb_info.modules.get(version) if version else tcb_info.module
    level = _part_level(module.levels if module else (), svns[_MODULE_SVN])
    return Rated(platform, module, level, not version or level is not None, qe)


def _certified(pck: Pck, level: PlatformLevel) -> bool:
    return _covers(pck.cpu_svns, level.sgx) and pck.pce_svn >= level.pce_svn


def _covers(svns: bytes, floor: bytes) -> bool:
    return all(map(ge, svns, floor))


def _part_level(levels: Iterable[PartLevel], isvsvn: int) -> PartLevel | None:
    return next((level for level in levels if level.isvsvn <= isvsvn), None)
