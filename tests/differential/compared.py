# SPDX-License-Identifier: Apache-2.0
"""Holding verdicts against each other, and disagreements against their explanations.

An item on which we and a peer differ is explained if for each of our reasons, or else for the
peer's words, a row of the table says so. One reason without a row leaves the item unexplained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.differential.explained import Explanation, Side
from tests.differential.items import Item, Origin
from tests.differential.ours import Verdict
from tests.differential.peers import Peer
from tests.differential.table import EXPLANATIONS

REFUSED = "refused"
UP_TO_DATE = "UpToDate"


@dataclass(frozen=True)
class Disagreement:
    """One item on which we and a peer differ, and the rows that say why; none when nothing does."""

    peer: Peer
    item: Item
    ours: Verdict
    theirs: Verdict
    rows: tuple[Explanation, ...]


@dataclass
class Tally:
    """What one peer's run came to."""

    agreed: Counter[Origin] = field(default_factory=Counter)
    disagreed: list[Disagreement] = field(default_factory=list)

    @property
    def unexplained(self) -> list[Disagreement]:
        """Disagreements that the table does not cover."""
        return [disagreement for disagreement in self.disagreed if not disagreement.rows]

    def uses(self, row: Explanation) -> list[Disagreement]:
        """The disagreements that a row explains."""
        return [disagreement for disagreement in self.disagreed if row in disagreement.rows]


def outcome(peer: Peer, verdict: Verdict, *, is_ours: bool) -> str:
    """What is compared: a rating where the peer gives one, else accepted or refused.

    go-tdx-guest accepts UpToDate alone and names no rating when it does, so for it ours is
    acceptance only where it is that.
    """
    if not verdict.accepted:
        return REFUSED
    if peer is Peer.GO_TDX_GUEST:
        return UP_TO_DATE if verdict.status == UP_TO_DATE or not is_ours else REFUSED
    return verdict.status or "accepted"


def compare(
    peer: Peer, items: Sequence[Item], ours: Sequence[Verdict], theirs: Sequence[Verdict]
) -> Tally:
    """Hold one peer's verdicts against ours."""
    tally = Tally()
    for item, own, other in zip(items, ours, theirs, strict=True):
        mine, its = outcome(peer, own, is_ours=True), outcome(peer, other, is_ours=False)
        if mine == its:
            tally.agreed[item.origin] += 1
        else:
            where = side(mine, its)
            candidates = [
                row
                for row in EXPLANATIONS
                if (row.peer, row.side) == (peer, where) and row.is_for(item.name)
            ]
            rows = explain(candidates, own, other, where)
            tally.disagreed.append(Disagreement(peer, item, own, other, rows))
    return tally


def side(mine: str, its: str) -> Side:
    """Who refuses, if only one does."""
    if mine == REFUSED:
        return Side.WE_REFUSE
    return Side.THEY_REFUSE if its == REFUSED else Side.RATED_APART


def explain(
    candidates: Sequence[Explanation], own: Verdict, other: Verdict, where: Side
) -> tuple[Explanation, ...]:
    """The rows that together explain a difference, or none."""
    if where is not Side.WE_REFUSE:
        return tuple(row for row in candidates if row.matches(other.text))[:1]
    if not own.reasons:  # Genuine, and rated lower than the peer takes it.
        return tuple(row for row in candidates if own.status in row.statuses)[:1]
    found = [[row for row in candidates if reason in row.reasons] for reason in own.reasons]
    if not all(found):
        return ()
    return tuple(dict.fromkeys(rows[0] for rows in found))
