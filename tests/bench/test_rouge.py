# SPDX-License-Identifier: Apache-2.0
"""Tests of `bench.rouge`; the numbers are worked out by hand."""

import pytest

from bench.rouge import Rouge, rouge


def test_equal_texts_agree_in_full() -> None:
    assert rouge("The cat sat.", ["the cat sat"]) == Rouge(1, 1, 1)


def test_texts_without_a_common_word_do_not_agree() -> None:
    assert rouge("a b", ["c d"]) == Rouge(0, 0, 0)


def test_an_empty_text_agrees_with_nothing() -> None:
    assert rouge("", ["c d"]) == Rouge(0, 0, 0)


def test_words_pairs_and_longest_common_subsequence_are_counted() -> None:
    got = rouge("police killed the gunman", ["police kill the gunman today"])
    assert got.one == pytest.approx(2 * 3 / 9)
    assert got.two == pytest.approx(2 * 1 / 7)
    assert got.longest == pytest.approx(2 * 3 / 9)


def test_order_counts_only_for_pairs_and_subsequence() -> None:
    got = rouge("b a", ["a b"])
    assert (got.one, got.two, got.longest) == (1, 0, 0.5)


def test_the_best_reference_counts() -> None:
    assert rouge("a b", ["c d", "a b"]) == Rouge(1, 1, 1)
