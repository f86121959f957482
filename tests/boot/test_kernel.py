# SPDX-License-Identifier: Apache-2.0
"""The kernel alone, with one program that asks it: what it has, and whose code it runs.

Nothing of the image but the kernel is here, so a boot takes seconds. Bytecode of the host's is the
table of `tests.boot.aml`, under each name that ACPICA would load it by; Debian's kernel, which runs
it, is the positive control.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from image import cpio, kernel_build
from image.toolroot import Mount, run
from lab.vm.machine import Machine
from lab.vm.plan import MachinePlan
from lab.vm.tools import load_tools
from tests.boot import aml

pytestmark = [pytest.mark.boot, pytest.mark.timeout(1800)]

PORT: Final = 5003  # as in kernel_probe.c
END_MAX_S: Final = 120.0
TOLD_MAX_BYTES: Final = 1 << 20
WORDS: Final = "panic=-1 no_timer_check tsc=reliable clocksource=tsc"
SECONDARY: Final = ("SSDT", "PSDT", "OSDT")  # what ACPICA loads beside the DSDT


@pytest.fixture(scope="module")
def initrd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initial file system of one program."""
    folder = tmp_path_factory.mktemp("probe")
    mounts = [Mount(Path(__file__).parent, "/build/in"), Mount(folder, "/build/out", True)]
    words = ["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", "/build/out/init"]
    run([*words, "/build/in/kernel_probe.c"], mounts=mounts, log=folder / "log")
    program = cpio.file("init", (folder / "init").read_bytes(), 0o755)
    (folder / "initrd").write_bytes(cpio.write_cpio([cpio.folder("dev"), program]))
    return folder / "initrd"


