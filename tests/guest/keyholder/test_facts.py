# SPDX-License-Identifier: Apache-2.0
"""What the kernel was told, read from its own files; what cannot be read is unknown."""

import resource

import pytest

from attest.receipt import Fact
from guest.keyholder.facts import init_on_free, kernel_facts, swap

HEADER = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


@pytest.mark.parametrize(
    ("cmdline", "fact"),
    [
        (None, Fact.UNKNOWN),
        ("", Fact.UNKNOWN),
        ("quiet", Fact.UNKNOWN),
        ("init_on_free=1", Fact.ON),
        ("quiet init_on_free=1 ro\n", Fact.ON),
        ("init_on_free=0", Fact.OFF),
        ("init_on_free=0 init_on_free=1", Fact.ON),
        ("init_on_free=1 init_on_free=0", Fact.OFF),
        ("init_on_free=1 init_on_free=yes", Fact.UNKNOWN),
        ("init_on_free", Fact.UNKNOWN),
        ("no_init_on_free=1", Fact.UNKNOWN),
        ("init_on_alloc=1", Fact.UNKNOWN),
    ],
)
def test_the_last_word_on_the_command_line_counts(cmdline: str | None, fact: Fact) -> None:
    assert init_on_free(cmdline) is fact


@pytest.mark.parametrize(
    ("swaps", "fact"),
    [
        (None, Fact.UNKNOWN),
        (HEADER, Fact.OFF),
        (HEADER + "/dev/sda2 partition 1048572 0 -2\n", Fact.ON),
        (HEADER + "/dev/zram0 partition 1 0 100\n/dev/zram1 partition 1 0 100\n", Fact.ON),
    ],
)
def test_a_line_below_the_header_is_swap(swaps: str | None, fact: Fact) -> None:
    assert swap(swaps) is fact


def test_the_facts_of_this_kernel_can_be_read() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    assert kernel_facts().core_dumps is (Fact.OFF if hard == 0 else Fact.ON)
