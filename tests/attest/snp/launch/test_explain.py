# SPDX-License-Identifier: Apache-2.0
"""Why a launch digest is another one: each cause alone is found, and so are some together."""

import hashlib
from dataclasses import replace

import pytest

from attest.difference import Proof
from attest.snp.launch.cpu import CPU_TYPES
from attest.snp.launch.digest import Launch, launch_digest
from attest.snp.launch.explain import NO_INITRD, compare, explain, measured_inputs
from attest.snp.launch.firmware import read_firmware
from attest.snp.launch.kernel_hashes import hash_boot
from attest.snp.launch.vmsa import Vmm
from tests.attest import ovmf

BOOT = hash_boot(b"kernel", b"initrd", "console=ttyS0 quiet")
LAUNCH = Launch(
    firmware=read_firmware(ovmf.snp()),
    boot=BOOT,
    vmm=Vmm.QEMU,
    vcpus=4,
    cpu=CPU_TYPES["EPYC-v4"],
    features=1,
)
WITHOUT_KERNEL = replace(LAUNCH, boot=None)
ALONE = {
    "vCPUs": replace(LAUNCH, vcpus=256),
    "vCPU type": replace(LAUNCH, cpu=CPU_TYPES["EPYC-Turin"]),
    "guest features": replace(LAUNCH, features=0x21),
    "VMM": replace(LAUNCH, vmm=Vmm.GCE),
    "kernel hashes": WITHOUT_KERNEL,
    "initrd": replace(LAUNCH, boot=replace(BOOT, initrd=NO_INITRD)),
    "command line": replace(LAUNCH, boot=replace(BOOT, cmdline="console=ttyS0 quiet\n")),
}


def test_the_expected_digest_needs_no_explanation() -> None:
    assert explain(LAUNCH, launch_digest(LAUNCH)) == ()


@pytest.mark.parametrize("name", ALONE)
def test_one_cause_is_found(name: str) -> None:
    (found, *_) = explain(LAUNCH, launch_digest(ALONE[name]))
    assert found.proof is Proof.REPRODUCED
    assert [change.name for change in found.changes] == [name]


def test_what_was_expected_and_what_was_got_are_both_told() -> None:
    (found,) = explain(LAUNCH, launch_digest(replace(LAUNCH, vcpus=7)))
    assert [(change.expected, change.got) for change in found.changes] == [("4", "7")]


def test_three_causes_are_found_together() -> None:
    other = replace(LAUNCH, vcpus=2, cpu=CPU_TYPES["EPYC-Milan"], features=0x21)
    (found,) = explain(LAUNCH, launch_digest(other))
    assert [change.name for change in found.changes] == ["vCPUs", "vCPU type", "guest features"]


def test_what_cannot_be_tried_is_named_likeliest_first() -> None:
    other = replace(LAUNCH, boot=hash_boot(b"kernel", b"another initrd", BOOT.cmdline))
    found = explain(LAUNCH, launch_digest(other))
    assert {hypothesis.proof for hypothesis in found} == {Proof.POSSIBLE}
    assert [h.changes[0].name for h in found] == ["command line", "initrd", "kernel", "firmware"]
    assert {h.changes[0].got for h in found} == {""}


def test_without_a_kernel_only_the_firmware_is_left() -> None:
    (found,) = explain(WITHOUT_KERNEL, bytes(48))
    assert [change.name for change in found.changes] == ["firmware"]


def test_the_type_does_not_matter_where_the_vmm_does_not_measure_it() -> None:
    launch = replace(LAUNCH, vmm=Vmm.EC2)
    other = replace(launch, cpu=0)
    assert explain(launch, launch_digest(other)) == ()
    assert [change.name for change in compare(launch, other)] == ["vCPU type"]


def test_two_launches_are_compared_input_by_input() -> None:
    other = replace(ALONE["command line"], vcpus=1)
    assert [change.name for change in compare(LAUNCH, other)] == ["vCPUs", "command line"]
    assert compare(LAUNCH, LAUNCH) == ()


def test_every_input_is_listed_with_its_hash() -> None:
    inputs = {item.name: item for item in measured_inputs(LAUNCH)}
    assert inputs["firmware"].digest == LAUNCH.firmware.digest.hex()
    assert inputs["kernel"].digest == hashlib.sha256(b"kernel").hexdigest()
    assert inputs["initrd"].digest == hashlib.sha256(b"initrd").hexdigest()
    assert inputs["command line"].value == '"console=ttyS0 quiet"'
    assert inputs["command line"].digest == (hashlib.sha256(b"console=ttyS0 quiet\0").hexdigest())
    assert inputs["kernel-hashes"].value == "0x1000 bytes at 0x810000"
    assert inputs["vCPU type"].value.startswith("0x800f12 (EPYC, EPYC-v1,")
    assert inputs["guest features"].value == "0x1 (SNP active)"
    assert len(inputs["other vCPUs"].digest) == 96


def test_an_input_that_is_not_measured_is_not_listed() -> None:
    names = [item.name for item in measured_inputs(replace(WITHOUT_KERNEL, vcpus=1))]
    assert not {"kernel", "initrd", "command line", "other vCPUs"} & set(names)
    ec2 = [item.name for item in measured_inputs(replace(LAUNCH, vmm=Vmm.EC2, cpu=5))]
    assert "vCPU type" not in ec2


def test_no_initrd_and_an_unknown_cpu_are_said_in_words() -> None:
    launch = replace(ALONE["initrd"], cpu=5)
    inputs = {item.name: item.value for item in measured_inputs(launch)}
    assert inputs["initrd"] == "none"
    assert inputs["vCPU type"] == "0x5 (not a type of QEMU)"


OTHER_FIRMWARE = read_firmware(ovmf.snp((*ovmf.AMDSEV_SECTIONS, (0x820000, 0x1000, 1))))
OTHER = replace(
    LAUNCH, firmware=OTHER_FIRMWARE, boot=hash_boot(b"other kernel", b"other initrd", "other")
)
FROM_ANOTHER_BUILD = {
    "firmware": replace(LAUNCH, firmware=OTHER_FIRMWARE),
    "kernel": replace(LAUNCH, boot=hash_boot(b"other kernel", b"initrd", BOOT.cmdline)),
    "initrd": replace(LAUNCH, boot=hash_boot(b"kernel", b"other initrd", BOOT.cmdline)),
    "command line": replace(LAUNCH, boot=hash_boot(b"kernel", b"initrd", "other")),
}


@pytest.mark.parametrize("name", FROM_ANOTHER_BUILD)
def test_an_artefact_of_another_build_is_found(name: str) -> None:
    (found,) = explain(LAUNCH, launch_digest(FROM_ANOTHER_BUILD[name]), (OTHER,))
    assert found.proof is Proof.REPRODUCED
    assert [change.name for change in found.changes] == [name]


def test_another_build_is_found_as_a_whole() -> None:
    (found,) = explain(LAUNCH, launch_digest(replace(OTHER, vcpus=1)), (OTHER,))
    assert [change.name for change in found.changes] == [
        "vCPUs",
        "firmware",
        "command line",
        "initrd",
        "kernel",
    ]


def test_a_boot_is_not_tried_with_firmware_that_cannot_do_it() -> None:
    firmware = read_firmware(ovmf.snp(ovmf.WITHOUT_HASHES, hashes_gpa=None))
    other = replace(WITHOUT_KERNEL, firmware=firmware)
    (found,) = explain(LAUNCH, launch_digest(other), (other,))
    assert [change.name for change in found.changes] == ["kernel hashes", "firmware"]
