# SPDX-License-Identifier: Apache-2.0
"""Why a guest's registers are not the expected ones.

Each register has its own inputs, so it is known at once where to look; what can be listed is tried:
the order of pages, where the firmware names the initrd, small accidents to the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from attest.cmdline import near, quoted
from attest.difference import Change, Hypothesis, Input, Proof
from attest.errors import FormatError
from attest.tdx.launch.events import REGISTER_BYTES, Event, LoadOptions, rtmr1_events, rtmr2_events
from attest.tdx.launch.mrtd import PageOrder
from attest.tdx.launch.registers import Launch, Register, registers

_NOT_EXTENDED = bytes(REGISTER_BYTES)

_UNKNOWN: dict[Register, tuple[tuple[str, str], ...]] = {
    Register.MRTD: (("firmware", "MRTD is made of the firmware alone, but for its variables"),),
    Register.RTMR1: (
        ("kernel", "another file, or QEMU before 10, which changes its header before the start"),
    ),
    Register.RTMR2: (
        ("command line", "it is changed more often than any other input"),
        ("initrd", "a build that is not reproducible changes it each time"),
    ),
    Register.RTMR3: (("RTMR3", "the guest itself extends it after its start"),),
}


def measured_inputs(launch: Launch) -> tuple[Input, ...]:
    """Everything that goes into the registers, in the order in which it does."""
    values = _values(launch)
    events = (
        *((Register.RTMR1, item) for item in rtmr1_events(launch.kernel)),
        *((Register.RTMR2, item) for item in _stub_events(launch)),
    )
    named = {"load options": quoted(launch.cmdline)}
    return (
        Input("firmware", f"file {values['firmware']}", registers(launch)[Register.MRTD].hex()),
        Input("page order", launch.order, ""),
        Input("load options form", launch.load_options, ""),
        *(Input(f"{of} {e.name}", named.get(e.name, ""), e.digest.hex()) for of, e in events),
    )


def compare(expected: Launch, got: Launch) -> tuple[Change, ...]:
    """Every input that is not the same in both."""
    before, after = _values(expected), _values(got)
    return tuple(Change(n, before[n], after[n]) for n in before if before[n] != after[n])


def explain(
    expected: Launch, got: dict[Register, bytes], others: tuple[Launch, ...] = ()
) -> tuple[Hypothesis, ...]:
    """Why the registers are ``got``; nothing when those that can be foreseen are as expected.

    Registers are explained one by one, in their order; each stands for itself.

    Args:
        expected: how the guest should have been launched.
        got: the registers that it has.
        others: launches whose firmware, kernel, initrd and command line are tried, too.
    """
    wanted = registers(expected)
    return tuple(
        hypothesis
        for register in wanted
        if got[register] != wanted[register]
        for hypothesis in _explain_register(expected, register, got[register], others)
    )


def _explain_register(
    expected: Launch, register: Register, got: bytes, others: tuple[Launch, ...]
) -> Iterator[Hypothesis]:
    if got == _NOT_EXTENDED:
        change = Change(register, "extended", "zero")
        why = "nothing was measured into it: the guest has not booted so"
        yield Hypothesis(Proof.REPRODUCED, (change,), why)
        return
    same = [launch for launch in _variants(expected, others) if registers(launch)[register] == got]
    for changes in sorted({compare(expected, launch) for launch in same}, key=len):
        yield Hypothesis(Proof.REPRODUCED, changes, f"it gives exactly this {register}")
    if not same:
        values = _values(expected)
        for name, why in _UNKNOWN[register]:
            change = Change(name, values.get(name, "zero"), "")
            yield Hypothesis(Proof.POSSIBLE, (change,), f"{register}: {why}")


def _variants(expected: Launch, others: tuple[Launch, ...]) -> Iterator[Launch]:
    """Launches that differ in what can be listed, in what makes up one register at a time."""
    for firmware in dict.fromkeys(launch.firmware for launch in (expected, *others)):
        for order in PageOrder:
            yield replace(expected, firmware=firmware, order=order)
    for other in others:
        yield replace(expected, kernel=other.kernel)
    initrds = dict.fromkeys(launch.initrd for launch in (expected, *others))
    cmdlines = (expected.cmdline, *near(expected.cmdline), *(other.cmdline for other in others))
    for initrd in initrds:
        for cmdline in dict.fromkeys(cmdlines):
            for form in LoadOptions:
                try:
                    yield replace(expected, initrd=initrd, cmdline=cmdline, load_options=form)
                except FormatError:
                    continue  # a command line that is not modelled


def _stub_events(launch: Launch) -> tuple[Event, ...]:
    return rtmr2_events(launch.cmdline, launch.load_options, launch.initrd)


def _values(launch: Launch) -> dict[str, str]:
    """The inputs by name, as text."""
    return {
        "firmware": launch.firmware.sha256.hex(),
        "page order": str(launch.order),
        "kernel": launch.kernel.hex(),
        "initrd": launch.initrd.hex(),
        "command line": quoted(launch.cmdline),
        "load options form": str(launch.load_options),
    }
