# SPDX-License-Identifier: Apache-2.0
"""What is measured, and why two measurements differ: the words for it, the same for each platform.

A measurement is a hash, so a difference cannot be read from it. Either a changed input is found
that gives exactly what was got, and then it is the cause as surely as the hash is a hash; or the
search ends, and what it could not try is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that is measured.

    Attributes:
        name: what it is.
        value: what it says, where people can read it; otherwise empty.
        digest: the hash under which it goes into the measurement, in hexadecimal; empty where
            the value itself goes into a structure.
    """

    name: str
    value: str
    digest: str


class Proof(StrEnum):
    """How sure a hypothesis is."""

    REPRODUCED = "reproduced"  # with these changes the measurement is what was got
    POSSIBLE = "possible"  # it cannot be tried, and nothing that was tried explains it


@dataclass(frozen=True, slots=True)
class Change:
    """An input that is another than expected; ``got`` is empty when nobody can tell."""

    name: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One explanation. Those of a list are ranked, the likeliest first.

    Attributes:
        proof: how sure it is.
        changes: what is different, all of it at once.
        why: what speaks for it.
    """

    proof: Proof
    changes: tuple[Change, ...]
    why: str
