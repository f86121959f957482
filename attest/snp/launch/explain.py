# SPDX-License-Identifier: Apache-2.0
"""Why a guest's launch digest is not the expected one: tried out, not guessed.

What can be listed is tried in every combination: the VMM, the vCPUs' number and type, the bits of
SEV_FEATURES, missing kernel hashes or initrd, small accidents to the command line. What cannot be
listed (other bytes of firmware, kernel or initrd) is named when none of that explains the digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from attest.cmdline import near, quoted
from attest.difference import Change, Hypothesis, Input, Proof
from attest.errors import FormatError
from attest.snp.launch.cpu import CPU_TYPES
from attest.snp.launch.digest import FEATURES, Launch, launch_digest, vcpu_digests
from attest.snp.launch.kernel_hashes import Boot
from attest.snp.launch.vmsa import RESET_VECTOR, Vmm, vmsa_page

# More are tried only where the expected launch has more.
VCPUS_TRIED = 256
_VARIED = ("firmware", "boot", "vmm", "cpu", "features")

NO_INITRD = hashlib.sha256(b"").digest()

_UNKNOWN = (
    ("command line", "it is changed more often than any other input"),
    ("initrd", "a build that is not reproducible changes it each time"),
    ("kernel", "another version, or a VMM that changes its header before it hashes"),
    ("firmware", "another build of OVMF, or other SEV metadata"),
)


def measured_inputs(launch: Launch) -> tuple[Input, ...]:
    """Everything that goes into the digest, in the order in which it does."""
    firmware, boot = launch.firmware, launch.boot
    inputs = [
        Input("firmware", f"file {firmware.sha256.hex()}", firmware.digest.hex()),
        *(Input(s.kind, f"0x{s.size:x} bytes at 0x{s.gpa:x}", "") for s in firmware.sections),
    ]
    if boot is not None:
        inputs += [
            Input("kernel", "", boot.kernel.hex()),
            Input("initrd", "none" if boot.initrd == NO_INITRD else "", boot.initrd.hex()),
            Input("command line", quoted(boot.cmdline), boot.cmdline_hash.hex()),
        ]
    values = _values(launch)
    inputs += [Input(name, values[name], "") for name in ("VMM", "vCPUs", *_per_vcpu(launch))]
    starts = (("first vCPU", RESET_VECTOR), ("other vCPUs", firmware.reset_eip or 0))
    for name, eip in starts[: launch.vcpus]:
        page = vmsa_page(launch.vmm, eip=eip, cpu=launch.cpu, features=launch.features)
        inputs.append(Input(name, f"starts at 0x{eip:x}", hashlib.sha384(page).hexdigest()))
    return tuple(inputs)


def compare(expected: Launch, got: Launch) -> tuple[Change, ...]:
    """Every input that is not the same in both."""
    before, after = _values(expected), _values(got)
    pairs = ((name, text, after.get(name, text)) for name, text in before.items())
    return tuple(Change(*pair) for pair in pairs if pair[1] != pair[2])


def explain(
    expected: Launch, got: bytes, others: tuple[Launch, ...] = ()
) -> tuple[Hypothesis, ...]:
    """Why the digest is ``got``; nothing when it is the expected one.

    Args:
        expected: how the guest should have been launched.
        got: the digest that it has.
        others: launches whose firmware, kernel, initrd and command line are tried, too.
    """
    if launch_digest(expected) == got:
        return ()
    found = [compare(expected, launch) for launch in _search(expected, got, others)]
    if found:
        found.sort(key=len)
        return tuple(
            Hypothesis(Proof.REPRODUCED, changes, "it gives exactly this digest")
            for changes in dict.fromkeys(found)
        )
    values = _values(expected)
    return tuple(
        Hypothesis(Proof.POSSIBLE, (Change(name, values[name], ""),), why)
        for name, why in _UNKNOWN
        if name in values
    )


def _search(expected: Launch, got: bytes, others: tuple[Launch, ...]) -> list[Launch]:
    """The launches with this digest that need the fewest changes besides the number of vCPUs."""
    numbers = range(1, max(VCPUS_TRIED, expected.vcpus) + 1)

    def changes(launch: Launch) -> int:
        return sum(getattr(launch, name) != getattr(expected, name) for name in _VARIED)

    variants = _variants(expected, others)
    for _, launches in groupby(sorted(variants, key=changes), key=changes):
        found = [
            replace(launch, vcpus=vcpus)
            for launch in launches
            for vcpus, digest in zip(numbers, vcpu_digests(launch), strict=False)
            if digest == got
        ]
        if found:
            return found
    return []


def _variants(expected: Launch, others: tuple[Launch, ...]) -> Iterator[Launch]:
    """Launches that differ in what can be listed, but for the number of vCPUs."""
    bits = (expected.features ^ 1 << bit for bit in FEATURES if bit)
    features = dict.fromkeys((expected.features, 0x1, 0x21, *bits))
    cpus = dict.fromkeys((expected.cpu, *CPU_TYPES.values()))
    for artefacts in _artefacts(expected, others):
        for vmm in Vmm:
            for cpu in cpus if vmm is Vmm.QEMU else (expected.cpu,):
                for bitmap in features:
                    yield replace(artefacts, vmm=vmm, cpu=cpu, features=bitmap)


def _artefacts(expected: Launch, others: tuple[Launch, ...]) -> Iterator[Launch]:
    """Launches with other firmware or another boot, as far as the firmware can do that."""
    firmwares = dict.fromkeys(launch.firmware for launch in (expected, *others))
    boots = dict.fromkeys(_boots(expected.boot, [other.boot for other in others]))
    for firmware in firmwares:
        for boot in boots:
            try:
                yield replace(expected, firmware=firmware, boot=boot)
            except FormatError:
                continue  # this firmware has no place for kernel hashes, or for several vCPUs


def _boots(boot: Boot | None, others: list[Boot | None]) -> Iterator[Boot | None]:
    yield boot
    yield from others
    if boot is None:
        return
    yield None
    yield replace(boot, initrd=NO_INITRD)
    for cmdline in near(boot.cmdline):
        yield replace(boot, cmdline=cmdline)
    for other in filter(None, others):
        yield replace(boot, kernel=other.kernel)
        yield replace(boot, initrd=other.initrd)
        yield replace(boot, cmdline=other.cmdline)


def _per_vcpu(launch: Launch) -> tuple[str, ...]:
    return ("vCPU type", "guest features") if launch.vmm is Vmm.QEMU else ("guest features",)


def _values(launch: Launch) -> dict[str, str]:
    """The inputs by name, as text."""
    boot = launch.boot
    types = [name for name, cpu in CPU_TYPES.items() if cpu == launch.cpu]
    bits = [FEATURES[bit] for bit in FEATURES if launch.features >> bit & 1]
    values = {
        "vCPUs": str(launch.vcpus),
        "vCPU type": f"0x{launch.cpu:x} ({', '.join(types) or 'not a type of QEMU'})",
        "guest features": f"0x{launch.features:x} ({', '.join(bits)})",
        "VMM": str(launch.vmm),
        "kernel hashes": "none" if boot is None else "measured",
        "firmware": launch.firmware.sha256.hex(),
    }
    if boot is not None:
        values["command line"] = quoted(boot.cmdline)
        values["initrd"] = boot.initrd.hex()
        values["kernel"] = boot.kernel.hex()
    return values
