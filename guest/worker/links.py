# SPDX-License-Identifier: Apache-2.0
"""What in a text can be opened, called or rendered: links, long numbers, markup.

The rule: where it is doubtful, it is a link. There is no list of top-level domains here, so each
`name.word` is one; what a phone, a mail program or a browser would offer to open was found here.
Text is judged in a canonical form (`canonical`), so that full-width letters, a zero-width space or
a look-alike of a slash do not hide an address. Nothing here keeps state or does I/O.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

LOOKALIKES: Final = str.maketrans(
    {
        "\N{DIVISION SLASH}": "/",
        "\N{FRACTION SLASH}": "/",
        "\N{RATIO}": ":",
        "\N{LISU LETTER TONE MYA TI}": ".",
    }
)
"""Characters that NFKC leaves alone, though they can be read as part of an address."""

SCHEMES: Final = (
    *("about", "blob", "bitcoin", "data", "ethereum", "facetime", "file", "ftp", "geo", "http"),
    *("https", "intent", "javascript", "magnet", "mailto", "skype", "sms", "smsto", "tel", "tg"),
    *("vbscript", "view-source", "whatsapp"),
)
"""Schemes that open something, also without two slashes."""

FILE_ENDINGS: Final = frozenset(
    (
        *("avi", "bmp", "css", "csv", "doc", "docx", "exe", "gif", "htm", "html", "ini", "jpeg"),
        *("jpg", "js", "json", "log", "mpeg", "odp", "ods", "odt", "pdf", "png", "ppt", "pptx"),
        *("rar", "rtf", "svg", "tar", "tiff", "tsv", "txt", "wav", "xls", "xlsx", "xml", "yaml"),
    )
)
"""Last parts of a name that are no top-level domain: `plan.pdf` opens nothing."""

NUMBER_MIN_DIGITS: Final = 7
"""A shorter number is no telephone number that a program would offer to call."""

MARKUP: Final = str.maketrans(
    {
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
        "[": "(",
        "]": ")",
        "`": "'",
        "*": "\N{ASTERISK OPERATOR}",
        "|": "\N{DIVIDES}",
        "\\": "\N{SET MINUS}",
        "~": "\N{TILDE OPERATOR}",
    }
)
"""What CommonMark, its common extensions and HTML give a meaning, and what looks like it."""

LOW_LINE: Final = "\N{MODIFIER LETTER LOW MACRON}"
AMPERSAND: Final = "\N{FULLWIDTH AMPERSAND}"
AFTER_NUMBER: Final = {".": "\N{ONE DOT LEADER}", ")": "\N{SMALL RIGHT PARENTHESIS}"}

_ADDRESS: Final = re.compile(
    r"[^\s!\"#$&'()*,;<=>?\[\\\]^`{|}~\u2018-\u201f\u2039\u203a«»\u3001-\u301b]+"
)
"""Anything but what surely is no part of a name: hosts have letters of all scripts, and emoji."""
_OPENS: Final = re.compile(r"://|//[^/]|.@\w|www\.\w|(?<![a-z])https?:")
_SCHEME: Final = re.compile(rf"(?<![a-z])(?:{'|'.join(SCHEMES)}):(?=\S)")
_HOST: Final = re.compile(r"[^/@:+%]+")
_TOP_LEVEL: Final = re.compile(r"(?:[^\W\d_]{2,}+|xn--\w++)(?!\w)")
_IDEOGRAPHIC_DOT: Final = re.compile(r"(?<=[a-z0-9])\u3002(?=[a-z0-9])")
"""A dot to a browser; between other letters it ends a sentence."""
_ENDS: Final = re.compile(r"[\s\"<>«»“”„\u3001-\u301b\uff01\uff08\uff09\uff0c\uff1b\uff1f]")
"""Where an address ends for certain; Chinese and Japanese sentences need no spaces."""
_TRAIL: Final = ".,;:!?)'\u2019…"

_NUMBER: Final = re.compile(r"\d[\d().\-/]*")
_DATE: Final = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}")
_NUMBER_WORD: Final = re.compile(r"[(+]*\d[\d().\-/+]*|[-()/.+]+")

_EDGE: Final = re.compile(r"(?<!\w)_++|(?<!_)_++(?!\w)")
_ENTITY: Final = re.compile(r"&(?=#?\w+;)")
_BULLET: Final = re.compile(r"[-+=#]+")
_NUMBERED: Final = re.compile(r"(\d{1,9})([.)])")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a word, from `start` up to but without `end`, in characters."""

    start: int
    end: int


