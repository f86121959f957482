# SPDX-License-Identifier: Apache-2.0
"""Buckets: only their sizes are ever seen, and what is inside stays the same."""

from collections.abc import Callable

import pytest

from wire.bhttp import Request, parse_request, write_request
from wire.errors import FormatError
from wire.padding import (
    REQUEST_BUCKETS_BYTES,
    RESPONSE_BUCKETS_BYTES,
    pad_answer,
    pad_request,
)

CASES = [(pad_request, REQUEST_BUCKETS_BYTES), (pad_answer, RESPONSE_BUCKETS_BYTES)]
Pad = Callable[[bytes], bytes]


@pytest.mark.parametrize(("pad", "buckets"), CASES)
def test_the_smallest_bucket_that_holds_it_is_taken(pad: Pad, buckets: tuple[int, ...]) -> None:
    before = 0
    for bucket in buckets:
        assert len(pad(b"x" * (before + 1))) == bucket
        assert len(pad(b"x" * bucket)) == bucket
        before = bucket


@pytest.mark.parametrize(("pad", "buckets"), CASES)
def test_more_than_the_largest_bucket_is_refused(pad: Pad, buckets: tuple[int, ...]) -> None:
    with pytest.raises(FormatError, match=f"wanted {buckets[-1]} bytes or fewer"):
        pad(bytes(buckets[-1] + 1))


@pytest.mark.parametrize("indeterminate", [False, True])
def test_a_padded_request_is_the_same_request(indeterminate: bool) -> None:
    request = Request("POST", "https", "a.example", "/v1", (), b"body")
    assert (
        parse_request(pad_request(write_request(request, indeterminate=indeterminate))) == request
    )
