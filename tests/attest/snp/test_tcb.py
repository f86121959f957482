# SPDX-License-Identifier: Apache-2.0
"""TCB versions: which byte is which component, and that components are compared one by one."""

from __future__ import annotations

import pytest

from attest.snp.product import PRODUCTS, Component, ProductLine, line_of
from attest.snp.tcb import TCB_BYTES, Tcb, tcb

MILAN, GENOA, TURIN = ProductLine.MILAN, ProductLine.GENOA, ProductLine.TURIN


@pytest.mark.parametrize(
    ("line", "raw", "text"),
    [
        (MILAN, "04000000000018db", "boot_loader 4, tee 0, snp 24, microcode 219"),
        (GENOA, "0a00000000001754", "boot_loader 10, tee 0, snp 23, microcode 84"),
        (TURIN, "0101010400000051", "fmc 1, boot_loader 1, tee 1, snp 4, microcode 81"),
    ],
)
def test_each_byte_is_its_component(line: ProductLine, raw: str, text: str) -> None:
    assert Tcb(line, bytes.fromhex(raw)).text == text


@pytest.mark.parametrize("line", list(ProductLine))
def test_a_layout_has_eight_bytes(line: ProductLine) -> None:
    assert len(PRODUCTS[line].tcb) == TCB_BYTES


def test_a_newer_component_does_not_make_up_for_an_older_one() -> None:
    older = tcb(MILAN, boot_loader=4, snp=0x18, microcode=1)
    newer = tcb(MILAN, boot_loader=3, snp=0x18, microcode=0xFF)
    assert int.from_bytes(newer.raw, "little") > int.from_bytes(older.raw, "little")
    assert not newer.covers(older)


@pytest.mark.parametrize("component", ["boot_loader", "tee", "snp", "microcode"])
def test_every_component_counts(component: str) -> None:
    floor = tcb(GENOA, **{component: 1})
    assert floor.covers(floor)
    assert not tcb(GENOA).covers(floor)


def test_lines_do_not_compare() -> None:
    with pytest.raises(ValueError, match="does not compare"):
        tcb(MILAN).covers(tcb(TURIN))


def test_a_line_has_only_its_own_components() -> None:
    with pytest.raises(ValueError, match="no fmc"):
        tcb(MILAN, fmc=1)
    assert tcb(TURIN, fmc=1).versions[Component.FMC] == 1


@pytest.mark.parametrize("byte", [2, 3, 4, 5])
def test_reserved_bytes_are_seen(byte: int) -> None:
    raw = bytearray(8)
    raw[byte] = 1
    assert not Tcb(MILAN, bytes(raw)).reserved_is_zero


@pytest.mark.parametrize(
    ("family", "model", "line"),
    [
        (0x19, 0x00, MILAN),
        (0x19, 0x0F, MILAN),
        (0x19, 0x10, GENOA),
        (0x19, 0x1F, GENOA),
        (0x19, 0x20, None),
        (0x19, 0xA0, GENOA),
        (0x19, 0xAF, GENOA),
        (0x1A, 0x00, TURIN),
        (0x1A, 0x11, TURIN),
        (0x1A, 0x12, None),
        (0x1A, 0x50, None),
        (0x17, 0x31, None),
    ],
)
def test_a_processor_belongs_to_a_line_or_is_unknown(
    family: int, model: int, line: ProductLine | None
) -> None:
    assert line_of(family, model) is line
