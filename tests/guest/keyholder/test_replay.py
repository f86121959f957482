# SPDX-License-Identifier: Apache-2.0
"""Each encapsulation once; a full cache refuses and forgets nothing."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from guest.keyholder.replay import ReplayCache, Seen


def test_the_first_of_many_copies_is_new_and_no_other() -> None:
    cache = ReplayCache(10)
    assert [cache.enter(b"enc") for _ in range(100)] == [Seen.NEW] + [Seen.BEFORE] * 99


def test_one_of_many_copies_at_once_is_new() -> None:
    cache = ReplayCache(10)
    with ThreadPoolExecutor(8) as pool:
        seen = Counter(pool.map(cache.enter, [b"enc"] * 400))
    assert seen == {Seen.NEW: 1, Seen.BEFORE: 399}


def test_a_full_cache_refuses_what_it_cannot_remember() -> None:
    cache = ReplayCache(2)
    assert [cache.enter(enc) for enc in (b"1", b"2", b"3")] == [Seen.NEW, Seen.NEW, Seen.FULL]
    assert cache.enter(b"3") is Seen.FULL


def test_a_full_cache_has_forgotten_nothing() -> None:
    cache = ReplayCache(2)
    for enc in (b"1", b"2", b"3", b"4"):
        cache.enter(enc)
    assert [cache.enter(b"1"), cache.enter(b"2")] == [Seen.BEFORE, Seen.BEFORE]


@given(st.lists(st.binary(max_size=3)), st.integers(1, 8))
def test_no_encapsulation_is_ever_new_twice(encs: list[bytes], entries_max: int) -> None:
    cache = ReplayCache(entries_max)
    new = [enc for enc in encs if cache.enter(enc) is Seen.NEW]
    assert len(new) == len(set(new)) == min(entries_max, len(set(encs)))
