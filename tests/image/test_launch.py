# SPDX-License-Identifier: Apache-2.0
"""Launch lines: what they say is what is measured, and they say it alike for QEMU and libvirt."""

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from string import Template
from xml.etree import ElementTree

import pytest

from attest.snp.launch.cpu import CPU_TYPES, cpu_signature
from attest.snp.launch.digest import Launch as SnpLaunch
from attest.snp.launch.digest import launch_digest
from attest.snp.launch.firmware import read_firmware
from attest.snp.launch.kernel_hashes import hash_boot
from attest.snp.launch.vmsa import Vmm
from attest.snp.policy import AbiFloor, Permission, Requirement
from attest.statement import Platform
from attest.tdx.launch.events import LoadOptions
from attest.tdx.launch.mrtd import PageOrder
from attest.tdx.launch.registers import plan_launch, registers
from image.launch.__main__ import main
from image.launch.plan import LaunchError, Plan, check_disk, read_file
from image.launch.published import guest_policy, load_manifest, verify_published
from image.launch.render import libvirt_domain, qemu_arguments, rows
from image.measure import make_minimum
from sealroom.measurement import values
from tests.image.release import CMDLINE, mint_release
from tests.sealroom.released import mint

GUEST_POLICY = 0x30000  # SMT allowed, and bit 17, which must be one
DEBUG, MIGRATE_MA = 1 << 19, 1 << 18  # AMD 56860, GUEST_POLICY
SNP, TDX = Platform.SEV_SNP, Platform.TDX
EITHER = pytest.mark.parametrize("platform", [SNP, TDX])


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mint_release(tmp_path_factory.mktemp("launch") / "release")


def plan(release: Path, platform: Platform, **changes: object) -> Plan:
    fields: dict[str, object] = {
        "platform": platform,
        "release": release,
        "variant": "production",
        "vcpus": 3,
        "cpu": "EPYC-Genoa" if platform is SNP else "host",
        "memory_mib": 1024,
        "model": release / "model.gguf",
        "config": release / "config.img",
        "endorsements": None,
        "cid": 42,
        "policy": GUEST_POLICY,
        "cbitpos": 51,
        "reduced_phys_bits": 1,
        "qgs": Path("/var/run/tdx-qgs/qgs.socket"),
    }
    return Plan(**(fields | changes))  # type: ignore[arg-type]  # each is typed above


def options(arguments: tuple[str, ...]) -> dict[str, list[str]]:
    """The values of each option of a command."""
    found: dict[str, list[str]] = {}
    for word, value in zip(arguments[1:], (*arguments[2:], ""), strict=True):
        if word.startswith("-"):
            found.setdefault(word, []).append("" if value.startswith("-") else value)
    return found


def digest_of(said: Mapping[str, list[str]]) -> dict[str, bytes]:
    """What is measured of a command, read from nothing but the command."""
    paths = [Path(said[name][0]) for name in ("-bios", "-kernel", "-initrd")]
    firmware, kernel, initrd = (path.read_bytes() for path in paths)
    cmdline = said["-append"][0]
    objects = "".join(said["-object"])
    if '"tdx-guest"' in objects:
        launch = plan_launch(
            firmware,
            kernel,
            initrd,
            cmdline,
            order=PageOrder.BY_PAGE,
            load_options=LoadOptions.INITRD_FIRST,
        )
        return {str(name): value for name, value in registers(launch).items()}
    assert '"sev-snp-guest"' in objects
    vcpus = dict(part.split("=") for part in said["-smp"][0].split(","))
    return {
        "launch digest": launch_digest(
            SnpLaunch(
                firmware=read_firmware(firmware),
                boot=hash_boot(kernel, initrd, cmdline)
                if '"kernel-hashes":true' in objects
                else None,
                vmm=Vmm.QEMU,
                vcpus=int(vcpus["cpus"]),
                cpu=cpu_signature(said["-cpu"][0]),
                features=1,
            )
        )
    }


