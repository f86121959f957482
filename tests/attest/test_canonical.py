# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON: a document is its own canonical bytes, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.canonical import read_canonical, write_canonical

MOST = 20000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_a_document_reads_back_as_written(value: Any) -> None:
    assert read_canonical(write_canonical(value), "test", 2**20) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" {}",
        b"{}\n",
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a": 1}',
        b'{"a":"\\u0062"}',
        b'{"a":"\\/"}',
        b"1.5",
        b"1e3",
        b"1.0",
        b"-0",
        b"NaN",
        b"Infinity",
        b"9007199254740992",
        b"1" * 5000,
        b'"\\ud800"',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"[" * 15000,
        b"[" * 5000 + b"]" * 5000,
        b"[],",
    ],
)
def test_another_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_canonical(data, "test", MOST)


def test_a_document_has_a_limit() -> None:
    assert read_canonical(b"[]", "test", 2) == []
    with pytest.raises(FormatError, match="at most 2 bytes, got 3"):
        read_canonical(b"[0]", "test", 2)


@given(st.binary(max_size=64))
def test_any_bytes_give_a_value_or_a_format_error(data: bytes) -> None:
    try:
        assert write_canonical(read_canonical(data, "test", MOST)) == data
    except FormatError as error:
        assert error.what == "test"
