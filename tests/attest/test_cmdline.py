# SPDX-License-Identifier: Apache-2.0
"""Command lines: what a kernel can be given, and what may have become of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.cmdline import CMDLINE_MAX_BYTES, check_cmdline, near, quoted
from attest.errors import FormatError

NO_SURROGATES = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize("text", ["", "console=ttyS0", "x" * (CMDLINE_MAX_BYTES - 1), "ä=1"])
def test_a_kernel_can_be_given(text: str) -> None:
    check_cmdline(text)


@pytest.mark.parametrize("text", ["a\0b", "x" * CMDLINE_MAX_BYTES, "ä" * (CMDLINE_MAX_BYTES // 2)])
def test_a_kernel_cannot_be_given(text: str) -> None:
    with pytest.raises(FormatError, match="wanted under 4096 bytes, no NUL"):
        check_cmdline(text)


def test_a_command_line_is_unicode() -> None:
    with pytest.raises(FormatError, match="not Unicode"):
        check_cmdline("a\udc80")


@given(NO_SURROGATES)
def test_what_is_near_is_another_text(text: str) -> None:
    assert text not in near(text)


def test_a_space_too_much_is_near() -> None:
    assert {"a b\n", "a b ", ""} <= set(near("a b"))
    assert "a b" in near(" a  b ")
    assert "quiet" in near('"quiet"')


def test_nothing_near_is_too_long() -> None:
    assert near("x" * (CMDLINE_MAX_BYTES - 1)) == ("",)


def test_what_is_invisible_is_quoted() -> None:
    assert quoted("a\n") == '"a\\n"'
