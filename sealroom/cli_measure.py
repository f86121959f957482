# SPDX-License-Identifier: Apache-2.0
"""`sealroom measure snp|tdx` and `sealroom explain EXPECTED GOT`, offline.

The first says what a guest's report must show, from the files that it is launched with; the second
says why a report shows something else.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial

from attest.difference import Hypothesis, Proof
from attest.errors import FormatError
from attest.findings import Stage
from attest.ovmf import FIRMWARE_MAX_BYTES
from attest.snp.launch.cpu import CPU_TYPES, cpu_signature
from attest.snp.launch.digest import Launch as SnpLaunch
from attest.snp.launch.firmware import read_firmware
from attest.snp.launch.kernel_hashes import hash_boot
from attest.snp.launch.vmsa import Vmm
from attest.tdx.launch.authenticode import IMAGE_MAX_BYTES
from attest.tdx.launch.events import LoadOptions
from attest.tdx.launch.mrtd import PageOrder
from attest.tdx.launch.registers import plan_launch
from sealroom.cli_files import read_input
from sealroom.cli_report import printable
from sealroom.errors import EXIT_OK, STAGE_EXIT_CODES, InputError
from sealroom.measurement import (
    MEASUREMENT_MAX_BYTES,
    Launch,
    explain,
    inputs,
    measurement_json,
    read_digest,
    read_got,
    read_measurement,
    values,
)

INITRD_MAX_BYTES = 1024 * 1024 * 1024

NOT_FORESEEN = (
    "rtmr0 is not foreseen: it depends on the guest's memory, vCPUs and devices, on QEMU's ACPI "
    "tables and on the firmware's variables. Take it from a guest of the same shape."
)

# A difference is what a policy that pins the measurement would refuse.
EXIT_DIFFERENT = STAGE_EXIT_CODES[Stage.RULES]


def add_measure(command: argparse.ArgumentParser) -> None:
    """Gives `sealroom measure` its two platforms and their options."""
    platforms = command.add_subparsers(title="platforms", required=True, metavar="PLATFORM")
    snp = platforms.add_parser("snp", allow_abbrev=False, help="an SEV-SNP launch digest")
    _add_artefacts(snp, kernel_required=False)
    snp.add_argument("--vcpus", type=_number, required=True, metavar="N", help="how many")
    cpu = snp.add_mutually_exclusive_group()
    cpu.add_argument("--vcpu-type", metavar="TYPE", help=f"of QEMU: {', '.join(CPU_TYPES)}")
    cpu.add_argument(
        "--vcpu-signature", type=_number, metavar="N", help="CPUID Fn0000_0001_EAX, for any other"
    )
    snp.add_argument(
        "--vmm", type=Vmm, choices=list(Vmm), default=Vmm.QEMU, help="who launches (default: qemu)"
    )
    snp.add_argument(
        "--guest-features",
        type=_number,
        default=1,
        metavar="N",
        help="SEV_FEATURES (default: 0x1; 0x21 with debug swap)",
    )
    snp.set_defaults(run=partial(_measure, plan=_plan_snp))

    tdx = platforms.add_parser(
        "tdx", allow_abbrev=False, help="TDX registers, but for RTMR0", description=NOT_FORESEEN
    )
    _add_artefacts(tdx, kernel_required=True)
    tdx.add_argument(
        "--page-order",
        type=PageOrder,
        choices=list(PageOrder),
        default=PageOrder.BY_PAGE,
        help="in which order the VMM adds pages (default: single-pass, QEMU 9 and later)",
    )
    tdx.add_argument(
        "--load-options",
        type=LoadOptions,
        choices=list(LoadOptions),
        default=LoadOptions.INITRD_FIRST,
        help="where the firmware names the initrd (default: initrd-first, edk2 2026.08)",
    )
    tdx.set_defaults(run=partial(_measure, plan=_plan_tdx))


def add_explain(command: argparse.ArgumentParser) -> None:
    """Gives `sealroom explain` its arguments."""
    command.add_argument(
        "expected", metavar="EXPECTED", help="what `sealroom measure --json` has written"
    )
    command.add_argument(
        "got",
        metavar="GOT",
        help="another such file, an evidence object, an SNP report, a TDX quote, "
        "or a launch digest in hexadecimal",
    )
    command.add_argument(
        "--try",
        action="append",
        default=[],
        dest="others",
        metavar="FILE",
        help="like EXPECTED, of another build: its firmware, kernel, initrd and command line are "
        "tried; may be given again",
    )
    command.add_argument("--json", action="store_true", help="one JSON object on stdout")
    command.set_defaults(run=_explain)


def _add_artefacts(command: argparse.ArgumentParser, *, kernel_required: bool) -> None:
    for name, required in (("firmware", True), ("kernel", kernel_required)):
        command.add_argument(f"--{name}", required=required, metavar="FILE")
    command.add_argument("--initrd", required=kernel_required, metavar="FILE")
    command.add_argument("--cmdline", required=kernel_required, metavar="TEXT")
    command.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _measure(args: argparse.Namespace, plan: Callable[[argparse.Namespace], Launch]) -> int:
    try:
        launch = plan(args)
    except FormatError as error:
        raise InputError("launch", "one that is modelled", str(error)) from error
    if args.json:
        print(json.dumps(measurement_json(launch), indent=2))
        return EXIT_OK
    for name, value in values(launch).items():
        print(f"{name}  {value.hex()}")
    if not isinstance(launch, SnpLaunch):
        print(NOT_FORESEEN)
    print("made of:")
    for line in _input_lines(launch):
        print(printable(line))
    return EXIT_OK


def _plan_snp(args: argparse.Namespace) -> Launch:
    if args.kernel is None and (args.initrd is not None or args.cmdline is not None):
        raise InputError("--kernel", "a file, if there is an initrd or a command line", "none")
    if args.vmm is Vmm.QEMU and args.vcpu_type is None and args.vcpu_signature is None:
        raise InputError("--vcpu-type", "one of QEMU's types, or --vcpu-signature", "neither")
    cpu = args.vcpu_signature or 0
    if args.vcpu_type is not None:
        cpu = cpu_signature(args.vcpu_type)
    boot = None
    if args.kernel is not None:
        initrd = b"" if args.initrd is None else read_input(args.initrd, INITRD_MAX_BYTES)
        boot = hash_boot(read_input(args.kernel, IMAGE_MAX_BYTES), initrd, args.cmdline or "")
    return SnpLaunch(
        firmware=read_firmware(read_input(args.firmware, FIRMWARE_MAX_BYTES)),
        boot=boot,
        vmm=args.vmm,
        vcpus=args.vcpus,
        cpu=cpu,
        features=args.guest_features,
    )


def _plan_tdx(args: argparse.Namespace) -> Launch:
    return plan_launch(
        read_input(args.firmware, FIRMWARE_MAX_BYTES),
        read_input(args.kernel, IMAGE_MAX_BYTES),
        read_input(args.initrd, INITRD_MAX_BYTES),
        args.cmdline,
        order=args.page_order,
        load_options=args.load_options,
    )


def _explain(args: argparse.Namespace) -> int:
    expected, *others = (_read_measurement(name) for name in (args.expected, *args.others))
    try:
        got = read_digest(args.got) or read_got(read_input(args.got, MEASUREMENT_MAX_BYTES))
        hypotheses = explain(expected, got, tuple(others))
    except FormatError as error:
        raise InputError(args.got, "a measurement, evidence or digest", str(error)) from error
    if args.json:
        told = {
            "same": not hypotheses,
            "inputs": [asdict(item) for item in inputs(expected)],
            "hypotheses": [asdict(hypothesis) for hypothesis in hypotheses],
        }
        print(json.dumps(told, indent=2))
    else:
        for line in _lines(expected, hypotheses):
            print(printable(line))
    return EXIT_DIFFERENT if hypotheses else EXIT_OK


def _read_measurement(name: str) -> Launch:
    try:
        return read_measurement(read_input(name, MEASUREMENT_MAX_BYTES))
    except FormatError as error:
        raise InputError(name, "a file of `measure --json`", str(error)) from error


def _lines(expected: Launch, hypotheses: tuple[Hypothesis, ...]) -> Iterator[str]:
    if not hypotheses:
        yield "the measurement is the expected one"
        return
    yield "the measurement is another one"
    for number, hypothesis in enumerate(hypotheses, 1):
        certain = hypothesis.proof is Proof.REPRODUCED
        names = ", ".join(change.name for change in hypothesis.changes)
        yield f"{number}. {'found' if certain else 'possible'}: {names}; {hypothesis.why}"
        for change in hypothesis.changes:
            yield f"   {change.name}: wanted {change.expected}, got {change.got or 'another'}"
    yield "it was expected of:"
    yield from _input_lines(expected)


def _input_lines(launch: Launch) -> Iterator[str]:
    items = inputs(launch)
    width = max(len(item.name) for item in items)
    for item in items:
        yield f"  {item.name:{width}}  {' '.join(filter(None, (item.value, item.digest)))}"


def _number(text: str) -> int:
    wanted = "wanted a number such as 8 or 0x21"
    try:
        number = int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(wanted) from None
    if number < 0 or not text.isascii() or not text.isalnum() or len(text) > 18:
        raise argparse.ArgumentTypeError(wanted)
    return number
