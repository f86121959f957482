# SPDX-License-Identifier: Apache-2.0
"""What the kernel was told, read from its own files; what cannot be read is unknown."""

import resource
from pathlib import Path

import pytest

from attest.receipt import Fact
from guest.keyholder import facts
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
        ("", Fact.OFF),
        (HEADER, Fact.OFF),
        (HEADER + "/dev/sda2 partition 1048572 0 -2\n", Fact.ON),
        (HEADER + "/dev/zram0 partition 1 0 100\n/dev/zram1 partition 1 0 100\n", Fact.ON),
    ],
)
def test_a_line_below_the_header_is_swap(swaps: str | None, fact: Fact) -> None:
    assert swap(swaps) is fact


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc with nothing in it."""
    monkeypatch.setattr(facts, "CMDLINE", tmp_path / "cmdline")
    monkeypatch.setattr(facts, "SWAPS", tmp_path / "swaps")
    return tmp_path


def test_a_kernel_that_lists_no_swaps_has_none(proc: Path) -> None:
    (proc / "cmdline").write_text("quiet\n")
    assert kernel_facts().swap is Fact.OFF


def test_where_proc_cannot_be_seen_swap_is_unknown(proc: Path) -> None:
    assert list(proc.iterdir()) == []
    assert kernel_facts().swap is Fact.UNKNOWN


def test_a_list_that_cannot_be_read_is_unknown(proc: Path) -> None:
    (proc / "cmdline").write_text("quiet\n")
    (proc / "swaps").mkdir()
    assert kernel_facts().swap is Fact.UNKNOWN


def test_the_facts_of_this_kernel_can_be_read() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    assert kernel_facts().core_dumps is (Fact.OFF if hard == 0 else Fact.ON)
