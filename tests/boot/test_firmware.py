# SPDX-License-Identifier: Apache-2.0
"""The real firmware for SEV-SNP starts exactly the kernel, initrd and command line it was told of.

Without SNP hardware nobody measures the table of hashes, but the firmware reads it all the same: it
is put where QEMU would put it, made by the code that the launch digests are made by. That a changed
file is not started is only worth something if the same file starts with a table of its own, and in
the same time; so each is booted both ways. A guest whose processor never left the firmware has not
entered the kernel, and so no agent.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from attest.snp.launch.firmware import read_firmware
from attest.snp.launch.kernel_hashes import Boot, hash_boot
from guest.boot.reasons import Reason
from image import cpio
from image.cpio import write_cpio
from lab.vm.machine import Machine
from lab.vm.plan import MachinePlan
from lab.vm.qmp import Qmp
from lab.vm.release import RELEASE, load_image
from lab.vm.tools import load_tools
from sealroom.release.layout import SNP_FIRMWARE
from tests.boot.house import SMALL_MIB

pytestmark = [pytest.mark.boot, pytest.mark.timeout(600)]

ENTERED_MAX_S = 240.0
PATIENCE = 2  # times as long as the same file took with the right table

INFO_REGISTERS: dict[str, Any] = {"command-line": "info registers"}

# Linux lies in the upper half of the address space; the firmware below 4 GiB.
_RIP = re.compile(r"RIP=([0-9a-f]{16})")
_KERNEL_FROM = 1 << 63
_FOUR_GIB = 1 << 32
SAMPLES = 20
LOOP_BYTES = 64


@dataclass(frozen=True, slots=True)
class Files:
    """What QEMU is given."""

    kernel: bytes
    initrd: bytes
    cmdline: str

    @property
    def hashes(self) -> Boot:
        return hash_boot(self.kernel, self.initrd, self.cmdline)


@pytest.fixture(scope="module")
def files() -> Files:
    """The production image."""
    image = load_image("production")
    return Files(image.kernel.read_bytes(), image.initrd.read_bytes(), image.cmdline)


@contextmanager
def started(files: Files, table: Boot | None, folder: Path) -> Iterator[Machine]:
    """A machine with these files, whose firmware was told of those in the table."""
    firmware = RELEASE / SNP_FIRMWARE
    for name, data in (("kernel", files.kernel), ("initrd", files.initrd)):
        (folder / name).write_bytes(data)
    extra: tuple[str, ...] = ()
    if table is not None:
        (folder / "hashes").write_bytes(table.table())
        gpa = read_firmware(firmware.read_bytes()).hashes_gpa
        loader = f"loader,file={folder / 'hashes'},addr=0x{gpa:x},force-raw=on"
        extra = ("-device", loader)
    plan = MachinePlan(
        kernel=folder / "kernel",
        initrd=folder / "initrd",
        cmdline=files.cmdline,
        firmware=firmware,
        memory_mib=SMALL_MIB,
        processors=1,
        extra=extra,
    )
    with Machine(plan, load_tools()) as machine:
        yield machine


def instruction(qmp: Qmp) -> int:
    """Where the processor is; 0 while it has not come to 64 bits."""
    found = _RIP.search(qmp.execute("human-monitor-command", **INFO_REGISTERS))
    return 0 if found is None else int(found[1], 16)


def entered_after(machine: Machine, within_s: float) -> float | None:
    """After how many seconds the processor was seen in the kernel; None if it was not."""
    began = time.monotonic()
    with machine.qmp() as qmp:
        while (after := time.monotonic() - began) < within_s:
            if instruction(qmp) >= _KERNEL_FROM:
                return after
            time.sleep(0.2)
    return None


def hangs(machine: Machine) -> bool:
    """Whether the processor goes round in one loop of the firmware (edk2, CpuDeadLoop).

    The firmware's timer takes it out of there now and then, for some instructions.
    """
    places = []
    with machine.qmp() as qmp:
        for _ in range(SAMPLES):
            places.append(instruction(qmp))
            time.sleep(0.1)
    loop = statistics.mode(places)
    in_loop = sum(abs(place - loop) < LOOP_BYTES for place in places)
    return loop > 0 and max(places) < _FOUR_GIB and in_loop > SAMPLES // 2


def changed(files: Files, what: str) -> Files:
    """The files with one byte of one of them changed, in a place that starts nothing."""
    if what == "command line":
        return replace(files, cmdline=files.cmdline.swapcase()[:1] + files.cmdline[1:])
    data = bytearray(getattr(files, what))
    data[-1] ^= 1
    other: dict[str, Any] = {what: bytes(data)}
    return replace(files, **other)


@dataclass(frozen=True, slots=True)
class Told:
    """Of the published files: after how long the kernel was entered, and the agent's last word."""

    entered_s: float | None
    reason: Reason


@pytest.fixture(scope="module")
def published(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A machine whose firmware was told of its files. It has no disks, and so an end."""
    with started(files, files.hashes, tmp_path_factory.mktemp("published")) as machine:
        entered_s = entered_after(machine, ENTERED_MAX_S)
        return Told(entered_s, Reason(machine.wait_event("power-off")["reason"]))


def test_the_published_files_are_started_and_the_agent_speaks(published: Told) -> None:
    assert published.entered_s is not None
    assert published.reason is Reason.DEVICES


def check_not_started(other: Files, files: Files, folder: Path) -> None:
    """Other files are started with a table of their own, and not with that of the published."""
    with started(other, other.hashes, folder) as machine:
        ample_s = entered_after(machine, ENTERED_MAX_S)
    assert ample_s is not None, "with their own table these are started"
    with started(other, files.hashes, folder) as machine:
        assert entered_after(machine, PATIENCE * ample_s) is None
        assert hangs(machine)
        assert machine.journal.lines == []


@pytest.mark.parametrize("what", ["kernel", "initrd", "command line"])
def test_one_changed_byte_is_not_started(what: str, files: Files, tmp_path: Path) -> None:
    check_not_started(changed(files, what), files, tmp_path)


def test_an_archive_appended_to_the_initrd_is_not_started(files: Files, tmp_path: Path) -> None:
    """The kernel would take both, and the host's file in the place of ours."""
    added = write_cpio([cpio.file("init", b"#!/bin/sh\n", 0o755)])
    check_not_started(replace(files, initrd=files.initrd + added), files, tmp_path)


def test_firmware_that_was_told_of_nothing_starts_nothing(
    files: Files, published: Told, tmp_path: Path
) -> None:
    assert published.entered_s is not None
    with started(files, None, tmp_path) as machine:
        assert entered_after(machine, PATIENCE * published.entered_s) is None
        assert machine.is_on
