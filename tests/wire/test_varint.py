# SPDX-License-Identifier: Apache-2.0
"""Variable-length integers, with the examples of RFC 9000 §A.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.varint import VARINT_MAX, read_varint, varint_bytes, write_varint

EXAMPLES = {
    "c2197c5eff14e88c": 151288809941952652,
    "9d7f3e7d": 494878333,
    "7bbd": 15293,
    "25": 37,
}


@pytest.mark.parametrize(("encoded", "value"), EXAMPLES.items())
def test_the_rfc_examples_read_and_write(encoded: str, value: int) -> None:
    raw = bytes.fromhex(encoded)
    assert varint_bytes(raw[0]) == len(raw)
    assert read_varint(raw) == value
    assert write_varint(value) == raw


def test_a_longer_form_than_needed_reads_as_the_same_value() -> None:
    assert read_varint(bytes.fromhex("4025")) == 37


@pytest.mark.parametrize("value", [-1, VARINT_MAX + 1])
def test_a_value_out_of_range_is_not_written(value: int) -> None:
    with pytest.raises(ValueError, match="wanted 0 to"):
        write_varint(value)


@given(st.integers(0, VARINT_MAX))
def test_every_value_comes_back(value: int) -> None:
    encoded = write_varint(value)
    assert varint_bytes(encoded[0]) == len(encoded)
    assert read_varint(encoded) == value
