# SPDX-License-Identifier: Apache-2.0
"""The checks for real hardware, over mock hardware: they find what holds and what does not."""

import asyncio
import base64
import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from attest.endorsements import TdxEndorsements
from attest.errors import AttestError
from attest.evidence import parse_evidence
from attest.findings import Refused
from attest.roots import pinned_roots
from attest.statement import Platform, parse_statement
from attest.tdx.launch.registers import Register
from guest.keyholder.tsm import (
    ENTRY_FOLDER,
    Configfs,
    Provider,
    TsmError,
    TsmReport,
    TsmUnavailableError,
)
from lab.mocktsm import FaultPlan, MockSnp, MockTdx, MockTsm, roots_of
from lab.mocktsm.fault_plan import ALWAYS
from lab.mocktsm.intel_pki import LIST_LIFE
from tests.attest.whole import NOW, whole
from tests.contract.repository import ROOT, files, text
from tests.hardware import checks
from tests.hardware import door as doors
from tests.hardware.__main__ import unfinished
from tests.hardware.collect import Collector
from tests.hardware.door import Door
from tests.hardware.report import HardwareReport, Machine, Outcome, Row, read_machine
from tests.hardware.subject import CheckError, NotHereError, Subject
from tests.services.peer import Peer, listening

SNP, TDX = MockSnp(), MockTdx()
EITHER = pytest.mark.parametrize("platform", [SNP, TDX], ids=["snp", "tdx"])
OF_SNP = {"auxblob", "privilege-level"}
OF_TDX = {"registers"}
MARK = "mark.hard" + "ware"
MACHINE = Machine("6.12", "a processor", "a system")


def subject(platform: MockSnp | MockTdx, **changes: Any) -> Subject:
    tdx = isinstance(platform, MockTdx)
    given: dict[str, Any] = {
        "configfs": MockTsm(platform),
        "roots": roots_of(platform),
        "endorsements": TdxEndorsements(collateral=TDX.collateral(LIST_LIFE)) if tdx else None,
        "expected": {},
        "now": NOW,
        "sleep": lambda _: None,
    }
    return Subject(**(given | changes))


def outcome(check: str, of: Subject) -> str:
    run = next(row.run for row in checks.CHECKS if row.name == check)
    return run(of)


@EITHER
def test_every_check_holds_or_is_not_about_this_platform(platform: MockSnp | MockTdx) -> None:
    not_here = set()
    for check in checks.CHECKS:
        try:
            assert check.run(subject(platform))
        except NotHereError:
            not_here.add(check.name)
    others = OF_TDX if isinstance(platform, MockSnp) else OF_SNP | {"registers"}
    assert not_here == others | {"published"}


@EITHER
def test_the_published_launch_is_recognised_and_no_other(platform: MockSnp | MockTdx) -> None:
    expected = checks.measured(subject(platform), checks.DATA)
    assert "as published" in outcome("published", subject(platform, expected=expected))
    for name, value in expected.items():
        wrong = expected | {name: bytes(len(value) - 1) + b"\1"}
        with pytest.raises(CheckError):
            outcome("published", subject(platform, expected=wrong))


def test_what_is_expected_of_the_other_platform_is_no_comparison() -> None:
    with pytest.raises(NotHereError):
        outcome("published", subject(SNP, expected={"mrtd": bytes(48)}))


@pytest.mark.parametrize(
    ("check", "fault", "error"),
    [
        ("report-data", "wrong-report-data", CheckError),
        ("provider", "wrong-provider", TsmError),
        ("provider", "no-provider", TsmUnavailableError),
        ("measurement", "short-blob", TsmError),
        ("verified", "debug", Refused),
        ("verified", "migratable", Refused),
        ("verified", "forged-report", Refused),
        ("verified", "vek-of-other-tcb", Refused),
        ("verified", "no-certificates", CheckError),
        ("privilege-level", "other-vmpl", CheckError),
    ],
)
def test_a_fault_of_the_platform_is_noticed(check: str, fault: str, error: type[Exception]) -> None:
    faulty = MockTsm(SNP, FaultPlan({fault: ALWAYS}))
    with pytest.raises(error):
        outcome(check, subject(SNP, configfs=faulty))


def test_a_level_above_the_guest_is_noticed() -> None:
    with pytest.raises((CheckError, TsmError)):
        outcome("privilege-level", subject(SNP, configfs=MockTsm(SNP, privlevel_floor=1)))


@EITHER
def test_a_mock_is_refused_under_the_pinned_roots(platform: MockSnp | MockTdx) -> None:
    with pytest.raises(AttestError):
        outcome("verified", subject(platform, roots=pinned_roots()))