@EITHER
def test_what_is_measured_is_what_the_command_says(release: Path, platform: Platform) -> None:
    one = plan(release, platform)
    assert digest_of(options(qemu_arguments(one))) == values(one.measured())


@pytest.mark.parametrize("vcpus", [1, 2, 64])
@pytest.mark.parametrize("cpu", ["EPYC-Milan", "EPYC-Turin"])
def test_vcpus_and_their_model_are_measured_and_said(release: Path, vcpus: int, cpu: str) -> None:
    one = plan(release, SNP, vcpus=vcpus, cpu=cpu)
    said = options(qemu_arguments(one))
    assert said["-smp"] == [f"cpus={vcpus},maxcpus={vcpus}"]
    assert digest_of(said) == values(one.measured()) != values(plan(release, SNP).measured())


@EITHER
def test_a_domain_says_the_same_as_the_command(release: Path, platform: Platform) -> None:
    one = plan(release, platform)
    said = options(qemu_arguments(one))
    domain = ElementTree.fromstring(libvirt_domain(one))
    told = {
        "-bios": domain.findtext("os/loader"),
        "-kernel": domain.findtext("os/kernel"),
        "-initrd": domain.findtext("os/initrd"),
        "-append": domain.findtext("os/cmdline"),
    }
    assert {name: [text] for name, text in told.items()} == {name: said[name] for name in told}
    assert said["-smp"] == ["cpus={0},maxcpus={0}".format(domain.findtext("vcpu"))]
    assert said["-m"] == [f"size={domain.findtext('memory')}M"]
    disks = [disk.attrib["file"] for disk in domain.iterfind("devices/disk/source")]
    assert disks == [str(one.model), str(one.config)]
    assert all(disk.find("readonly") is not None for disk in domain.iterfind("devices/disk"))


@EITHER
def test_a_bundle_is_a_third_disk_that_cannot_be_written(release: Path, platform: Platform) -> None:
    bundle = release / "bundle"
    one = plan(release, platform, endorsements=bundle)
    said = options(qemu_arguments(one))
    for disk, value in zip(one.disks, said["-blockdev"], strict=True):
        assert f'"filename":"{disk}"' in value
    assert all('"read-only":true' in value for value in said["-blockdev"])
    domain = ElementTree.fromstring(libvirt_domain(one))
    disks = list(domain.iterfind("devices/disk"))
    names = [disk.find("target") for disk in disks]
    assert [name.attrib["dev"] for name in names if name is not None] == ["vda", "vdb", "vdc"]
    assert disks[2].find(f"source[@file='{bundle}']") is not None
    assert disks[2].find("readonly") is not None
    assert digest_of(said) == values(one.measured()) == values(plan(release, platform).measured())


def test_a_domain_for_snp_asks_for_kernel_hashes_and_the_same_policy(release: Path) -> None:
    domain = ElementTree.fromstring(libvirt_domain(plan(release, SNP)))
    security = domain.find("launchSecurity")
    assert security is not None
    assert security.attrib == {"type": "sev-snp", "kernelHashes": "yes"}
    assert int(security.findtext("policy") or "", 0) == GUEST_POLICY
    assert domain.findtext("cpu/model") == "EPYC-Genoa"
    assert f'"policy":{GUEST_POLICY},' in "".join(qemu_arguments(plan(release, SNP)))


def test_the_policy_of_a_guest_allows_neither_debugging_nor_migration() -> None:
    everything = replace(
        make_minimum().snp,
        guest_allows=frozenset(Permission),
        guest_requires=frozenset(Requirement),
    )
    assert not guest_policy(everything) & (DEBUG | MIGRATE_MA)
    assert guest_policy(make_minimum().snp) == GUEST_POLICY


def test_the_policy_of_a_guest_is_what_a_policy_for_the_release_demands() -> None:
    minimum = replace(
        make_minimum().snp,
        abi=AbiFloor(major=1, minor=55),
        guest_allows=frozenset({Permission.CXL}),
        guest_requires=frozenset({Requirement.CIPHERTEXT_HIDING, Requirement.SINGLE_SOCKET}),
    )
    assert guest_policy(minimum) == 1 << 17 | 1 << 8 | 55 | 1 << 21 | 1 << 24 | 1 << 20


