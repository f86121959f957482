# SPDX-License-Identifier: Apache-2.0
"""The production image, its exact bytes, on a machine that nothing vouches for: it refuses itself.

Here there is no SEV-SNP and no TDX, so this is all of production that can be booted; it comes as
far as the end of its self-test. The second machine has the probe laid over it (`lab.vm.probe`).
"""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from guest.boot.reasons import Reason
from guest.selftest_rows import ROWS
from guest.settings import Variant
from lab.documents import GuestPlan, sha256_of, write_config
from lab.vm import inside
from lab.vm.deployment import LACKING
from lab.vm.machine import Machine
from lab.vm.plan import Disk, MachinePlan
from lab.vm.probe import Probe, overlay
from lab.vm.release import MODEL, Image, load_image
from lab.vm.tools import Tools
from tests.boot.house import StandIn
from tests.boot.refusals import NOISE, REFUSED

WITHOUT_HARDWARE = {"tsm-provider", "tsm-privilege-level"}


def a_plan(image: Image, model: Path, folder: Path) -> MachinePlan:
    """A machine with this image, model, and a configuration for production."""
    config = write_config(GuestPlan(variant=Variant.PRODUCTION), sha256_of(model))
    (folder / "config").write_bytes(config)
    disks = (Disk(model), Disk(folder / "config"))
    return MachinePlan(kernel=image.kernel, initrd=image.initrd, cmdline=image.cmdline, disks=disks)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, tools: Tools) -> Iterator[Machine]:
    """A machine that was started with the release as it is, and has switched itself off."""
    plan = a_plan(load_image("production"), MODEL, tmp_path_factory.mktemp("production"))
    with Machine(plan, tools) as machine:
        machine.wait_event("power-off")
        machine.wait_off()
        yield machine


def test_the_guest_refuses_by_name_and_switches_off(ended: Machine) -> None:
    last = ended.journal.lines[-1]
    assert last == {"event": "power-off", "reason": Reason.PROVIDER, "code": errno.ENXIO}


def test_everything_else_of_the_self_test_holds(ended: Machine) -> None:
    rows = {ROWS[line["row"]].name for line in ended.journal.named("selftest-failed")}
    assert rows == WITHOUT_HARDWARE | LACKING


def test_no_process_of_the_guest_was_started(ended: Machine) -> None:
    assert {line["event"] for line in ended.journal.lines} == {"selftest-failed", "power-off"}


def test_nothing_comes_out_of_the_serial_port(ended: Machine) -> None:
    assert ended.serial == b""


def test_production_refuses_a_probe_everything_too(
    tmp_path: Path, tools: Tools, stand_in: StandIn
) -> None:
    image = load_image("production").with_overlay(overlay(), tmp_path / "probed")
    plan = a_plan(stand_in.published_by(image, tmp_path), stand_in.path, tmp_path)
    probe = Probe()
    with Machine(plan, tools, answer={inside.PORT: probe.serve}) as machine:
        report = probe.first()
        machine.wait_off()
        assert report["refusals"] == REFUSED
        assert report["noise"] == NOISE
        assert report["modules"] == []
        assert machine.serial == b""
