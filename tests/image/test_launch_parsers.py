# SPDX-License-Identifier: Apache-2.0
"""The launch lines in the mouths of those that take them: QEMU's own parser, libvirt's own schema.

Without the hardware QEMU goes as far as making the machine. So each line is tried three times: as
it is, to the point where KVM lacks the platform; under TCG, to the point where the platform lacks
KVM; and without the platform, until every device is there.
"""

import subprocess
from pathlib import Path

import pytest

from attest.statement import Platform
from image.launch.plan import Plan
from image.launch.render import libvirt_domain, qemu_arguments
from lab.vm.tools import load_tools
from tests.image.locked import RUN_S, run, unpacked
from tests.image.release import mint_release
from tests.image.test_launch import EITHER, SNP, TDX, plan

pytestmark = pytest.mark.image

QUIT = '{"execute":"qmp_capabilities"}{"execute":"quit"}'
OBJECT = {SNP: "sev-snp-guest", TDX: "tdx-guest"}
CONTROL = ("-qmp", "stdio")
NO_VSOCK = "Could not open '/dev/vhost-vsock'"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mint_release(tmp_path_factory.mktemp("parsers") / "release")


def qemu(arguments: tuple[str, ...], *more: str) -> tuple[int, str]:
    """QEMU's exit code, and what it says but for warnings about processors."""
    tools = load_tools()
    words = [*tools.command(arguments[0]), *tools.roms(), *arguments[1:], *more]
    done = subprocess.run(
        words, input=QUIT, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    said = [line for line in done.stderr.splitlines() if "warning: " not in line]
    return done.returncode, "\n".join(said)


def under_tcg(arguments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("tcg" if word.partition(",")[0] == "kvm" else word for word in arguments)


def without_platform(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The same machine as an ordinary guest: TCG has neither its encryption nor the host's CPU."""
    words = {"host": "max"}
    return tuple(
        words.get(word, word.replace("confidential-guest-support=cgs0,", ""))
        for word in under_tcg(arguments)
    )


def whole(release: Path, platform: Platform) -> Plan:
    """A launch with all that there may be."""
    return plan(release, platform, endorsements=release / "config.img")


@EITHER
def test_only_the_hardware_is_missing(release: Path, platform: Platform) -> None:
    code, said = qemu(qemu_arguments(whole(release, platform)))
    assert code == 1
    assert "not supported by KVM" in said or "failed to initialize kvm" in said


@EITHER
def test_only_kvm_is_missing(release: Path, platform: Platform) -> None:
    code, said = qemu(under_tcg(qemu_arguments(whole(release, platform))))
    wanted = f"cannot set up private guest memory for {OBJECT[platform]}: KVM required"
    assert (code, said) == (1, f"qemu-system-x86_64: {wanted}")


@EITHER
def test_every_device_is_made_up_to_the_vsock_of_the_host(
    release: Path, platform: Platform
) -> None:
    code, said = qemu(without_platform(qemu_arguments(whole(release, platform))), "-S", *CONTROL)
    assert (code, said) == (0, "") or (code == 1 and NO_VSOCK in said)


@pytest.mark.parametrize(
    ("platform", "right", "wrong", "complaint"),
    [
        (SNP, '"kernel-hashes":true', '"kernel-hash":true', "'kernel-hash' is unexpected"),
        (SNP, '"policy":196608', '"policy":"weak"', "Parameter 'policy' expects uint64"),
        (SNP, '"reduced-phys-bits":1,', "", "'reduced-phys-bits' is missing"),
        (TDX, '"sept-ve-disable":true', '"sept-ve":true', "'sept-ve' is unexpected"),
        (TDX, '"type":"unix"', '"type":"door"', "does not accept value 'door'"),
        (SNP, "smm=off", "smn=off", "Property 'pc-q35-11.1-machine.smn' not found"),
    ],
)
def test_the_parser_notices_a_wrong_word(
    release: Path, platform: Platform, right: str, wrong: str, complaint: str
) -> None:
    arguments = under_tcg(qemu_arguments(whole(release, platform)))
    changed = tuple(word.replace(right, wrong) for word in arguments)
    assert changed != arguments
    code, said = qemu(changed)
    assert code == 1
    assert complaint in said


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("iommu_platform=on", "iommu_platforn=on", "iommu_platforn' not found"),
        ("guest-cid=42", "guest-cid=many", "guest-cid"),
        ('"read-only":true', '"read-0nly":true', "'read-0nly' is unexpected"),
    ],
)
def test_the_parser_notices_a_wrong_device(
    release: Path, right: str, wrong: str, complaint: str
) -> None:
    arguments = without_platform(qemu_arguments(whole(release, SNP)))
    changed = tuple(word.replace(right, wrong) for word in arguments)
    assert changed != arguments
    code, said = qemu(changed, "-S", *CONTROL)
    assert code == 1
    assert complaint in said


def xmllint(domain: str, tmp_path: Path) -> tuple[int, str]:
    file = tmp_path / "domain.xml"
    file.write_text(domain, encoding="ascii")
    schema = unpacked("launch") / "usr/share/libvirt/schemas/domain.rng"
    options = ("--noout", "--nonet", "--relaxng", str(schema))
    code, _, err = run("launch", "xmllint", *options, str(file))
    return code, err


@EITHER
def test_a_domain_is_one_by_libvirts_schema(
    release: Path, platform: Platform, tmp_path: Path
) -> None:
    code, said = xmllint(libvirt_domain(whole(release, platform)), tmp_path)
    assert (code, said.endswith(" validates\n")) == (0, True)


@pytest.mark.parametrize(
    ("platform", "right", "wrong"),
    [
        (SNP, 'kernelHashes="yes"', 'kernelHash="yes"'),
        (SNP, "<policy>0x30000</policy>", ""),
        (SNP, 'type="sev-snp"', 'type="snp"'),
        (TDX, "quoteGenerationService path", "quoteGenerationService socket"),
        (TDX, '<vsock model="virtio"', '<vsock model="vhost"'),
    ],
)
def test_the_schema_notices_a_wrong_word(
    release: Path, platform: Platform, right: str, wrong: str, tmp_path: Path
) -> None:
    domain = libvirt_domain(whole(release, platform))
    assert right in domain
    code, _ = xmllint(domain.replace(right, wrong), tmp_path)
    assert code != 0