@EITHER
def test_a_guest_has_two_disks_that_it_cannot_write_and_a_vsock_and_no_other_device(
    release: Path, platform: Platform
) -> None:
    said = options(qemu_arguments(plan(release, platform)))
    assert [value.split(",")[0] for value in said["-device"]] == [
        "virtio-blk-pci",
        "virtio-blk-pci",
        "vhost-vsock-pci",
    ]
    assert len(said["-blockdev"]) == 2
    assert all('"read-only":true' in value for value in said["-blockdev"])
    for none in ("-serial", "-parallel", "-monitor", "-nic", "-display"):
        assert said[none] == ["none"]
    assert "-nodefaults" in said


@EITHER
def test_an_option_is_given_once_unless_it_is_for_several_things(platform: Platform) -> None:
    several = {"-object", "-device", "-blockdev"}
    names = [row[0] for row in rows(platform) if row[0] not in several]
    assert sorted(names) == sorted(set(names))


@EITHER
def test_both_forms_are_made_of_the_same_values(release: Path, platform: Platform) -> None:
    stem = {SNP: "snp", TDX: "tdx"}[platform]
    folder = Path(__file__).parents[2] / "image" / "launch"
    named = {
        form: set(Template((folder / f"{stem}.{form}").read_text()).get_identifiers()) - {"NAME"}
        for form in ("args", "xml")
    }
    spellings = {"memory_bytes": "memory_mib", "policy_hex": "policy"}
    plain = {form: {spellings.get(name, name) for name in names} for form, names in named.items()}
    # libvirt says "the host's CPU" in words of its own.
    assert plain["args"] == plain["xml"] | ({"cpu"} if platform is TDX else set())
    given = plan(release, platform, endorsements=release / "bundle").values()
    assert plain["args"] <= given.keys()


def test_a_command_line_reaches_the_kernel_byte_for_byte(release: Path) -> None:
    said = options(qemu_arguments(plan(release, SNP)))
    domain = ElementTree.fromstring(libvirt_domain(plan(release, SNP)))
    assert said["-append"] == [CMDLINE] == [domain.findtext("os/cmdline")]


