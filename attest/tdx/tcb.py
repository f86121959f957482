# SPDX-License-Identifier: Apache-2.0
"""Intel's evaluation of a platform (Quote Verification Library, step 4.1.2.4.17; rules T7 to T10).

Three parts are looked up, each among its own levels, best first: the platform, the TDX module, the
quoting enclave. The worst of them decides. A part without a level leaves no status at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from attest.tdx.certificate import Pck
from attest.tdx.quote import QeReport, TdReport10, TdReport15
from attest.tdx.tcb_info import (
    Module,
    PartLevel,
    PlatformLevel,
    QeIdentity,
    Rating,
    TcbInfo,
    TcbStatus,
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
_MODULE_SVN, _MODULE_VERSION, _MODULE_COMPONENTS, _LATE_UPDATE = 0, 1, 2, 2


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What Intel's rating of the three parts comes to.

    Attributes:
        platform: the platform's level, or None when it has none.
        module: the TDX module's identity, or None when the version launched with, or the one that
            has replaced it, has none.
        module_level: the module's level, or None; a module of version 0 has no levels to find.
        module_rated: whether the module has the level that it needs.
        qe: the quoting enclave's level, or None.
        status: of all together, or None when a part has no level.
    """

    platform: PlatformLevel | None
    module: Module | None
    module_level: PartLevel | None
    module_rated: bool
    qe: PartLevel | None
    status: TcbStatus | None

    @property
    def ratings(self) -> tuple[Rating, ...]:
        """The ratings that were found."""
        levels = (self.platform, self.module_level, self.qe)
        return tuple(level.rating for level in levels if level is not None)

    @property
    def date(self) -> datetime | None:
        """The date of the oldest part's level."""
        return min((rating.date for rating in self.ratings), default=None)

    @property
    def advisories(self) -> tuple[str, ...]:
        """The advisories that apply to any part, sorted."""
        return tuple(sorted({name for rating in self.ratings for name in rating.advisories}))


def evaluate(
    tcb_info: TcbInfo, qe_identity: QeIdentity, pck: Pck, body: TdReport10, qe_report: QeReport
) -> Evaluation:
    """Rate a platform by what Intel says of it."""
    certified = [level for level in tcb_info.levels if _certified(pck, level)]
    version = body.tee_tcb_svn[_MODULE_VERSION]
    first = _MODULE_COMPONENTS if version else 0
    platform = next(
        (x for x in certified if _covers(body.tee_tcb_svn[first:], x.tdx[first:])),
        None,
    )
    module = tcb_info.modules.get(version) if version else tcb_info.module
    module_level = _part_level(module.levels if module else (), body.tee_tcb_svn[_MODULE_SVN])
    qe = _part_level(qe_identity.levels, qe_report.isvsvn)
    rated = not version or module_level is not None
    status: TcbStatus | None = None
    if platform is not None and module is not None and rated and qe is not None:
        status = platform.rating.status
        if module_level is not None:
            status = converge(status, module_level.rating.status)
            if module_level.rating.status is TcbStatus.OUT_OF_DATE:
                own = certified[0].rating.status
                status = _relaunch(tcb_info, body, own, status, qe.rating.status)
        if status is None:
            module = None
        else:
            status = converge(status, qe.rating.status)
    return Evaluation(platform, module, module_level, rated, qe, status)


def converge(status: TcbStatus, part: TcbStatus) -> TcbStatus:
    """The status of a platform, given that of a part of it."""
    if part is TcbStatus.REVOKED:
        return part
    if part is TcbStatus.OUT_OF_DATE:
        return _OUTDATED.get(status, status)
    return status


def _relaunch(
    tcb_info: TcbInfo, body: TdReport10, own: TcbStatus, status: TcbStatus, qe: TcbStatus
) -> TcbStatus | None:
    """The status, unless only the module is old and a newer one runs by now (4.1.2.4.17.4.3).

    Then the TD need only be launched again. ``own`` is the platform's status without the TDX
    components. None when the module that runs by now has no identity or no level.
    """
    wanted = own in _OUTDATED and status in _OUT_OF_DATE and qe is TcbStatus.UP_TO_DATE
    if not wanted or not isinstance(body, TdReport15):
        return status
    current, latest = body.tee_tcb_svn2, tcb_info.levels[0].tdx
    module = tcb_info.modules.get(current[_MODULE_VERSION])
    floor = latest[_MODULE_SVN]
    if current[_MODULE_VERSION]:
        if module is None or not module.levels:
            return None
        floor = module.levels[0].isvsvn
    if current[_MODULE_SVN] < floor or current[_LATE_UPDATE] < latest[_LATE_UPDATE]:
        return status
    if {own, status} & _CONFIGURATION:
        return TcbStatus.RELAUNCH_ADVISED_CONFIGURATION_NEEDED
    return TcbStatus.RELAUNCH_ADVISED


def _certified(pck: Pck, level: PlatformLevel) -> bool:
    return _covers(pck.cpu_svns, level.sgx) and pck.pce_svn >= level.pce_svn


def _covers(svns: bytes, floor: bytes) -> bool:
    return all(svn >= least for svn, least in zip(svns, floor, strict=True))


def _part_level(levels: Iterable[PartLevel], isvsvn: int) -> PartLevel | None:
    return next((level for level in levels if level.isvsvn <= isvsvn), None)
