# SPDX-License-Identifier: Apache-2.0
"""Tests of `guest.worker.pull`, with a vocabulary of five words."""

import ctypes

from guest.worker.binding import Tokens
from guest.worker.pull import NO_SOURCE, Pull, Source

GAIN = 2.0
VOCABULARY = ["Ana", " Ana", " lake", " Lake", "."]


def tokenize(text: str) -> Tokens:
    """Greedy: the longest word of the vocabulary at each place; what fits none is left out."""
    found = []
    while text:
        fitting = [word for word in VOCABULARY if text.startswith(word)]
        word = max(fitting, key=len, default=text[0])
        if fitting:
            found.append(VOCABULARY.index(word))
        text = text[len(word) :]
    return (ctypes.c_int32 * len(found))(*found)


def spell(token: int) -> bytes:
    return VOCABULARY[token].encode()


def scores(pull: Pull) -> list[float]:
    row = [0.0] * len(VOCABULARY)
    pull.apply(row)
    return row


def test_words_of_the_source_gain_in_each_form_and_marks_do_not() -> None:
    assert scores(Pull(Source("Ana lake.", GAIN), tokenize, spell)) == [GAIN, GAIN, GAIN, GAIN, 0]


def test_a_word_gains_as_often_as_it_stands_there() -> None:
    pull = Pull(Source("Ana lake lake", GAIN), tokenize, spell)
    lake = VOCABULARY.index(" lake")
    gains = []
    for _ in range(3):
        gains.append(scores(pull)[lake])
        pull.taken(lake)
    assert gains == [GAIN, GAIN, 0]


def test_nothing_gains_without_a_source() -> None:
    assert scores(Pull(NO_SOURCE, tokenize, spell)) == [0] * len(VOCABULARY)
