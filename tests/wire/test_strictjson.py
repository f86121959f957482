# SPDX-License-Identifier: Apache-2.0
"""Strict JSON: what RFC 8259 leaves open is closed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.errors import FormatError
from wire.strictjson import JSON_DEPTH_MAX, load_json, write_json


def load(data: bytes) -> object:
    return load_json(data, what="test", max_bytes=1000)


REFUSED = {
    "a name that stands twice": (b'{"a":1,"a":1}', "stands twice"),
    "a name that stands twice inside": (b'[{"a":1,"b":2,"a":1}]', "stands twice"),
    "a fraction": (b"1.0", "no integer"),
    "an exponent": (b"1e2", "no integer"),
    "not a number": (b"NaN", "no integer"),
    "infinity": (b"-Infinity", "no integer"),
    "a byte order mark": (b"\xef\xbb\xbf1", "not JSON"),
    "UTF-16": ("1".encode("utf-16"), "not UTF-8"),
    "a byte that is no UTF-8": (b'"\xff"', "not UTF-8"),
    "an overlong UTF-8 form": (b'"\xc0\xaf"', "not UTF-8"),
    "two values": (b"1 2", "not JSON"),
    "a trailing comma": (b"[1,]", "not JSON"),
    "single quotes": (b"'a'", "not JSON"),
    "an unknown escape": (rb'"\x"', "not JSON"),
    "a line end in a string": (b'"a\nb"', "not JSON"),
    "a string without an end": (b'"a', "not JSON"),
    "nothing": (b"", "not JSON"),
    "digits without end": (b"1" * 5000, "bytes or fewer"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused(what: str) -> None:
    raw, problem = REFUSED[what]
    with pytest.raises(FormatError, match=problem):
        load(raw)


def test_an_integer_of_too_many_digits_is_refused() -> None:
    with pytest.raises(FormatError, match="digits"):
        load_json(b"1" * 5000, what="test", max_bytes=10000)


def test_depth_is_limited() -> None:
    deep = b"[" * JSON_DEPTH_MAX + b"]" * JSON_DEPTH_MAX
    load(deep)
    with pytest.raises(FormatError, match=f"deeper than {JSON_DEPTH_MAX}"):
        load(b"[" + deep + b"]")


def test_brackets_in_strings_have_no_depth() -> None:
    text = '[{"' * 20 + '\\"[' * 20
    assert load(json.dumps([text]).encode()) == [text]


def test_an_error_says_where_in_bytes() -> None:
    with pytest.raises(FormatError) as caught:
        load('["é" x]'.encode())
    assert caught.value.offset == 6


def test_many_quotes_without_an_end_take_linear_time() -> None:
    """A quadratic search would need hours for this."""
    with pytest.raises(FormatError, match="not JSON"):
        load_json(rb"\"" * 500_000, what="test", max_bytes=10**6)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_is_written_loads(value: object) -> None:
    written = write_json(value)
    try:
        assert load_json(written, what="test", max_bytes=10**6) == value
    except FormatError as error:
        assert error.problem == f"deeper than {JSON_DEPTH_MAX}"


@given(st.binary(max_size=60))
def test_any_bytes_load_or_give_a_format_error(data: bytes) -> None:
    try:
        load(data)
    except FormatError:
        return
