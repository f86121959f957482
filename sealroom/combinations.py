# SPDX-License-Identifier: Apache-2.0
"""Which options of a command make sense together: one row for each combination.

A row is named by one option. What is given must be exactly one row's; what is not is told with all
rows of the option that names them, so that nobody has to guess.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_ABSENT: tuple[object, ...] = (None, [], False)


@dataclass(frozen=True, slots=True)
class Combination:
    """The option that names it (empty for none), those that it needs, and those it may have."""

    option: str
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()

    def fits(self, given: set[str]) -> bool:
        """Whether this is what was given, no more and no less."""
        least = {self.option, *self.needs} - {""}
        return least <= given <= least | {*self.may}

    @property
    def text(self) -> str:
        """What goes with its option, for people."""
        words = [*map(spell, self.needs), *(f"[{spell(word)}]" for word in self.may)]
        return " ".join(words) or "nothing else"


# Options that are spelled otherwise than `argparse` names them.
_SPELLED = {"file": "EVIDENCE", "evidence": "--from"}


def spell(word: str) -> str:
    """How an option stands on the command line."""
    return _SPELLED.get(word, f"--{word}")


def given_options(args: argparse.Namespace, rows: Iterable[Combination]) -> set[str]:
    """Those options of the rows that were given."""
    words = {word for row in rows for word in (row.option, *row.needs, *row.may)} - {""}
    return {word for word in words if getattr(args, word, None) not in _ABSENT}


def wrong_options(args: argparse.Namespace, rows: Sequence[Combination]) -> str:
    """What is wrong with what was given, for people; empty for nothing."""
    given = given_options(args, rows)
    if any(row.fits(given) for row in rows):
        return ""
    names = list(dict.fromkeys(row.option for row in rows if row.option))
    named = next((name for name in names if name in given), None)
    if named is None:
        return f"wanted one of {', '.join(map(spell, names))}"
    wanted = " or ".join(row.text for row in rows if row.option == named)
    got = " ".join(sorted(map(spell, given - {named}))) or "nothing else"
    return f"{spell(named)} goes with {wanted}, got {got}"
