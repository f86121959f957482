# SPDX-License-Identifier: Apache-2.0
"""Each input of the host has a defence that a test shows, or says that it has none, and why."""

import pytest

from tests.contract.test_threat_model import functions
from tests.contract.unmeasured_inputs import PAGE, ROOT, TABLE, UNDEFENDED, Input, load, table

ROWS = load()
each = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.input[:40])
GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))

# What the issue asks for, each by a word of a row that must be there.
WANTED = (
    "ACPI",
    "AML",
    "fw_cfg",
    "SMBIOS",
    "command line",
    "initramfs",
    "disk",
    "network",
    "balloon",
    "virtio-rng",
    "RTC",
    "kvmclock",
    "TSC",
    "CPUID",
    "HOB",
    "vsock",
    "entropy",
    "interrupts",
    "model specific registers",
    "hotplug",
    "PCI configuration space",
    "DMA",
    "scheduling",
    "auxblob",
    "rollback",
    "power off",
)


@pytest.mark.parametrize("group", GROUPS)
def test_the_page_has_the_rows_of_the_table(group: str) -> None:
    found = dict(TABLE.findall(PAGE.read_text(encoding="utf-8")))
    assert found.keys() == set(GROUPS)
    assert found[group] == table(group)


@each
def test_a_row_has_a_defence_that_is_shown_or_says_why_not(row: Input) -> None:
    assert all((row.input, row.host, row.measured, row.left))
    assert not row.tests or row.defence
    assert row.tests or row.left.startswith(UNDEFENDED)
    assert "|" not in "".join((row.input, row.host, row.measured, row.defence, row.left))


@each
def test_every_test_that_is_named_exists(row: Input) -> None:
    for name in row.tests:
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert function in functions(path), name


@pytest.mark.parametrize("word", WANTED)
def test_no_kind_of_input_is_forgotten(word: str) -> None:
    assert [row.input for row in ROWS if word in row.input]


def test_no_input_stands_twice() -> None:
    names = [row.input for row in ROWS]
    assert sorted(names) == sorted(set(names))
