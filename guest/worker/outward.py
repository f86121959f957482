# SPDX-License-Identifier: Apache-2.0
"""The last thing an answer passes: it lets nothing out that could be opened, called or rendered.

The rule: a link, a long number, markup or an invisible character stands in an answer only where the
request carried the very same (`Carried`). What the rule is about is in `guest.worker.links`.

A summary carries no link and no markup at all, not even one of the chat: it speaks with the voice
of the user's own device, and would lend that voice to whoever put the link into the chat, where the
user still finds it, beside its sender. A rewritten text is the user's own, and keeps what it had.

`Outward` is sans-I/O, fed piece by piece; it judges whole words, so the pieces decide nothing, and
what was given out is final. It runs after `guest.worker.clean.Cleaner`, so that nothing the cleaner
takes away can join two halves of a link. Its text is never longer than what came in.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from guest.worker.clean import Cleaner, EmptyReason
from guest.worker.links import (
    NUMBER_MIN_DIGITS,
    find_links,
    find_numbers,
    number_word,
    plain,
    plain_first,
)

ELISION: Final = "…"
"""Stands where a link or a number was, so that the reader sees that something is left out."""

JOINERS: Final = frozenset("\u200c\u200d\ufe0e\ufe0f")
"""Invisible, but part of words in some scripts, and of emoji."""

BLANKS: Final = frozenset(
    chr(code)
    for code in (
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
    )
)
"""Shown as nothing, though no format characters by category (Default_Ignorable, and U+2800)."""

IGNORABLE_PLANE: Final = 14
"""Unicode's plane of tags and variation selectors; nothing in it is ever seen."""

UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs"})
"""Categories that are never let out, `JOINERS` apart."""


NUMBER_ENDS: Final = ",;:!?."
"""Behind one of these, the digits of the next word are another number's."""


class EmptyAnswerError(Exception):
    """Nothing of the model's output may be shown."""

    def __init__(self, reason: EmptyReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Carried:
    """What the request carried, of the kinds that are let out only if it did.

    Attributes:
        words: The author's own words, which may be repeated with their markup.
        links: The author's own links.
        digits: The digits of each number that was read, between spaces.
        characters: Invisible and unassigned characters that were read.
    """

    words: frozenset[str] = field(repr=False)
    links: frozenset[str] = field(repr=False)
    digits: str = field(repr=False)
    characters: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, read: str, *, own: str = "") -> "Carried":
        """What a request carried: all that was read, and of it the author's own text."""
        words = own.split()
        links = {word[at.start : at.end] for word in words for at in find_links(word)}
        rare = {char for char in set(read) if char in JOINERS or unicodedata.category(char) == "Cn"}
        return cls(frozenset(words), frozenset(links), _digits(read.split()), frozenset(rare))


class Outward:
    """Lets words through, as they came or made harmless."""

    def __init__(self, carried: Carried) -> None:
        self._carried = carried
        self._word = ""
        self._gap = ""  # white space before the word at hand, one character
        self._line_starts = True
        self._number: list[tuple[str, str]] = []  # words of a number, each with its gap
        self._said_digits = ""
        self.given = 0

    def push(self, piece: str) -> str:
        """The text that is final after this piece; often empty."""
        out = ""
        for char in piece:
            if char.isspace():
                out += self._close()
                self._gap = "\n" if "\n" in (char, self._gap) else " "
            elif self._may_be_seen(char):
                self._word += char
        return self._give(out)

    def finish(self) -> str:
        """The rest, when nothing follows any more."""
        return self._give(self._close() + self._close_number())

    def _may_be_seen(self, char: str) -> bool:
        if char in JOINERS:
            behind = self._word[-2:]  # an emoji may need two in a row
            return not JOINERS.issuperset(behind) and self._carries(char)
        category = unicodedata.category(char)
        if category in UNSEEN or char in BLANKS or ord(char) >> 16 == IGNORABLE_PLANE:
            return False
        return category != "Cn" or self._carries(char)

    def _carries(self, char: str) -> bool:
        return char in self._carried.characters

    def _close(self) -> str:
        """Ends the word at hand: it goes out, or waits because a number may go on."""
        word, self._word = self._word, ""
        if not word:
            return ""
        digits = number_word(word)
        if digits is None or not (digits or self._number):
            return self._close_number() + self._say(word)
        out = self._close_number() if "\n" in self._gap else ""
        self._number.append((self._gap, word))
        self._gap = ""
        self._said_digits += digits
        return out + (self._close_number() if word[-1] in NUMBER_ENDS else "")

    def _close_number(self) -> str:
        """Says the number that waited, if the request carried it or it is short."""
        words, self._number = self._number, []
        digits, self._said_digits = self._said_digits, ""
        gap_after = self._gap
        out = ""
        if len(digits) < NUMBER_MIN_DIGITS or digits in self._carried.digits:
            for self._gap, word in words:
                out += self._say(word)
        elif words:
            self._gap = words[0][0]
            tail = words[-1][1]
            out = self._put(ELISION + tail[len(tail.rstrip(NUMBER_ENDS)) :])
        self._gap = gap_after
        return out

    def _say(self, word: str) -> str:
        """One word, made harmless unless the author wrote the same."""
        if word not in self._carried.words and word.rstrip(".,;!?") not in self._carried.words:
            word = plain_first(word) if self._line_starts or "\n" in self._gap else plain(word)
            word = self._without_numbers(self._without_links(word))
            word = plain(self._without_links(word))  # what was inside may be at an edge now
        return self._put(word) if word else ""

    def _put(self, word: str) -> str:
        """`word` behind its gap; the first word of an answer has none."""
        gap, self._gap = self._gap, ""
        started, self._line_starts = self._line_starts, False
        return word if started else gap + word

    def _without_links(self, word: str) -> str:
        for at in reversed([*find_links(word)]):
            if word[at.start : at.end] not in self._carried.links:
                word = word[: at.start] + ELISION + word[at.end :]
        return word

    def _without_numbers(self, word: str) -> str:
        for at, digits in reversed([*find_numbers(word)]):
            if digits not in self._carried.digits:
                word = word[: at.start] + ELISION + word[at.end :]
        return word

    def _give(self, text: str) -> str:
        self.given += len(text)
        return text


def shown(
    pieces: Iterable[str], *, begins: str = "", max_chars: int, carried: Carried
) -> Iterator[str]:
    """The answer to show, made of a model's output, piece by piece: cleaned, bounded, harmless.

    `begins` is how the answer begins; `pieces` go on from there, and alone count as something said.

    Raises:
        EmptyAnswerError: there is none.
    """
    cleaner, outward = Cleaner(max_chars), Outward(carried)
    spoke = False
    if text := outward.push(cleaner.push(begins)):
        yield text
    for piece in pieces:
        spoke = spoke or bool(piece.strip())
        if text := outward.push(cleaner.push(piece)):
            yield text
        if cleaner.ended:
            break
    last, reason = cleaner.finish()
    text = outward.push(last) + outward.finish()
    if not (spoke and outward.given):
        raise EmptyAnswerError(reason or (EmptyReason.ONLY_UNSEEN if spoke else EmptyReason.SILENT))
    if text:
        yield text


def _digits(words: Iterable[str]) -> str:
    """The digits of every number in a text, between spaces."""
    numbers, running = [""], False
    for word in words:
        digits = number_word(word)
        if digits is None:
            numbers += [found for _, found in find_numbers(word)]
            running = False
            continue
        numbers[-1:] = [numbers[-1] + digits] if running else [numbers[-1], digits]
        running = word[-1] not in NUMBER_ENDS
    return " ".join(numbers)