def test_a_quote_without_collateral_is_not_called_verified() -> None:
    with pytest.raises(CheckError, match="sealroom endorsements"):
        outcome("verified", subject(TDX, endorsements=None))


def test_a_kernel_that_takes_65_bytes_is_noticed() -> None:
    class Lax(MockTsm):
        @override
        def write(self, name: str, attribute: str, data: bytes) -> None:
            super().write(name, attribute, data[:64])

    lax: Configfs = Lax(SNP)
    with pytest.raises(CheckError):
        outcome("inblob-limit", subject(SNP, configfs=lax))


def shown(folder: Path, **changes: bytes) -> Path:
    """A TD's registers as the kernel shows them."""
    values = checks.measured(subject(TDX), checks.DATA) | changes
    for name in Register:
        (folder / f"{name}:sha384").write_bytes(values[name])
    return folder


def test_registers_that_the_kernel_shows_must_be_the_quotes(tmp_path: Path) -> None:
    assert outcome("registers", subject(TDX, registers=shown(tmp_path)))
    with pytest.raises(CheckError, match="rtmr2"):
        outcome("registers", subject(TDX, registers=shown(tmp_path, rtmr2=bytes(48))))


def rows(of: Subject) -> tuple[Row, ...]:
    found: list[Row] = []
    for check in checks.CHECKS:
        try:
            found.append(Row(check.name, Outcome.HELD, check.run(of)))
        except NotHereError as error:
            found.append(Row(check.name, Outcome.NOT_HERE, str(error)))
    return tuple(found)


@EITHER
def test_a_report_names_no_chip_unless_it_is_asked_to(
    platform: MockSnp | MockTdx, tmp_path: Path
) -> None:
    one = subject(platform)
    report = HardwareReport("0.1.0", MACHINE, rows(one), None)
    evidence = one.report(checks.DATA)
    identity = SNP.chip_id.hex() if isinstance(platform, MockSnp) else "ppid"
    for file in report.write(tmp_path / "without"):
        told = file.read_text()
        assert identity not in told
        assert base64.b64encode(evidence.outblob).decode()[:64] not in told
    with_it = dataclasses.replace(report, evidence=evidence)
    told = json.loads(with_it.write(tmp_path / "with")[0].read_text())
    assert base64.b64decode(told["evidence"]["outblob"]) == evidence.outblob


def test_a_report_is_never_overwritten(tmp_path: Path) -> None:
    report = HardwareReport("0.1.0", MACHINE, (), None)
    report.write(tmp_path)
    with pytest.raises(FileExistsError):
        report.write(tmp_path)


@pytest.mark.parametrize(
    ("outcomes", "holds"),
    [
        ((), False),
        ((Outcome.NOT_HERE,), False),
        ((Outcome.HELD, Outcome.NOT_HERE), True),
        ((Outcome.HELD, Outcome.FAILED), False),
    ],
)
def test_a_run_holds_if_something_did_and_nothing_failed(
    outcomes: tuple[Outcome, ...], holds: bool
) -> None:
    found = tuple(Row(str(number), one, "") for number, one in enumerate(outcomes))
    report = HardwareReport("0.1.0", MACHINE, found, None)
    assert report.holds is holds
    assert ("DID NOT HOLD" in report.text()) is not holds


