# SPDX-License-Identifier: Apache-2.0
"""Intel's evaluation: which level, what the parts make of it, and when a relaunch is advised."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from attest import Reason
from attest.tdx.status import PART_STATUSES, PLATFORM_STATUSES, TcbStatus
from attest.tdx.tcb import Rated, converge
from attest.tdx.tcb_info import PartLevel, PlatformLevel, Rating
from lab.mocktsm.intel_collateral import (
    DATE,
    GOOD_SGX,
    GOOD_TDX,
    OLD_DATE,
    OLD_SGX,
    OLD_TDX,
    collateral,
    level,
    module,
    platform_tcb,
    tcb_info,
)
from lab.mocktsm.intel_pki import PckValues, pck_certificate
from lab.mocktsm.tdx_quote import pck_chain, quote
from tests.attest.tdx.case import STRICT, TdxCase, rated

S = TcbStatus
OUT, CONFIGURE = S.OUT_OF_DATE, S.OUT_OF_DATE_CONFIGURATION_NEEDED


def svn(*components: int) -> bytes:
    return bytes(components).ljust(16, b"\x00")


def status_of(case: TdxCase) -> tuple[str, ...]:
    """The status that a case is refused or accepted with, and the other reasons against it."""
    wrong = case.under(
        statuses=frozenset({S.RELAUNCH_ADVISED_CONFIGURATION_NEEDED}),
        advisories=frozenset(f"INTEL-SA-0000{n}" for n in range(10)),
        tcb_date=STRICT.tcb_date.replace(year=2000),
    )
    findings = wrong.refusal().findings
    return tuple(
        f.got if f.reason is Reason.TCB_STATUS_NOT_ACCEPTED else str(f.reason) for f in findings
    )


def case(*, tcb: str | None = None, pck: PckValues | None = None, **parts: Any) -> TdxCase:
    chain = pck_chain(pck_certificate(pck or PckValues()))
    return TdxCase(quote=quote(chain=chain, **parts), collateral=collateral(tcb=tcb))


# What each status becomes beside an outdated part (Quote Verification Library, 4.1.2.4.17.5).
OUTDATED = {
    S.UP_TO_DATE: OUT,
    S.SW_HARDENING_NEEDED: OUT,
    S.CONFIGURATION_NEEDED: CONFIGURE,
    S.CONFIGURATION_AND_SW_HARDENING_NEEDED: CONFIGURE,
    S.OUT_OF_DATE: OUT,
    S.OUT_OF_DATE_CONFIGURATION_NEEDED: CONFIGURE,
    S.REVOKED: S.REVOKED,
}


@pytest.mark.parametrize("status", sorted(PLATFORM_STATUSES))
def test_a_part_lowers_the_status_and_never_raises_it(status: TcbStatus) -> None:
    assert converge(status, S.UP_TO_DATE) is status
    assert converge(status, S.REVOKED) is S.REVOKED
    assert converge(status, S.OUT_OF_DATE) is OUTDATED[status]
    assert {S.UP_TO_DATE, S.OUT_OF_DATE, S.REVOKED} == PART_STATUSES


@pytest.mark.parametrize("status", sorted(PLATFORM_STATUSES - {S.REVOKED}))
@pytest.mark.parametrize(("qe_svn", "table"), [(7, None), (3, OUTDATED)])
@pytest.mark.parametrize(("module_svn", "module_table"), [(11, None), (5, OUTDATED)])
def test_the_three_parts_converge(
    status: TcbStatus,
    qe_svn: int,
    table: dict[TcbStatus, TcbStatus] | None,
    module_svn: int,
    module_table: dict[TcbStatus, TcbStatus] | None,
) -> None:
    levels = [level(status, DATE, platform_tcb(GOOD_SGX, GOOD_TDX, 13))]
    made = case(
        tcb=tcb_info(tcbLevels=levels),
        qe={"isvsvn": qe_svn},
        body={"tee_tcb_svn": svn(module_svn, 1, 4)},
    )
    wanted = status
    for lowered in (module_table, table):
        wanted = lowered[wanted] if lowered else wanted
    assert rated(wanted, made.under(tcb_date=STRICT.tcb_date)).tcb_status is wanted
    assert status_of(made) == (str(wanted),)


@pytest.mark.parametrize(
    ("qe_svn", "module_svn", "platform"),
    [(2, 11, "UpToDate"), (7, 2, "UpToDate"), (7, 3, "UpToDate"), (7, 11, "Revoked")],
)
def test_one_revoked_part_revokes_all(qe_svn: int, module_svn: int, platform: str) -> None:
    made = case(
        tcb=tcb_info(tcbLevels=[level(platform, DATE, platform_tcb(GOOD_SGX, GOOD_TDX, 13))]),
        qe={"isvsvn": qe_svn},
        body={"tee_tcb_svn": svn(module_svn, 1, 4)},
    )
    assert status_of(made) == ("Revoked",)


NEWER = PckValues()


@pytest.mark.parametrize(
    ("pck", "tee", "wanted"),
    [
        (PckValues(), svn(11, 1, 4), "UpToDate"),
        (PckValues(cpu_svns=GOOD_SGX.ljust(16, b"\0")), svn(11, 1, 3), "UpToDate"),
        (PckValues(cpu_svns=svn(2, 3, 2, 2, 4, 1, 0, 5)), svn(11, 1, 4), "OutOfDate"),
        (PckValues(cpu_svns=svn(3, 3, 2, 2, 4, 1, 0, 4)), svn(11, 1, 4), "tcb-not-supported"),
        (PckValues(cpu_svns=svn(255, 255, 2, 2, 4, 0, 0, 5)), svn(11, 1, 4), "tcb-not-supported"),
        (PckValues(pce_svn=12), svn(11, 1, 4), "tcb-not-supported"),
        (PckValues(pce_svn=300), svn(11, 1, 4), "UpToDate"),
        (PckValues(), svn(11, 1, 2), "OutOfDate"),
        (PckValues(), svn(11, 1, 1), "tcb-not-supported"),
        # A module past version 0 has its own identity: components 0 and 1 do not count.
        (PckValues(), svn(6, 1, 3), "UpToDate"),
        (PckValues(), svn(3, 3, 3), "UpToDate"),
        # Version 0 has none, so they do.
        (PckValues(), svn(5, 0, 3), "UpToDate"),
        (PckValues(), svn(4, 0, 3), "tcb-not-supported"),
        (PckValues(), svn(5, 0, 2), "OutOfDate"),
    ],
)
def test_the_platforms_level_is_the_first_that_it_reaches(
    pck: PckValues, tee: bytes, wanted: str
) -> None:
    assert status_of(case(pck=pck, body={"tee_tcb_svn": tee})) == (wanted,)


def test_every_tdx_component_counts() -> None:
    for index in range(2, 16):
        floor = bytearray(16)
        floor[index] = 9
        levels = [level("UpToDate", DATE, platform_tcb(b"", bytes(floor), 0))]
        low, high = bytearray(svn(11, 1)), bytearray(svn(11, 1))
        low[index], high[index] = 8, 9
        text = tcb_info(tcbLevels=levels)
        assert status_of(case(tcb=text, body={"tee_tcb_svn": bytes(low)})) == ("tcb-not-supported",)
        assert status_of(case(tcb=text, body={"tee_tcb_svn": bytes(high)})) == ("UpToDate",)


def test_the_module_is_found_by_its_version() -> None:
    signer = b"\x05" * 48
    modules = [
        module("TDX_01", level("OutOfDate", DATE, {"isvsvn": 0})),
        module("TDX_03", level("UpToDate", DATE, {"isvsvn": 3}), signer=signer),
    ]
    made = case(
        tcb=tcb_info(tdxModuleIdentities=modules),
        body={"tee_tcb_svn": svn(3, 3, 4), "mrsigner_seam": signer},
    )
    assert made.verify().tcb_status is S.UP_TO_DATE


def test_a_module_whose_identity_has_attributes_is_refused() -> None:
    """SEAMATTRIBUTES must be zero, whatever a document may say (4.1.2.4.11.2)."""
    attributes = b"\x01" + bytes(7)
    modules = [
        module("TDX_01", level("UpToDate", DATE, {"isvsvn": 6}), attributes=attributes),
    ]
    made = case(tcb=tcb_info(tdxModuleIdentities=modules), body={"seam_attributes": attributes})
    assert [f.reason for f in made.refusal().findings] == [Reason.SEAM_ATTRIBUTES]


RATING = Rating(S.UP_TO_DATE, datetime(2024, 11, 13, tzinfo=UTC), ())
ALL_RATED = Rated(
    platform=PlatformLevel(bytes(16), bytes(16), 0, RATING),
    module=None,
    module_level=PartLevel(0, RATING),
    module_rated=True,
    qe=PartLevel(0, RATING),
)


@pytest.mark.parametrize("part", [{"platform": None}, {"module_rated": False}, {"qe": None}])
def test_without_the_level_of_a_part_there_is_no_status(part: dict[str, Any]) -> None:
    assert ALL_RATED.status is S.UP_TO_DATE
    assert replace(ALL_RATED, **part).status is None


def test_date_and_advisories_are_of_all_parts() -> None:
    report = rated(
        OUT,
        case(qe={"isvsvn": 3}, body={"tee_tcb_svn": svn(5, 1, 2)}),
    )
    assert report.advisories == ("INTEL-SA-00001", "INTEL-SA-00002", "INTEL-SA-00003")
    assert report.tcb.startswith("OutOfDate of 2024-03-13; CPU ")


def relaunch(
    *,
    launched: bytes = svn(5, 1, 2),
    running: bytes = svn(6, 1, 3),
    best: str = "UpToDate",
    old: str = "OutOfDate",
    qe_svn: int = 7,
    body_type: int = 3,
    modules: list[Any] | None = None,
    sgx: bytes = OLD_SGX,
) -> tuple[str, ...]:
    """The status of a TD whose module was outdated at launch, on levels of these ratings."""
    levels = [
        level(best, DATE, platform_tcb(sgx, GOOD_TDX, 13)),
        level(old, OLD_DATE, platform_tcb(OLD_SGX, OLD_TDX, 13)),
    ]
    changes: dict[str, Any] = {"tcbLevels": levels}
    if modules is not None:
        changes["tdxModuleIdentities"] = modules
    body = {"tee_tcb_svn": launched}
    if body_type != 2:
        body["tee_tcb_svn2"] = running
    return status_of(
        case(tcb=tcb_info(**changes), body_type=body_type, body=body, qe={"isvsvn": qe_svn})
    )


def test_a_module_updated_under_the_td_advises_a_relaunch() -> None:
    assert relaunch() == (S.RELAUNCH_ADVISED,)


OWN = module("TDX_01", level("OutOfDate", OLD_DATE, {"isvsvn": 4}))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"best": "SWHardeningNeeded"}, S.RELAUNCH_ADVISED),
        ({"body_type": 2}, OUT),  # it does not tell what runs by now
        ({"running": svn(5, 1, 3)}, OUT),  # not the latest module
        ({"running": svn(6, 1, 2)}, OUT),  # not the latest loader
        ({"running": svn(6, 1, 1)}, Reason.TCB_NOT_SUPPORTED),
        ({"running": svn(2, 1, 3)}, S.REVOKED),
        ({"launched": svn(6, 1, 3), "running": svn(2, 1, 3)}, S.REVOKED),
        ({"launched": svn(6, 1, 3), "running": svn(5, 1, 2)}, S.UP_TO_DATE),
        ({"running": svn(3, 3, 3)}, S.RELAUNCH_ADVISED),  # the latest of another version
        ({"running": svn(2, 3, 3)}, Reason.MODULE_NOT_SUPPORTED),
        ({"running": svn(5, 0, 3)}, S.RELAUNCH_ADVISED),  # version 0: by the platform's level
        ({"running": svn(4, 0, 3)}, Reason.TCB_NOT_SUPPORTED),
        ({"running": svn(6, 9, 3)}, Reason.UNKNOWN_MODULE),
        (
            {"running": svn(6, 9, 3), "modules": [OWN, module("TDX_09")]},
            Reason.MODULE_NOT_SUPPORTED,
        ),
        ({"qe_svn": 3}, OUT),  # the quoting enclave is old too
        ({"sgx": svn(9)}, OUT),  # the processor is old too
        ({"launched": svn(11, 1, 2)}, S.RELAUNCH_ADVISED),  # only the loader was old
    ],
)
def test_a_relaunch_is_advised_only_where_it_would_help(
    changes: dict[str, Any], wanted: str
) -> None:
    assert relaunch(**changes) == (wanted,)


@pytest.mark.parametrize(
    "changes",
    [
        {"best": "ConfigurationNeeded"},
        {"best": "ConfigurationAndSWHardeningNeeded"},
        {"old": "OutOfDateConfigurationNeeded"},
        {"old": "ConfigurationNeeded"},
    ],
)
def test_a_relaunch_may_need_configuration_too(changes: dict[str, Any]) -> None:
    levels = [
        level(changes.get("best", "UpToDate"), DATE, platform_tcb(OLD_SGX, GOOD_TDX, 13)),
        level(changes.get("old", "OutOfDate"), OLD_DATE, platform_tcb(OLD_SGX, OLD_TDX, 13)),
    ]
    made = case(
        tcb=tcb_info(tcbLevels=levels),
        body_type=3,
        body={"tee_tcb_svn": svn(5, 1, 2), "tee_tcb_svn2": svn(6, 1, 3)},
    )
    wanted = S.RELAUNCH_ADVISED_CONFIGURATION_NEEDED
    assert rated(wanted, made).tcb_status is wanted
