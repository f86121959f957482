# SPDX-License-Identifier: Apache-2.0
"""What a host adds to a machine beside the image: without effect, or the machine is switched off.

One machine gets everything at once that must be without effect. What must be refused is added to
one machine each, which then ends by itself with the number of its reason. The image is the test
variant, which is production's kernel configuration with the mock provider, and production's files;
it publishes the digest of a small model here, because no machine of these comes to read it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from guest.boot.reasons import Reason
from guest.selftest_rows import ROWS
from image import cpio
from lab.documents import GuestPlan, write_config
from lab.mocktsm import MockSnp, MockTsm
from lab.vm import inside
from lab.vm.deployment import LACKING
from lab.vm.machine import Machine
from lab.vm.plan import Disk, MachinePlan
from lab.vm.probe import PROGRAM, Probe, overlay
from lab.vm.release import load_image
from lab.vm.tools import load_tools
from tests.boot import aml
from tests.boot.house import SMALL_MIB
from tests.boot.programs import around

pytestmark = [pytest.mark.boot, pytest.mark.timeout(900)]

MARK = "SEALROOM-INJECTED"
MODEL = bytes(range(256)) * 16
# What each table's refusal is called: the command line refuses SSDTs before patch 0001 sees them.
TABLES = {
    "SSDT": "Ignoring installation of SSDT",
    "PSDT": "Refused AML of the host: PSDT",
    "OSDT": "Refused AML of the host: OSDT",
}
CLOCK = "clock-plausible"
LONG_AGO = "2001-06-01T00:00:00"
FAR_AHEAD = "2060-06-01T00:00:00"
WITH_DRIVER = ["virtio_blk", "virtio_blk", "vmw_vsock_virtio_transport"]
# The transport of every virtio device, whether or not a driver takes what is on it.
PCI_DRIVERS = {"", "virtio-pci"}
FURTHER_DEVICES = (
    "virtio-net-pci,netdev=net0,romfile=",
    "e1000,netdev=net1,romfile=",
    "virtio-balloon-pci",
    "virtio-rng-pci",
    "virtio-serial-pci",
    "virtio-keyboard-pci",
    "qemu-xhci",
    "i6300esb",
    "pvpanic-pci",
    "vmgenid,guid=auto",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("injection")


@pytest.fixture(scope="module")
def plan(folder: Path) -> MachinePlan:
    """A machine as it should be, with the looker in it."""
    (folder / "model").write_bytes(MODEL)
    digest = hashlib.sha256(MODEL).digest()
    (folder / "config").write_bytes(write_config(GuestPlan(endorsements=None), digest))
    base = load_image("test")
    image = base.with_cmdline(base.cmdline_for(digest, len(MODEL)), folder / "published")
    entries = [entry for entry in overlay() if entry.path != PROGRAM]
    program = cpio.file(PROGRAM, Path(around.__file__).read_bytes())
    image = image.with_overlay([*entries, program], folder / "initrd")
    disks = (Disk(folder / "model"), Disk(folder / "config"))
    return MachinePlan(
        kernel=image.kernel,
        initrd=image.initrd,
        cmdline=image.cmdline,
        disks=disks,
        memory_mib=SMALL_MIB,
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What was told of one machine."""

    report: dict[str, Any]
    journal: list[dict[str, Any]]
    console: bytes

    @property
    def year(self) -> int:
        """By its wall clock."""
        return datetime.fromtimestamp(self.report["clock"], UTC).year

    @property
    def lacking(self) -> set[str]:
        """What its self-test missed."""
        rows = [line["row"] for line in self.journal if line["event"] == "selftest-failed"]
        return {ROWS[row].name for row in rows}


def year_of(clock: str) -> int:
    return datetime.fromisoformat(clock).replace(tzinfo=UTC).year


def look(plan: MachinePlan) -> Seen:
    """Boot a machine until it has started the guest, and look around in it."""
    probe = Probe()
    mock = MockTsm(MockSnp())
    with Machine(plan, load_tools(), mock=mock, answer={inside.PORT: probe.serve}) as machine:
        machine.wait_event("started")
        return Seen(probe.first(), list(machine.journal.lines), machine.serial)