class Told:
    """What the probe tells, over vsock or on the console."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ended = threading.Event()

    def serve(self, link: socket.socket) -> None:
        """Read until the probe hangs up."""
        while len(self._data) < TOLD_MAX_BYTES and (piece := link.recv(65536)):
            self._data += piece
            if b"probe end" in self._data:
                self._ended.set()

    def wait(self, machine: Machine) -> dict[str, str]:
        """The answers by their names."""
        for _ in range(int(END_MAX_S)):
            if self._ended.wait(1.0) or b"probe end" in machine.serial or not machine.is_on:
                break
        text = (bytes(self._data) or machine.serial).decode("utf-8", "replace")
        lines = [line.partition("probe ")[2] for line in text.splitlines() if "probe " in line]
        return dict(line.split(":", 1) for line in lines if ":" in line)


def ask(variant: str, initrd: Path, words: str) -> dict[str, str]:
    """Boot a kernel; the answers of the probe, which switches the machine off, and the console."""
    told = Told()
    kernel = kernel_build.build(variant)
    plan = MachinePlan(kernel=kernel, initrd=initrd, cmdline=f"{WORDS} {words}")
    with Machine(plan, load_tools(), answer={PORT: told.serve}) as machine:
        answers = {name: value.strip() for name, value in told.wait(machine).items()}
        machine.wait_off()
        return {**answers, "console": machine.serial.decode("utf-8", "replace")}


@dataclass(frozen=True, slots=True)
class Attacked:
    """A kernel that was booted with bytecode of the host's.

    Attributes:
        answers: of the probe.
        written: whether the word that the bytecode writes is in RAM.
        console: what came out of the serial port.
    """

    answers: dict[str, str]
    written: bool
    console: str


def attack(variant: str, initrd: Path, folder: Path, words: str) -> Attacked:
    """Boot a kernel with the same bytecode in a table of each kind."""
    told = Told()
    extra: list[str] = []
    for kind in SECONDARY:
        (folder / kind).write_bytes(kind.encode("ascii") + aml.evil_table()[4:])
        extra += ["-acpitable", f"file={folder / kind}"]
    kernel, words = kernel_build.build(variant), f"{WORDS} {words} probe.stay"
    plan = MachinePlan(kernel=kernel, initrd=initrd, cmdline=words, extra=tuple(extra))
    with Machine(plan, load_tools(), answer={PORT: told.serve}) as machine:
        answers = told.wait(machine)
        with machine.qmp() as qmp:
            qmp.execute("pmemsave", val=aml.ADDRESS, size=4, filename=str(folder / "word"))
        written = (folder / "word").read_bytes() == aml.WORD.to_bytes(4, "little")
        return Attacked(answers, written, machine.serial.decode("utf-8", "replace"))


@pytest.fixture(scope="module")
def production(initrd: Path) -> dict[str, str]:
    return ask("production", initrd, "console=null probe.calls")


EXPECTED: Final = {
    "/proc/sys/kernel/osrelease": "6.12.117-sealroom",
    "/sys/kernel/security/lockdown": "none integrity [confidentiality]",
    "/sys/kernel/security/lsm": "lockdown,capability,landlock,yama",
    "/sys/fs/cgroup/cgroup.controllers": "memory pids",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "/proc/sys/fs/suid_dumpable": "0",
    # What is not built has no switch.
    "/proc/modules": "ENOENT",
    "/proc/swaps": "ENOENT",
    "/proc/sys/kernel/core_pattern": "ENOENT",
    "/proc/sys/kernel/io_uring_disabled": "ENOENT",
    "/proc/sys/kernel/kexec_load_disabled": "ENOENT",
    "/proc/sys/kernel/modules_disabled": "ENOENT",
    "/proc/sys/kernel/sysrq": "ENOENT",
    "/proc/sys/vm/memfd_noexec": "ENOENT",
    "/proc/sys/vm/unprivileged_userfaultfd": "ENOENT",
    "/dev/mem": "ENOENT",
    "/sys/bus/pci/drivers": "virtio-pci",
    "/sys/bus/virtio/drivers": "virtio_blk vmw_vsock_virtio_transport",
    "/sys/class/net": "lo",
    # Our DSDT's one device; the others the kernel makes for itself.
    "/sys/bus/acpi/devices": "LNXPWRBN:00 LNXSYBUS:00 LNXSYBUS:01 LNXSYSTM:00 PNP0A08:00",
    "report": "ENXIO",
    "landlock": "6",
    "sealed memory": "0",
    "namespaces": "0",
    "user namespace": "EINVAL",
    "TCP": "EAFNOSUPPORT",
    "raw frames": "EAFNOSUPPORT",
    "console": "",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_production_kernel_answers(production: dict[str, str], name: str) -> None:
    assert production[name] == EXPECTED[name]


def test_the_production_kernel_has_no_file_system_of_a_disk(production: dict[str, str]) -> None:
    kinds = [kind.split("\t") for kind in production["/proc/filesystems"].split("|")]
    assert [name for mark, name in kinds if mark != "nodev"] == []


def test_the_production_kernel_prints_nowhere(production: dict[str, str]) -> None:
    assert production["/proc/consoles"].split()[0] == "ttynull0"


def test_the_test_kernel_has_the_provider_that_it_is_told(initrd: Path) -> None:
    answers = ask("test", initrd, "console=null mock_tsm.provider=tdx_guest")
    assert answers["/sys/kernel/config/tsm/report/a/provider"] == "tdx_guest"


def test_bytecode_of_the_host_is_not_run(initrd: Path, tmp_path: Path) -> None:
    production = attack("production", initrd, tmp_path, "console=null")
    assert aml.DEVICE not in production.answers["/sys/bus/acpi/devices"]
    assert not production.written


@pytest.fixture(scope="module")
def debian(initrd: Path, tmp_path_factory: pytest.TempPathFactory) -> Attacked:
    """Debian's kernel with what the command line can do about bytecode, which is not enough."""
    folder = tmp_path_factory.mktemp("debian")
    words = "lockdown=confidentiality acpi_no_static_ssdt console=ttyS0 quiet probe.calls"
    return attack("debian", initrd, folder, words)


def test_debians_kernel_runs_it_in_spite_of_its_command_line(debian: Attacked) -> None:
    assert aml.DEVICE in debian.answers["/sys/bus/acpi/devices"]
    assert debian.written


def test_the_production_kernel_has_fewer_system_calls_than_debians(
    production: dict[str, str], debian: Attacked
) -> None:
    assert int(production["calls"]) < int(debian.answers["calls"])


@pytest.mark.slow
def test_bytecode_that_runs_reaches_no_ram(initrd: Path, tmp_path: Path) -> None:
    probe = attack("probe", initrd, tmp_path, "console=ttyS0")
    assert aml.DEVICE in probe.answers["/sys/bus/acpi/devices"]
    assert f"Refused to map RAM: {aml.ADDRESS:#x}" in probe.console
    assert not probe.written
