# SPDX-License-Identifier: Apache-2.0
"""What an explanation of a disagreement is; the rows are in `rows_snp` and `rows_tdx`.

A row covers one peer and one side of the difference: our reasons where we alone refuse, the peer's
words where it alone does. docs/differential.md is written from these rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from attest import Reason
from tests.differential.peers import Peer


class Side(StrEnum):
    """Who refuses."""

    WE_REFUSE = "only we refuse"
    THEY_REFUSE = "only they refuse"
    RATED_APART = "another rating"


class Right(StrEnum):
    """Whose verdict the specification supports."""

    OURS = "ours"
    THEIRS = "theirs"
    OPEN = "left to the verifier"


@dataclass(frozen=True)
class Words:
    """What a document says: in quotation marks its own words, without them what it lays down."""

    text: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One row.

    Attributes:
        id: names the row.
        peer: whose verdict differs from ours.
        side: who refuses.
        reasons: ours, where we refuse; the row answers for each of them.
        statuses: the ratings that we give, where the peer takes a rated platform for better.
        text: a pattern of the peer's own words, where it refuses.
        only: a pattern of the names of items that the row is for, where it is not for all.
        what: what happens, for people.
        words: what decides.
        right: whose verdict that supports.
    """

    id: str
    peer: Peer
    side: Side
    reasons: frozenset[Reason] = frozenset()
    statuses: frozenset[str] = frozenset()
    text: str = ""
    only: str = ""
    what: str
    words: Words
    right: Right

    def is_for(self, name: str) -> bool:
        """Whether it may explain this item at all."""
        return re.search(self.only, name) is not None

    def matches(self, text: str) -> bool:
        """Whether the peer's words are the row's."""
        return bool(self.text) and re.search(self.text, text) is not None