def end_of(plan: MachinePlan) -> Reason:
    """Boot a machine that ends by itself; why."""
    with Machine(plan, load_tools(), mock=MockTsm(MockSnp())) as machine:
        reason = Reason(machine.wait_event("power-off")["reason"])
        machine.wait_off()
        return reason


@pytest.fixture(scope="module")
def seen(plan: MachinePlan, folder: Path) -> Seen:
    """A machine with everything at once that must be without effect."""
    extra = [
        *("-fw_cfg", f"name=opt/org.sealroom/config,string={MARK}"),
        *("-fw_cfg", f"name=opt/io.systemd.credentials/passwd.hashed-password.root,string={MARK}"),
        *("-smbios", f"type=1,manufacturer={MARK},product={MARK},serial={MARK}"),
        *("-smbios", f"type=11,value=io.systemd.credential:getty.auto={MARK}"),
        *("-netdev", "hubport,id=net0,hubid=0", "-netdev", "hubport,id=net1,hubid=0"),
    ]
    for signature in TABLES:
        (folder / signature).write_bytes(aml.evil_table(signature.encode("ascii")))
        extra += ["-acpitable", f"file={folder / signature}"]
    for device in FURTHER_DEVICES:
        extra += ["-device", device]
    return look(replace(plan, extra=tuple(extra), clock=FAR_AHEAD))


def test_bytecode_of_the_host_makes_no_device(seen: Seen) -> None:
    assert not [name for name in seen.report["acpi"] if name.startswith(aml.DEVICE)]


def test_the_kernel_says_that_it_refused_bytecode(seen: Seen) -> None:
    log = seen.report["log"]
    assert [table for table, refusal in TABLES.items() if refusal not in log] == []
    assert "ACPI: 1 ACPI AML tables successfully acquired and loaded" in log


def test_what_the_host_added_is_without_a_driver(seen: Seen) -> None:
    pci, virtio = seen.report["pci"], seen.report["virtio"]
    assert len(pci) > len(FURTHER_DEVICES)
    assert {driver for *_, driver in pci} == PCI_DRIVERS
    assert sorted(driver for *_, driver in virtio if driver) == WITH_DRIVER
    assert len(virtio) > len(WITH_DRIVER)


def test_there_is_no_interface(seen: Seen) -> None:
    assert set(seen.report["interfaces"]) <= {"lo"}


def test_nothing_that_the_host_added_is_said_anywhere(seen: Seen) -> None:
    report = seen.report
    told = [report["log"], report["environment"], report["cmdline"], *report["firmware"].values()]
    assert not [text for text in told if MARK in text]
    assert not [name for name in report["firmware"] if "dmi" in name or "fw_cfg" in name]
    assert not {"dmi", "hwmon", "input", "rtc", "tpm", "watchdog"} & set(report["classes"])


def test_nothing_is_printed(seen: Seen) -> None:
    assert seen.console == b""


def test_the_guest_starts_all_the_same(seen: Seen) -> None:
    assert seen.lacking - {CLOCK} == LACKING


def test_a_clock_years_off_is_named(seen: Seen) -> None:
    assert seen.year == year_of(FAR_AHEAD)
    assert CLOCK in seen.lacking


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (" sealroom.more=1", Reason.CMDLINE),
        pytest.param(" debug_shell=1", Reason.ENVIRONMENT, marks=pytest.mark.slow),
    ],
)
def test_another_command_line_is_refused_by_number(
    plan: MachinePlan, word: str, reason: Reason
) -> None:
    assert end_of(replace(plan, cmdline=plan.cmdline + word)) is reason


def test_a_further_disk_is_refused_by_number(plan: MachinePlan, folder: Path) -> None:
    (folder / "foreign").write_bytes(bytes(4096))
    assert end_of(replace(plan, disks=(*plan.disks, Disk(folder / "foreign")))) is Reason.DEVICES


def test_another_model_is_refused_by_number(plan: MachinePlan, folder: Path) -> None:
    (folder / "other").write_bytes(MODEL[:-1] + b"\0")
    disks = (Disk(folder / "other"), *plan.disks[1:])
    assert end_of(replace(plan, disks=disks)) is Reason.MODEL


@pytest.mark.slow
def test_a_clock_of_long_ago_is_named_too(plan: MachinePlan) -> None:
    one = look(replace(plan, clock=LONG_AGO))
    assert one.year == year_of(LONG_AGO)
    assert one.lacking == LACKING | {CLOCK}
