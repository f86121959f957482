# SPDX-License-Identifier: Apache-2.0
"""A built image in its folder, copies of it, and what a launch of one measures as."""

import json
from pathlib import Path

import pytest

from attest.statement import Platform
from image import cpio, layout
from image.overlay import Variant
from lab.documents import GuestPlan
from lab.mocktsm import MOCK_MEASUREMENT, MockSnp, MockTdx
from lab.vm import inside, probe
from lab.vm.deployment import with_model
from lab.vm.errors import VmError
from lab.vm.launch import measured
from lab.vm.release import load_image

CMDLINE = f"quiet sealroom.model=sha256:{'00' * 32}:1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "test"
    place.mkdir()
    (place / "vmlinuz").write_bytes(b"kernel")
    (place / "initrd").write_bytes(b"070")
    (place / "cmdline").write_text(CMDLINE)
    return tmp_path


def laid_over(initrd: bytes) -> dict[str, bytes]:
    """The files of the archive behind the first four bytes."""
    assert initrd[:4] == b"070\0"
    return {entry.path: entry.data for entry in cpio.read_cpio(initrd[4:])}


def test_a_variant_is_three_files(folder: Path) -> None:
    image = load_image("test", folder)
    assert (image.variant, image.cmdline) == (Variant.TEST, CMDLINE)
    assert (image.kernel.name, image.initrd.name) == ("vmlinuz", "initrd")


def test_an_image_that_was_not_built_is_an_error_that_says_so(folder: Path) -> None:
    with pytest.raises(VmError, match="wanted production/vmlinuz of `make image`"):
        load_image("production", folder)


def test_an_overlay_lies_behind_the_bytes_as_they_are(folder: Path, tmp_path: Path) -> None:
    image = load_image("test", folder).with_overlay([cpio.file("a", b"b")], tmp_path / "copy")
    assert image.initrd == tmp_path / "copy"
    assert laid_over(image.initrd.read_bytes()) == {"a": b"b"}
    assert (folder / "test" / "initrd").read_bytes() == b"070"


def test_another_command_line_is_published_by_the_copy(folder: Path, tmp_path: Path) -> None:
    image = load_image("test", folder).with_cmdline("quiet other", tmp_path / "copy")
    said = json.loads(laid_over(image.initrd.read_bytes())[layout.PUBLISHED])
    assert (said["cmdline"], said["variant"], image.cmdline) == (
        "quiet other",
        "test",
        "quiet other",
    )


def test_another_model_is_named_by_digest_and_size(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"model")
    image = with_model(load_image("test", folder), tmp_path / "model", tmp_path)
    assert image.cmdline.startswith("quiet sealroom.model=sha256:9372c470eeadd5ec")
    assert image.cmdline.endswith(":5")


def test_the_image_of_a_model_is_not_copied_for_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"model")
    image = with_model(load_image("test", folder), tmp_path / "model", tmp_path)
    (tmp_path / "again").mkdir()
    assert with_model(image, tmp_path / "model", tmp_path / "again") is image


def test_what_the_plan_says_of_the_measurement_is_not_computed(folder: Path) -> None:
    plan = GuestPlan(measurement=bytes(48))
    assert measured(plan, load_image("test", folder), folder) is plan


def test_without_firmware_nothing_is_measured(folder: Path) -> None:
    with pytest.raises(VmError, match=r"wanted ovmf-amdsev\.fd of `make image`"):
        measured(GuestPlan(), load_image("test", folder), folder)


def test_a_mock_says_what_the_plan_says() -> None:
    snp = GuestPlan(measurement=bytes(48)).hardware()
    tdx = GuestPlan(
        platform=Platform.TDX, measurement=bytes(48), rtmrs=(b"\1" * 48,) * 4
    ).hardware()
    assert isinstance(snp, MockSnp)
    assert isinstance(tdx, MockTdx)
    assert (snp.measurement, tdx.mrtd) == (bytes(48), bytes(48))
    assert tdx.rtmrs == (b"\1" * 48,) * 4
    assert GuestPlan().hardware().measurement == MOCK_MEASUREMENT


def test_the_probe_is_started_before_the_very_lines_of_pid_1() -> None:
    entries = {entry.path: entry for entry in probe.overlay()}
    wrapped = entries[probe.INIT].data
    first, _, rest = layout.INIT.partition(b"\n")
    assert wrapped.startswith(first + b"\n")
    assert wrapped.endswith(rest)
    assert entries[probe.PROGRAM].data == Path(inside.__file__).read_bytes()
    compile(wrapped, probe.INIT, "exec")
