# SPDX-License-Identifier: Apache-2.0
"""Launch digests: equal to the published ones, and what a launch cannot be."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attest.closed import Notation, read_record, write_record
from attest.errors import FormatError, UnsupportedError
from attest.snp.launch.cpu import CPU_TYPES, cpu_signature, signature
from attest.snp.launch.digest import VCPUS_MAX, Launch, launch_digest, vcpu_digests
from attest.snp.launch.firmware import Firmware, read_firmware
from attest.snp.launch.kernel_hashes import Boot, hash_boot
from attest.snp.launch.vmsa import Vmm
from tests.attest import ovmf

VECTORS = Path(__file__).parents[3] / "vectors" / "launch"
ORACLE = json.loads((VECTORS / "sev-snp-measure.json").read_text(encoding="utf-8"))
DEBIAN = json.loads((VECTORS / "debian.json").read_text(encoding="utf-8"))
IMAGES = {
    "amdsev": ovmf.snp(),
    "without-hashes": ovmf.snp(ovmf.WITHOUT_HASHES, hashes_gpa=None),
    "clean-example": ovmf.clean_example(),
}
FIRMWARE = {name: read_firmware(image) for name, image in IMAGES.items()}
BOOT = hash_boot(b"kernel", b"initrd", "quiet")
LAUNCH = Launch(
    firmware=FIRMWARE["amdsev"],
    boot=BOOT,
    vmm=Vmm.QEMU,
    vcpus=2,
    cpu=CPU_TYPES["EPYC-v4"],
    features=1,
)


def launch_of(row: dict[str, Any]) -> Launch:
    boot = row["boot"]
    return Launch(
        firmware=FIRMWARE[row["firmware"]],
        boot=boot and hash_boot(boot["kernel"].encode(), boot["initrd"].encode(), boot["cmdline"]),
        vmm=Vmm(row["vmm"]),
        vcpus=row["vcpus"],
        cpu=CPU_TYPES[row["vcpu_type"]],
        features=row["guest_features"],
    )


def test_the_digests_are_those_of_sev_snp_measure() -> None:
    got = [launch_digest(launch_of(row)).hex() for row in ORACLE]
    assert len(got) > 50
    assert got == [row["digest"] for row in ORACLE]


def test_the_digests_of_a_debian_release_are_those_that_were_published() -> None:
    firmware = read_record(Firmware, DEBIAN["ovmf_amdsev"], "firmware", Notation.JSON)
    boot = Boot(
        kernel=bytes.fromhex(DEBIAN["kernel_sha256"]),
        initrd=bytes.fromhex(DEBIAN["initrd_sha256"]),
        cmdline=DEBIAN["cmdline"],
    )
    launches = [
        replace(
            LAUNCH,
            firmware=firmware,
            boot=boot,
            vcpus=row["vcpus"],
            cpu=CPU_TYPES[row["vcpu_type"]],
            features=row["guest_features"],
        )
        for row in DEBIAN["snp"]
    ]
    got = [launch_digest(launch).hex() for launch in launches]
    assert len(got) == 16
    assert got == [row["launch_digest"] for row in DEBIAN["snp"]]


def test_the_clean_example_has_the_digest_that_its_authors_give() -> None:
    launch = replace(LAUNCH, firmware=FIRMWARE["clean-example"], boot=None, vmm=Vmm.GCE, vcpus=1)
    assert launch_digest(launch).hex() == (
        "20ec0dbd1c0a26d184a6f11ec5a796d68ec03c9d101bdd84"
        "c03f3d9cbbc4a292a9fad098edacfa04da0da58f20be885e"
    )


def test_a_launch_is_written_and_read_back() -> None:
    record = write_record(LAUNCH, Notation.JSON)
    assert read_record(Launch, json.loads(json.dumps(record)), "launch", Notation.JSON) == LAUNCH


def test_the_digests_for_each_number_of_vcpus_come_in_order() -> None:
    digests = list(vcpu_digests(LAUNCH))
    assert len(digests) == VCPUS_MAX
    for vcpus in (1, 2, 9):
        assert digests[vcpus - 1] == launch_digest(replace(LAUNCH, vcpus=vcpus))


def test_one_vcpu_needs_no_reset_block() -> None:
    firmware = replace(LAUNCH.firmware, reset_eip=None)
    assert list(vcpu_digests(replace(LAUNCH, firmware=firmware, vcpus=1))) == [
        launch_digest(replace(LAUNCH, vcpus=1))
    ]


def test_two_vcpus_need_a_reset_block() -> None:
    with pytest.raises(FormatError, match="several vCPUs need a SEV-ES reset block"):
        replace(LAUNCH, firmware=replace(LAUNCH.firmware, reset_eip=None))


@pytest.mark.parametrize("vcpus", [0, VCPUS_MAX + 1])
def test_the_number_of_vcpus_has_limits(vcpus: int) -> None:
    with pytest.raises(FormatError, match=f"vCPUs: wanted 1 to {VCPUS_MAX}, got {vcpus}"):
        replace(LAUNCH, vcpus=vcpus)


def test_a_guest_may_have_as_many_vcpus_as_the_limit() -> None:
    assert replace(LAUNCH, vcpus=VCPUS_MAX).vcpus == VCPUS_MAX


@pytest.mark.parametrize("cpu", [-1, 1 << 32])
def test_a_signature_is_of_32_bits(cpu: int) -> None:
    with pytest.raises(FormatError, match="wanted 32 bits"):
        replace(LAUNCH, cpu=cpu)


def test_a_guest_without_snp_is_refused() -> None:
    with pytest.raises(FormatError, match=r"wanted bit 0 \(SNP active\) set"):
        replace(LAUNCH, features=0x20)


def test_an_unknown_feature_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="bits 0x10802 are not modelled"):
        replace(LAUNCH, features=0x10803)


@pytest.mark.parametrize("name", ["without-hashes", "clean-example"])
def test_a_kernel_needs_a_place_for_its_hashes(name: str) -> None:
    with pytest.raises(FormatError, match="wanted an AmdSev build of OVMF"):
        replace(LAUNCH, firmware=FIRMWARE[name])


def test_a_kernel_needs_a_page_at_the_address_of_the_table() -> None:
    firmware = replace(FIRMWARE["without-hashes"], hashes_gpa=ovmf.HASHES_GPA)
    with pytest.raises(FormatError, match="wanted an AmdSev build of OVMF"):
        replace(LAUNCH, firmware=firmware)


def test_a_kernel_needs_the_address_of_the_table() -> None:
    with pytest.raises(FormatError, match="wanted an AmdSev build of OVMF"):
        replace(LAUNCH, firmware=replace(LAUNCH.firmware, hashes_gpa=None))


@pytest.mark.parametrize("gpa", [0x80FFF0, 0x811000])
def test_the_table_of_hashes_lies_in_its_page(gpa: int) -> None:
    with pytest.raises(FormatError, match="lies outside of its page"):
        replace(LAUNCH, firmware=replace(LAUNCH.firmware, hashes_gpa=gpa))


@pytest.mark.parametrize("gpa", [0x810000, 0x810F50])
def test_the_table_of_hashes_may_lie_at_either_end_of_its_page(gpa: int) -> None:
    firmware = replace(LAUNCH.firmware, hashes_gpa=gpa)
    assert launch_digest(replace(LAUNCH, firmware=firmware)) != launch_digest(LAUNCH)


def test_the_table_of_hashes_does_not_run_out_of_its_page() -> None:
    with pytest.raises(FormatError, match="does not fit into its page"):
        replace(LAUNCH, firmware=replace(LAUNCH.firmware, hashes_gpa=0x810F51))


def test_a_command_line_is_checked() -> None:
    with pytest.raises(FormatError, match="no NUL"):
        hash_boot(b"", b"", "a\0")


def test_a_cpu_that_is_not_in_the_table_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="EPYC-Venice is not modelled"):
        cpu_signature("EPYC-Venice")
    assert cpu_signature("EPYC-Turin") == 0xB00F00


@pytest.mark.parametrize("cpu", [(-1, 0, 0), (0x10F, 0, 0), (0x19, 0x100, 0), (0x19, 1, 16)])
def test_a_processor_has_numbers_that_its_signature_can_hold(cpu: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no processor"):
        signature(*cpu)


def test_a_signature_has_the_fields_of_cpuid() -> None:
    assert signature(0x19, 0x11, 2) == 0xA10F12
    assert signature(0x6, 0x1A, 5) == 0x106A5
    assert signature(0, 0, 0) == 0
    assert signature(0x10E, 0xFF, 0xF) == 0x0FFF0FFF
