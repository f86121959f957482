# SPDX-License-Identifier: Apache-2.0
"""A small model drifts from what it was given; its answer is drawn back to the request's words.

Each token that spells a word of the request gains something on the model's score (a logit), as
often as the word stands there; then the best token is taken, as always. Without the count a small
model goes round in its favourite words. The gain is measured by `python -m bench.models`.
"""

import re
from collections import Counter
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass, field
from typing import Any

from guest.worker.binding import Tokens

_WORD = re.compile(r"\w+")
_SPELLS_WORD = re.compile(rb"[0-9A-Za-z\x80-\xff]")

Tokenize = Callable[[str], Tokens]


@dataclass(frozen=True, slots=True)
class Source:
    """The text to whose words an answer is drawn, and what they gain on their score."""

    text: str = field(repr=False)
    gain: float


NO_SOURCE = Source("", 0.0)


class Pull:
    """How often each token may still draw the answer to itself."""

    def __init__(self, source: Source, tokenize: Tokenize, spell: Callable[[int], bytes]) -> None:
        """Counts the words of `source`; `spell` gives the bytes of a token."""
        self._gain = source.gain
        self._left = Counter(t for t in tokenize(source.text) if _SPELLS_WORD.search(spell(t)))
        for word in set(_WORD.findall(source.text)):
            for form in _forms(word):
                tokens = tokenize(form)
                if len(tokens) == 1:
                    self._left[tokens[0]] = max(1, self._left[tokens[0]])

    def apply(self, scores: MutableSequence[float] | Any) -> None:
        """Adds the pull to the scores of the next token, in place."""
        for token in self._left:
            scores[token] += self._gain

    def taken(self, token: int) -> None:
        """Notes that the answer went on with `token`."""
        if token in self._left:
            self._left[token] -= 1
            if not self._left[token]:
                del self._left[token]


def _forms(word: str) -> set[str]:
    """The ways in which an answer may write a word that it takes over."""
    return {word, f" {word}", f" {word.lower()}", f" {word.capitalize()}"}
