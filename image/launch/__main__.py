# SPDX-License-Identifier: Apache-2.0
"""`python -m image.launch --platform snp|tdx --release DIR --config FILE …`.

Prints the command that launches a release on a host with the hardware, quoted for a shell, or with
`--libvirt` the domain. Starts nothing, and prints nothing that would not measure as the manifest
says: the measurement, which goes to stderr, is computed from the very files of the command.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from attest.errors import FormatError
from attest.snp.launch.cpu import CPU_TYPES
from attest.statement import Platform
from image.launch.plan import HOST_CPU, QGS_SOCKET, LaunchError, Plan, check_disk
from image.launch.published import guest_policy, load_manifest, verify_published
from image.launch.render import libvirt_domain, qemu_arguments
from sealroom.measurement import values
from sealroom.release.manifest import ImageVariant

PLATFORMS = {"snp": Platform.SEV_SNP, "tdx": Platform.TDX}
EXIT_REFUSED = 1


def main(arguments: list[str] | None = None) -> int:
    """Print one launch; the exit code is 1 when there is none."""
    args = _parser().parse_args(arguments)
    try:
        manifest = load_manifest(args.release.absolute())
        plan = _plan(args, guest_policy(manifest.minimum.snp))
        for disk in plan.disks:
            check_disk(disk)
        measured = plan.measured()
        verify_published(measured, manifest.images.of(ImageVariant(plan.variant)))
        text = libvirt_domain(plan) if args.libvirt else f"{shlex.join(qemu_arguments(plan))}\n"
    except (LaunchError, FormatError) as error:
        sys.stderr.write(f"image.launch: {error}\n")
        return EXIT_REFUSED
    sys.stderr.write("the guest's report must show:\n")
    sys.stderr.writelines(f"  {name}  {value.hex()}\n" for name, value in values(measured).items())
    sys.stdout.write(text)
    return 0


def _plan(args: argparse.Namespace, policy: int) -> Plan:
    platform = PLATFORMS[args.platform]
    release = args.release.absolute()
    if platform is Platform.SEV_SNP and args.cpu is None:
        raise LaunchError("--cpu", "such as EPYC-Milan or EPYC-Genoa", "none")
    return Plan(
        platform=platform,
        release=release,
        variant=args.variant,
        vcpus=args.vcpus,
        cpu=args.cpu or HOST_CPU,
        memory_mib=args.memory,
        model=(args.model or release / "model.gguf").absolute(),
        config=args.config.absolute(),
        endorsements=args.endorsements and args.endorsements.absolute(),
        cid=args.cid,
        policy=policy,
        cbitpos=args.cbitpos,
        reduced_phys_bits=args.reduced_phys_bits,
        qgs=args.qgs,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m image.launch",
        description="Print the command, or libvirt's domain, that launches a release as published.",
        allow_abbrev=False,
    )
    say = parser.add_argument
    say("--platform", required=True, choices=list(PLATFORMS), help="of the host")
    say("--release", required=True, type=Path, metavar="DIR", help="the downloaded release")
    say("--config", required=True, type=Path, metavar="FILE", help="the guest's configuration")
    say("--endorsements", type=Path, metavar="FILE", help="the third disk, if the document says so")
    say("--model", type=Path, metavar="FILE", help="default: model.gguf of the release")
    production = ImageVariant.PRODUCTION
    say("--variant", choices=list(ImageVariant), default=production, help="default: production")
    say("--vcpus", type=int, default=4, metavar="N", help="default: 4; measured on SEV-SNP")
    say("--cpu", metavar="TYPE", help=f"SEV-SNP, measured: one of {', '.join(CPU_TYPES)}")
    say("--memory", type=int, default=4096, metavar="MIB", help="default: 4096")
    say("--cid", type=int, default=42, metavar="N", help="the guest's vsock address, default: 42")
    say("--cbitpos", type=int, default=51, metavar="N", help="SEV-SNP, of the host; default: 51")
    say("--reduced-phys-bits", type=int, default=1, metavar="N", help="SEV-SNP; default: 1")
    say("--qgs", type=Path, default=Path(QGS_SOCKET), metavar="SOCKET", help="TDX: of the host")
    say("--libvirt", action="store_true", help="print libvirt's domain instead of the command")
    return parser


if __name__ == "__main__":
    sys.exit(main())