@pytest.mark.parametrize(
    ("platform", "changes"),
    [
        (SNP, {"vcpus": 0}),
        (SNP, {"vcpus": 65}),
        (SNP, {"memory_mib": 100}),
        (SNP, {"cid": 2}),
        (SNP, {"cid": (1 << 32) - 1}),
        (SNP, {"cbitpos": 31}),
        (SNP, {"reduced_phys_bits": 0}),
        (SNP, {"config": Path("/a/b,readonly=off")}),
        (SNP, {"model": Path("relative")}),
        (SNP, {"model": Path('/a"b')}),
        (TDX, {"qgs": Path("/a b")}),
        (TDX, {"cpu": "EPYC-Genoa"}),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    release: Path, platform: Platform, changes: Mapping[str, object]
) -> None:
    with pytest.raises(LaunchError):
        plan(release, platform, **changes)


@pytest.mark.parametrize("cmdline", ["quiet\n", "a\0b", "x" * 4096, "a\tb"])
def test_a_file_that_is_no_command_line_is_refused(tmp_path: Path, cmdline: str) -> None:
    one = plan(mint_release(tmp_path / "release", cmdline=cmdline), SNP)
    with pytest.raises(LaunchError):
        one.cmdline()


def test_a_file_is_read_up_to_its_limit_or_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1234")
    assert read_file(tmp_path / "file", 4) == b"1234"
    with pytest.raises(LaunchError, match="wanted at most 3 bytes, got more"):
        read_file(tmp_path / "file", 3)
    for none in (tmp_path, tmp_path / "none"):
        with pytest.raises(LaunchError, match="wanted a file, got "):
            read_file(none, 4)


def test_a_disk_is_not_empty_and_there(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with pytest.raises(LaunchError):
        check_disk(disk)
    disk.write_bytes(b"")
    with pytest.raises(LaunchError):
        check_disk(disk)
    disk.write_bytes(b"x")
    check_disk(disk)


@EITHER
@pytest.mark.parametrize("name", ["vmlinuz", "initrd", "cmdline"])
def test_whatever_is_appended_to_what_is_booted_gives_another_measurement(
    tmp_path: Path, platform: Platform, name: str
) -> None:
    one = plan(mint_release(tmp_path / "release"), platform)
    before = values(one.measured())
    with one.kernel.with_name(name).open("ab") as file:
        file.write(b" one=1 another=2")
    assert values(one.measured()) != before


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with its manifest, and a configuration."""
    folder = tmp_path_factory.mktemp("published") / "release"
    folder.mkdir()
    mint(folder)
    folder.with_name("config").write_bytes(b"limits: none\n")
    return folder


def ask(release: Path, *more: str) -> int:
    config = str(release.with_name("config"))
    return main(["--release", str(release), "--config", config, *more])


def asked(release: Path, platform: Platform, **changes: object) -> Plan:
    """The plan that `ask` makes."""
    config = release.with_name("config")
    return plan(release, platform, **({"memory_mib": 4096, "config": config} | changes))


def test_the_program_prints_a_command_for_a_shell_and_what_must_come_of_it(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(published, "--platform", "snp", "--cpu", "EPYC-Genoa", "--vcpus", "3") == 0
    out, err = capsys.readouterr()
    one = asked(published, SNP)
    assert tuple(shlex.split(out)) == qemu_arguments(one)
    assert values(one.measured())["launch digest"].hex() in err


def test_the_program_prints_a_domain(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(published, "--platform", "tdx", "--libvirt", "--vcpus", "3") == 0
    out, err = capsys.readouterr()
    one = asked(published, TDX)
    assert out == libvirt_domain(one)
    assert all(value.hex() in err for value in values(one.measured()).values())


@pytest.mark.parametrize("variant", ["research", "test"])
def test_the_other_variants_can_be_launched_too(
    published: Path, variant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(published, "--platform", "tdx", "--variant", variant) == 0
    assert f"{published}/{variant}/initrd" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more",
    [
        ("--platform", "snp"),
        ("--platform", "snp", "--cpu", "EPYC-Rome-v9"),
        ("--platform", "snp", "--cpu", "EPYC-Milan", "--vcpus", "65"),
        ("--platform", "tdx", "--model", "/nonexistent"),
    ],
)
def test_the_program_says_what_is_wrong(
    published: Path, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(published, *more) == 1
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("image.launch: ")


@pytest.mark.parametrize("words", [("snp", "--cpu", "EPYC-Genoa"), ("tdx",)])
@pytest.mark.parametrize("name", ["production/initrd", "production/cmdline", "manifest.json"])
def test_nothing_is_printed_for_files_that_are_not_the_published_ones(
    published: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "release"
    shutil.copytree(published, folder)
    folder.with_name("config").write_bytes(b"x")
    with (folder / name).open("ab") as file:
        file.write(b" more")
    assert ask(folder, "--platform", *words) == 1
    assert not capsys.readouterr().out


def test_every_row_of_the_manifest_can_be_launched(published: Path) -> None:
    image = load_manifest(published).images.production
    for cpu in CPU_TYPES:
        for vcpus in (1, 2, 64):
            verify_published(asked(published, SNP, cpu=cpu, vcpus=vcpus).measured(), image)
    verify_published(asked(published, TDX).measured(), image)


def test_features_that_are_not_published_are_refused(published: Path) -> None:
    launch = asked(published, SNP).measured()
    assert isinstance(launch, SnpLaunch)
    with pytest.raises(LaunchError, match="processors"):
        verify_published(replace(launch, features=3 << 4 | 1), load_manifest(published).images.test)