def test_a_machine_says_no_more_than_three_lines_of_itself(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/osrelease").write_text("6.12.1\n")
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nmodel name\t: EPYC \x1b[1m9\n")
    (tmp_path / "sys/class/dmi/id").mkdir(parents=True)
    (tmp_path / "sys/class/dmi/id/sys_vendor").write_text("A" * 500)
    machine = read_machine(tmp_path)
    assert machine == Machine("6.12.1", "EPYC ?[1m9", f"{'A' * 200} unknown")


@pytest.mark.slow
def test_the_whole_run_ends_in_a_report_and_without_a_platform_it_fails(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.hardware", "--output", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads((tmp_path / "out" / "hardware-report.json").read_text())
    assert [row["name"] for row in told["checks"]] == [check.name for check in checks.CHECKS]
    assert done.returncode == (0 if told["holds"] else 1)
    if not ENTRY_FOLDER.parent.is_dir():
        assert {row["outcome"] for row in told["checks"]} == {"failed"}
        assert all("BootError: provider, errno " in row["text"] for row in told["checks"])
        assert "DID NOT HOLD" in done.stdout


@pytest.mark.parametrize("code", [code for code in pytest.ExitCode if code > 1])
def test_a_run_that_was_broken_off_did_not_hold(code: pytest.ExitCode) -> None:
    held = Row("provider", Outcome.HELD, "sev_guest")
    assert not HardwareReport("0.1.0", MACHINE, (held, *unfinished(code)), None).holds


@pytest.mark.parametrize("code", [pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED])
def test_a_run_to_its_end_holds_by_its_checks(code: pytest.ExitCode) -> None:
    assert unfinished(code) == ()


def test_every_test_for_hardware_is_in_that_run() -> None:
    marked = [str(path) for path in files("tests/**.py") if MARK in text(path)]
    assert marked == ["tests/hardware/test_door.py", "tests/hardware/test_inside.py"]


# --- The door -------------------------------------------------------------------------------------


def door_outcomes(platform: Platform, **changes: object) -> Mapping[str, str]:
    """What each check says of a guest on this machine with mock evidence."""
    case = whole(platform)
    data = base64.b64decode(case["evidence"])
    evidence, _ = parse_evidence(data)
    keys = parse_statement(evidence.statement).key_configs
    targets = tuple(doors.target_of(key) for key in keys)
    return asyncio.run(_ask(data, targets, datetime.fromisoformat(case["now"]), platform, changes))


async def _ask(
    data: bytes,
    targets: tuple[str, ...],
    now: datetime,
    platform: Platform,
    changes: dict[str, object],
) -> Mapping[str, str]:
    roots = roots_of(SNP if platform is Platform.SEV_SNP else TDX)
    told: dict[str, str] = {}
    async with listening(Peer(targets=targets, evidence=data)) as address:
        given: dict[str, Any] = {"address": address, "roots": roots, "expected": {}, "now": now}
        door = Door(**(given | changes))
        for check in doors.CHECKS:
            try:
                told[check.name] = await asyncio.to_thread(check.run, door)
            except (CheckError, NotHereError, AttestError) as error:
                told[check.name] = f"{type(error).__name__}: {error}"
    return told


@pytest.mark.parametrize("platform", list(Platform))
def test_a_door_with_mock_evidence_is_no_production_door(platform: Platform) -> None:
    told = door_outcomes(platform)
    assert told["door"].endswith("2 keys")
    assert told["evidence"].startswith(f"{platform} on ")
    assert told["measurement"].startswith("NotHereError")
    assert told["production"].startswith("CheckError: product and variant")
    assert told["one-door"].startswith("NotHereError")


@pytest.mark.parametrize("platform", list(Platform))
def test_a_door_with_mock_evidence_is_refused_under_the_pinned_roots(platform: Platform) -> None:
    told = door_outcomes(platform, roots=pinned_roots())
    assert told["evidence"].startswith("Refused: ")


@pytest.mark.parametrize("platform", list(Platform))
def test_a_door_is_held_against_what_was_published(platform: Platform) -> None:
    mock = SNP if platform is Platform.SEV_SNP else TDX
    expected = checks.measured(subject(mock), checks.DATA)
    assert "as published" in door_outcomes(platform, expected=expected)["measurement"]
    wrong = dict.fromkeys(expected, b"\1" * 48)
    assert door_outcomes(platform, expected=wrong)["measurement"].startswith("CheckError")


# --- What becomes of a test's end -----------------------------------------------------------------


def report_of(outcome_: str, **more: Any) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid="tests/hardware/test_inside.py::test_inside[latency]",
        location=("", 0, ""),
        keywords={},
        outcome=outcome_,  # type: ignore[arg-type]  # one of three words
        longrepr=more.pop("longrepr", None),
        when=more.pop("when", "call"),
        **more,
    )


def test_each_end_of_a_test_is_a_row() -> None:
    collector = Collector()
    collector.pytest_runtest_logreport(report_of("passed", when="setup"))
    collector.pytest_runtest_logreport(report_of("passed", user_properties=[("found", "2 ms")]))
    collector.pytest_runtest_logreport(report_of("skipped", longrepr=("f", 1, "Skipped: of TDX")))
    collector.pytest_runtest_logreport(report_of("failed", when="setup"))
    assert collector.rows == [
        Row("latency", Outcome.HELD, "2 ms"),
        Row("latency", Outcome.NOT_HERE, "of TDX"),
        Row("latency", Outcome.FAILED, "failed"),
    ]


def test_the_seam_is_the_keyholders() -> None:
    report = subject(SNP).report(checks.DATA)
    assert isinstance(report, TsmReport)
    assert report.provider is Provider.SEV_GUEST
