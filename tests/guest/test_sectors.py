# SPDX-License-Identifier: Apache-2.0
"""A text comes off a disk as it was laid on it, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.sectors import SECTOR_BYTES, sectors, without_filling

MOST = 4 * SECTOR_BYTES


def test_a_text_comes_as_it_is_without_what_fills_its_sector() -> None:
    for size in (1, 511, 512, 513, MOST):
        text = b"y" * size
        assert without_filling(text + bytes(-size % SECTOR_BYTES), MOST) == text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(SECTOR_BYTES),
        b"y" * SECTOR_BYTES + bytes(SECTOR_BYTES),
        b"y",
        b"y\0y" + bytes(SECTOR_BYTES - 3),
        b"\0y" + bytes(SECTOR_BYTES - 2),
        b"y" * (MOST + SECTOR_BYTES),
    ],
    ids=["nothing", "empty", "another sector", "cut", "inside", "before", "long"],
)
def test_another_filling_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="wanted"):
        without_filling(data, MOST)


@given(st.binary(max_size=2 * SECTOR_BYTES))
def test_whatever_is_accepted_fills_up_to_the_same_bytes_again(data: bytes) -> None:
    try:
        text = without_filling(data, MOST)
    except ValueError:
        return
    assert text + bytes(-len(text) % SECTOR_BYTES) == data


def test_sectors_are_counted_up() -> None:
    assert [sectors(size) for size in (0, 1, 512, 513)] == [0, 1, 1, 2]