def canonical(word: str) -> tuple[str, list[int]]:
    """The characters that count, in one spelling, and where in `word` each of them stands."""
    kept: list[str] = []
    places: list[int] = []
    for place, char in enumerate(word):
        spelled = unicodedata.normalize("NFKC", char)
        if " " in spelled:
            spelled = char  # an accent by itself is no gap in a word
        for piece in spelled.translate(LOOKALIKES).casefold():
            if unicodedata.category(piece)[0] not in "MC":
                digit = unicodedata.decimal(piece, None)
                kept.append(piece if digit is None else str(digit))
                places.append(place)
    return _IDEOGRAPHIC_DOT.sub(".", "".join(kept)), places


def find_links(word: str) -> Iterator[Span]:
    """The parts of a word that a program could open, without the sentence's own marks."""
    text, places = canonical(word)
    found = [run.span() for run in _ADDRESS.finditer(text) if _is_address(run[0])]
    found += [scheme.span() for scheme in _SCHEME.finditer(text)]
    end = 0
    for first, last in sorted(found):
        start, least = places[first], places[last - 1] + 1
        if start < end:
            continue
        stop = _ENDS.search(word, least)
        end = stop.start() if stop else len(word)
        yield Span(start, start + len(word[start:end].rstrip(_TRAIL)))


def find_numbers(word: str) -> Iterator[tuple[Span, str]]:
    """The long numbers within a word, and their digits; a date is none."""
    text, places = canonical(word)
    for number in _NUMBER.finditer(text):
        found = number[0].rstrip("().-/")
        digits = "".join(filter(str.isdecimal, found))
        if len(digits) >= NUMBER_MIN_DIGITS and not _DATE.fullmatch(found):
            yield Span(places[number.start()], places[number.start() + len(found) - 1] + 1), digits


def number_word(word: str) -> str | None:
    """The digits of a word that can be part of a number written in several words, or None.

    A date ends such a number. A word of number punctuation alone has no digits and is one.
    """
    text = canonical(word)[0].rstrip(_TRAIL)
    if not _NUMBER_WORD.fullmatch(text) or _DATE.fullmatch(text):
        return None
    return "".join(filter(str.isdecimal, text))


def plain(word: str) -> str:
    """`word` with look-alikes in place of the characters that are markup, one for one."""
    word = word.translate(MARKUP)
    word = _EDGE.sub(lambda found: LOW_LINE * len(found[0]), word)
    return _ENTITY.sub(AMPERSAND, word)


def plain_first(word: str) -> str:
    """`plain`, for the first word of a line, which may be a heading's or a list's; may be empty."""
    if _BULLET.fullmatch(word):
        return ""
    if numbered := _NUMBERED.fullmatch(word):
        return numbered[1] + AFTER_NUMBER[numbered[2]]
    return plain(word)


def _is_address(run: str) -> bool:
    """Whether a run of characters that addresses are made of is, or holds, one."""
    hosts = (host[0].split(".") for host in _HOST.finditer(run))
    return bool(_OPENS.search(run)) or any(map(_is_host, hosts))


def _is_host(labels: list[str]) -> bool:
    """Whether the parts of a name, between its dots, name a host."""
    if len(labels) == 4 and all(label.isdecimal() and len(label) <= 3 for label in labels):
        return True
    if len(labels) > 1 and labels[-1] in FILE_ENDINGS:
        labels = labels[:-1]
    return any(left.strip("-_") and _TOP_LEVEL.match(right) for left, right in pairwise(labels))
