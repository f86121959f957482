# SPDX-License-Identifier: Apache-2.0
"""The members of Intel's JSON: each limit is itself allowed, and one more is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from attest import FormatError
from attest.tdx.intel_json import HEX_MAX_BYTES, ITEMS_MAX, Members, read_json
from attest.tdx.status import ADVISORY_MAX_CHARACTERS
from attest.tdx.tcb_info import parse_tcb_info
from lab.mocktsm.intel_collateral import (
    DATE,
    GOOD_SGX,
    GOOD_TDX,
    level,
    platform_tcb,
    tcb_info,
)

MOST = 7

# What takes a value of some size, and the largest size.
LIMITED: dict[str, tuple[Callable[[int], object], int]] = {
    "number": (lambda size: Members("x", {"n": size}).whole("n", MOST), MOST),
    "number of an item": (
        lambda size: Members("x", {"n": [{"svn": size}]}).wholes("n", "svn", MOST),
        MOST,
    ),
    "hexadecimal": (
        lambda size: Members("x", {"n": "00" * size}).hexadecimal("n"),
        HEX_MAX_BYTES,
    ),
    "list": (lambda size: Members("x", {"n": [1] * size}).items("n"), ITEMS_MAX),
    "document": (lambda size: read_json(b"{}".ljust(size), "x", 64), 64),
}


@pytest.mark.parametrize("what", LIMITED)
def test_the_largest_is_taken_and_one_more_is_refused(what: str) -> None:
    take, most = LIMITED[what]
    take(most)
    with pytest.raises(FormatError, match=r"wanted (at most|0 to|objects with)"):
        take(most + 1)


def test_a_number_may_be_zero_and_is_not_less() -> None:
    assert Members("x", {"n": 0}).whole("n", MOST) == 0
    assert Members("x", {"n": [{"svn": 0}]}).wholes("n", "svn", MOST) == [0]
    with pytest.raises(FormatError):
        Members("x", {"n": -1}).whole("n", MOST)
    with pytest.raises(FormatError):
        Members("x", {"n": [{"svn": -1}]}).wholes("n", "svn", MOST)


def of_advisory(name: str) -> bytes:
    """TCB information with one level, to which one advisory applies."""
    tcb = platform_tcb(GOOD_SGX, GOOD_TDX, 13)
    return tcb_info(tcbLevels=[level("UpToDate", DATE, tcb, name)]).encode()


@pytest.mark.parametrize("name", ["A", "A" * ADVISORY_MAX_CHARACTERS])
def test_an_advisorys_name_is_taken_at_either_length(name: str) -> None:
    (found,) = parse_tcb_info(of_advisory(name)).levels
    assert found.rating.advisories == (name,)


@pytest.mark.parametrize("name", ["", "A" * (ADVISORY_MAX_CHARACTERS + 1)])
def test_an_advisorys_name_of_another_length_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        parse_tcb_info(of_advisory(name))
