# SPDX-License-Identifier: Apache-2.0
"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin, 2004) as F1, on lower-case words without stemming."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rouge:
    """Agreement of a text with a reference, each from 0 to 1."""

    one: float
    two: float
    longest: float


def rouge(text: str, references: Iterable[str]) -> Rouge:
    """The best agreement with any reference, for each measure by itself."""
    words = _words(text)
    others = [_words(reference) for reference in references]
    return Rouge(
        one=max(_overlap(words, other, 1) for other in others),
        two=max(_overlap(words, other, 2) for other in others),
        longest=max(
            _f1(_common_subsequence(words, other), len(words), len(other)) for other in others
        ),
    )


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _f1(hits: int, ours: int, theirs: int) -> float:
    return 2 * hits / (ours + theirs) if hits else 0.0


def _overlap(words: list[str], other: list[str], size: int) -> float:
    ours, theirs = (
        Counter(zip(*(text[at:] for at in range(size)), strict=False)) for text in (words, other)
    )
    return _f1((ours & theirs).total(), ours.total(), theirs.total())


def _common_subsequence(words: list[str], other: list[str]) -> int:
    above = [0] * (len(other) + 1)
    for word in words:
        row = [0]
        for at, match in enumerate(other):
            row.append(above[at] + 1 if word == match else max(above[at + 1], row[at]))
        above = row
    return above[-1]
