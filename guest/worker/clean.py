# SPDX-License-Identifier: Apache-2.0
"""What leaves the model becomes an answer here: cleaned, bounded, never silently empty.

Three sans-I/O filters, each fed piece by piece. `StopFilter` (used by the engine) ends the text at
a stop string and never lets half of one out. `Cleaner` removes template tokens and characters that
steer a terminal, bounds the length, and ends the answer when it starts to go round in circles.
`Repetition` is the rule for that; its table says how many copies of a phrase are allowed.

What may still change is held back; what was given out is final.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

TEMPLATE_TOKEN = re.compile(
    r"<\|[a-z_]{1,24}\|>(?:(?:system|user|assistant)\b\n?)?|</?s>|\[/?INST\]|<(?:unk|bos|eos|pad)>"
)
"""Chat-template marks as text, in the spellings of the common model families."""

MARK_MAX_CHARS = 40
"""No template mark is longer: an open `<` or `[` holds the text back for at most this long."""

MARK_START = re.compile(r"(?:<[|/a-z_]*|\[[/A-Z]*)\Z|<\|[a-z_]*\|>[a-z]*\Z")
"""Text at the end that may still grow into a template mark."""

STEERING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Invisible characters that change the direction in which the rest is shown."""

COPIES_ALLOWED = ((1, 1, 3), (2, 5, 2), (6, 40, 1))
"""Rows of (shortest phrase, longest phrase, copies in a row allowed), phrases in words."""


class EmptyReason(StrEnum):
    """Why there is no answer at all."""

    SILENT = "the model ended at once"
    ONLY_SPACE = "the model wrote only white space"
    ONLY_TEMPLATE = "the model wrote only template tokens"
    ONLY_UNSEEN = "the model wrote only what is not shown"


class Cut(StrEnum):
    """Why the cleaner, not the model, ended the answer."""

    REPETITION = "repetition"
    LENGTH = "length"


@dataclass(slots=True)
class StopFilter:
    """Lets text through up to the first stop string."""

    stops: tuple[str, ...]
    stopped: bool = False
    _held: str = ""

    def push(self, piece: str) -> str:
        """The text that is certain not to belong to a stop string."""
        if self.stopped:
            return ""
        self._held += piece
        found = [at for stop in self.stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            return self._take(min(found))
        return self._take(len(self._held) - self._open_chars())

    def finish(self) -> str:
        """What was held back, when nothing follows any more."""
        return "" if self.stopped else self._take(len(self._held))

    def _take(self, chars: int) -> str:
        taken, self._held = self._held[:chars], self._held[chars:]
        return taken

    def _open_chars(self) -> int:
        longest = max((len(stop) for stop in self.stops), default=0) - 1
        for chars in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-chars:]) for stop in self.stops):
                return chars
        return 0


@dataclass(slots=True)
class Repetition:
    """Counts, word by word, how far the text repeats itself; see `COPIES_ALLOWED`."""

    _words: list[str] = field(default_factory=list)
    _run: dict[int, int] = field(default_factory=dict)

    def add(self, word: str) -> tuple[int, bool]:
        """(words at the end that belong to a copy too many, whether that copy is complete)."""
        self._words.append(word.casefold().strip(".,;:!?\"'()"))
        surplus, complete = 0, False
        for shortest, longest, copies in COPIES_ALLOWED:
            for period in range(shortest, min(longest, len(self._words) - 1) + 1):
                same = self._words[-1] == self._words[-1 - period]
                self._run[period] = run = self._run.get(period, 0) + 1 if same else 0
                over = run - (copies - 1) * period
                surplus = max(surplus, over)
                complete = complete or over >= period
        return surplus, complete


class Cleaner:
    """Turns pieces of model output into an answer of at most `max_chars` characters."""

    def __init__(self, max_chars: int) -> None:
        self.max_chars = max_chars
        self.cut: Cut | None = None
        self._marks = ""
        self._words: list[str] = []
        self._word = ""
        self._given = 0
        self._saw_space = self._saw_mark = False
        self._repetition = Repetition()

    @property
    def ended(self) -> bool:
        """True when the answer is complete whatever the model would still write."""
        return self.cut is not None

    def push(self, piece: str) -> str:
        """The text that is final after this piece; often empty."""
        if self.ended:
            return ""
        self._marks += piece
        open_mark = MARK_START.search(self._marks, max(0, len(self._marks) - MARK_MAX_CHARS))
        keep = open_mark.start() if open_mark else len(self._marks)
        sure, self._marks = self._marks[:keep], self._marks[keep:]
        return self._give(self._take(sure))

    def finish(self) -> tuple[str, EmptyReason | None]:
        """The last text, and the reason if the whole answer is empty."""
        last = ""
        if not self.ended:
            last = self._give(self._take(self._marks) + self._close_word(end=True))
        if self._given:
            return last, None
        if self._saw_mark:
            return "", EmptyReason.ONLY_TEMPLATE
        return "", EmptyReason.ONLY_SPACE if self._saw_space else EmptyReason.SILENT

    def _take(self, text: str) -> str:
        """Words of `text` that are free to go; the last one waits until it is complete."""
        plain = TEMPLATE_TOKEN.sub("", text)
        self._saw_mark = self._saw_mark or plain != text
        free = ""
        for char in plain:
            if char.isspace():
                self._saw_space = True
                free += self._close_word()
                if self.ended:
                    break
                self._word += "\n" if char == "\n" else " "
            elif unicodedata.category(char) != "Cc" and char not in STEERING:
                self._word += char
        return free

    def _close_word(self, *, end: bool = False) -> str:
        """Ends the word at hand: it goes out, waits, or ends the answer."""
        if self._word.strip():
            self._words.append(self._word)
            self._word = ""
            surplus, complete = self._repetition.add(self._words[-1].strip())
            if complete:
                self.cut = Cut.REPETITION
                del self._words[-surplus:]
                surplus = 0
        else:
            surplus = len(self._words)
        waiting = 0 if end or self.ended else min(surplus, len(self._words))
        free = self._words[: len(self._words) - waiting]
        del self._words[: len(free)]
        return "".join(free)

    def _give(self, text: str) -> str:
        """`text` within the length that is left, without leading white space at the start."""
        if not self._given:
            text = text.lstrip()
        room = self.max_chars - self._given
        if len(text) > room:
            self.cut = self.cut or Cut.LENGTH
            text = text[:room].rstrip()
        self._given += len(text)
        return text
