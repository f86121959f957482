# SPDX-License-Identifier: Apache-2.0
"""The registers of a launch, and why they are other ones: each cause alone, one by one."""

import hashlib
from dataclasses import replace

import pytest

from attest.closed import Notation, read_record, write_record
from attest.difference import Proof
from attest.errors import FormatError, UnsupportedError
from attest.tdx.launch.authenticode import authenticode
from attest.tdx.launch.events import LoadOptions, replay, rtmr1_events, rtmr2_events
from attest.tdx.launch.explain import compare, explain, measured_inputs
from attest.tdx.launch.mrtd import PageOrder, mrtd
from attest.tdx.launch.registers import Launch, Register, plan_launch, registers
from attest.tdx.launch.tdvf import parse_tdvf
from tests.attest import ovmf
from tests.attest.tdx.launch import pe

# Two pages of code, so that the order of pages matters.
FIRMWARE = ovmf.tdx(((0, 0x2000, 0xFFFFE000, 0x2000, 0, 1),))
LAUNCH = plan_launch(
    FIRMWARE,
    pe.mint(),
    b"initrd",
    "console=ttyS0 quiet",
    order=PageOrder.BY_PAGE,
    load_options=LoadOptions.INITRD_FIRST,
)
FOUND = {
    "page order": replace(LAUNCH, order=PageOrder.BY_SECTION),
    "load options form": replace(LAUNCH, load_options=LoadOptions.INITRD_LAST),
    "command line": replace(LAUNCH, cmdline="console=ttyS0 quiet "),
}
POSSIBLE = {
    "firmware": replace(LAUNCH, firmware=replace(LAUNCH.firmware, single_pass=b"f" * 48)),
    "kernel": replace(LAUNCH, kernel=b"k" * 48),
}


def got(launch: Launch, **changes: bytes) -> dict[Register, bytes]:
    """The registers of a guest that was launched so, some of them changed."""
    told = {**registers(launch), Register.RTMR0: b"0" * 48}
    return told | {Register(name): value for name, value in changes.items()}


def test_each_register_is_made_of_its_inputs() -> None:
    sections = parse_tdvf(FIRMWARE)
    initrd = hashlib.sha384(b"initrd").digest()
    assert registers(LAUNCH) == {
        "mrtd": mrtd(sections, PageOrder.BY_PAGE),
        "rtmr1": replay(rtmr1_events(authenticode(pe.mint()))),
        "rtmr2": replay(rtmr2_events(LAUNCH.cmdline, LoadOptions.INITRD_FIRST, initrd)),
        "rtmr3": bytes(48),
    }
    other = registers(FOUND["page order"])
    assert other[Register.MRTD] == mrtd(sections, PageOrder.BY_SECTION)


def test_a_launch_is_written_and_read_back() -> None:
    record = write_record(LAUNCH, Notation.JSON)
    assert read_record(Launch, record, "launch", Notation.JSON) == LAUNCH


def test_a_command_line_that_is_not_modelled_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="wanted printable ASCII"):
        replace(LAUNCH, cmdline="ä")


def test_a_unified_kernel_image_is_refused() -> None:
    """Its stub measures what is inside it, so RTMR2 would be another one."""
    with pytest.raises(UnsupportedError, match="a unified kernel image is not modelled"):
        plan_launch(
            FIRMWARE,
            pe.mint(name=b".linux"),
            b"initrd",
            "quiet",
            order=PageOrder.BY_PAGE,
            load_options=LoadOptions.INITRD_FIRST,
        )


def test_a_command_line_that_is_too_long_is_refused() -> None:
    with pytest.raises(FormatError, match="wanted under 4096 bytes"):
        replace(LAUNCH, cmdline="x" * 4096)


def test_what_is_as_expected_needs_no_explanation() -> None:
    assert explain(LAUNCH, got(LAUNCH)) == ()


@pytest.mark.parametrize("name", FOUND)
def test_one_cause_is_found(name: str) -> None:
    (found,) = explain(LAUNCH, got(FOUND[name]))
    assert found.proof is Proof.REPRODUCED
    assert [change.name for change in found.changes] == [name]


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_cannot_be_tried_is_named(name: str) -> None:
    (possible,) = explain(LAUNCH, got(POSSIBLE[name]))
    assert possible.proof is Proof.POSSIBLE
    assert [(change.name, change.got) for change in possible.changes] == [(name, "")]


@pytest.mark.parametrize("name", POSSIBLE)
def test_an_artefact_of_another_build_is_found(name: str) -> None:
    (found,) = explain(LAUNCH, got(POSSIBLE[name]), (POSSIBLE[name],))
    assert found.proof is Proof.REPRODUCED


def test_an_initrd_and_a_command_line_of_another_build_are_found() -> None:
    other = replace(LAUNCH, initrd=b"i" * 48, cmdline="other")
    (found,) = explain(LAUNCH, got(other), (other,))
    assert [change.name for change in found.changes] == ["initrd", "command line"]


def test_of_rtmr2_the_command_line_comes_before_the_initrd() -> None:
    found = explain(LAUNCH, got(replace(LAUNCH, initrd=b"i" * 48)))
    assert [hypothesis.changes[0].name for hypothesis in found] == ["command line", "initrd"]


def test_each_register_stands_for_itself() -> None:
    found = explain(LAUNCH, got(FOUND["page order"], rtmr1=b"k" * 48))
    assert [hypothesis.changes[0].name for hypothesis in found] == ["page order", "kernel"]


def test_a_register_of_zeros_was_never_extended() -> None:
    (found,) = explain(LAUNCH, got(LAUNCH, rtmr2=bytes(48)))
    assert [(change.name, change.got) for change in found.changes] == [("rtmr2", "zero")]


def test_rtmr3_is_extended_by_the_guest() -> None:
    (possible,) = explain(LAUNCH, got(LAUNCH, rtmr3=b"3" * 48))
    assert [(change.name, change.expected) for change in possible.changes] == [("RTMR3", "zero")]


def test_two_launches_are_compared_input_by_input() -> None:
    other = replace(FOUND["command line"], kernel=b"k" * 48)
    assert [change.name for change in compare(LAUNCH, other)] == ["kernel", "command line"]
    assert compare(LAUNCH, LAUNCH) == ()


def test_every_input_is_listed_with_its_hash() -> None:
    inputs = {item.name: item for item in measured_inputs(LAUNCH)}
    assert inputs["firmware"].value == f"file {hashlib.sha256(FIRMWARE).hexdigest()}"
    assert inputs["firmware"].digest == LAUNCH.firmware.single_pass.hex()
    assert inputs["rtmr1 kernel"].digest == LAUNCH.kernel.hex()
    assert inputs["rtmr2 load options"].value == '"console=ttyS0 quiet"'
    assert inputs["rtmr2 initrd"].digest == LAUNCH.initrd.hex()
