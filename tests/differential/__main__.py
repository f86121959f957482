# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.differential`: build the peers, ask everybody, explain or fail.

Exit status 0 when each disagreement has an explanation and each explanation a disagreement, 1 when
not, 2 when a peer's compiler is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.differential import minted, mutations, real
from tests.differential.compared import Tally, compare
from tests.differential.items import Item
from tests.differential.ours import verdict
from tests.differential.page import write_page
from tests.differential.peers import Peer, ask, missing_tools, peers_of
from tests.differential.table import EXPLANATIONS

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "differential"
PAGE = ROOT / "docs" / "differential.md"


def corpus(evidence: Path | None) -> list[Item]:
    """Every item: real, crossed, mutated, minted."""
    reports, bundles = real.snp_items(evidence), real.tdx_items(evidence)
    return [
        *reports,
        *bundles,
        *real.crossed(evidence),
        *mutations.mutated(reports, bundles),
        *minted.minted(),
    ]


def run(peers: Sequence[Peer], items: Sequence[Item], cache: Path) -> dict[Peer, Tally]:
    """Ask these peers about what they take."""
    ours = [verdict(item) for item in items]
    tallies: dict[Peer, Tally] = {}
    for peer in peers:
        pairs = [pair for pair in zip(items, ours, strict=True) if peer in peers_of(pair[0])]
        asked = [item for item, _ in pairs]
        tallies[peer] = compare(peer, asked, [own for _, own in pairs], ask(peer, asked, cache))
    return tallies


def problems(tallies: dict[Peer, Tally]) -> list[str]:
    """What is unexplained, and what explains nothing."""
    found = [
        f"unexplained: {d.peer}: {d.item.name}: ours {d.ours}; theirs {d.theirs}"
        for tally in tallies.values()
        for d in tally.unexplained
    ]
    for row in EXPLANATIONS:
        if row.peer in tallies and not tallies[row.peer].uses(row):
            found.append(f"explains nothing: {row.id}")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--evidence", type=Path, help="a folder with more evidence")
    parser.add_argument("--peer", action="append", type=Peer, choices=list(Peer), help="only these")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where peers are built")
    parser.add_argument("--json", action="store_true", help="print counts and problems as JSON")
    parser.add_argument("--write", action="store_true", help="write docs/differential.md")
    given = parser.parse_args(argv)
    peers: list[Peer] = given.peer or list(Peer)
    if missing := missing_tools(peers):
        print(f"differential: wanted {' and '.join(missing)} on PATH", file=sys.stderr)
        return 2
    cache: Path = given.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    tallies = run(peers, corpus(given.evidence), cache)
    wrong = problems(tallies)
    if given.json:
        print(json.dumps({"peers": summary(tallies), "problems": wrong}, indent=2))
    else:
        for peer, counts in summary(tallies).items():
            print(peer, *(f"{name} {number}" for name, number in counts.items()))
        print(*wrong, sep="\n", end="\n" if wrong else "")
    if given.write:
        if set(peers) != set(Peer) or wrong:
            print("differential: the page is written from a whole run only", file=sys.stderr)
            return 1
        PAGE.write_text(write_page(tallies))
    return 1 if wrong else 0


def summary(tallies: dict[Peer, Tally]) -> dict[str, dict[str, int]]:
    """Counts by peer."""
    return {
        str(peer): {
            "agreed": sum(tally.agreed.values()),
            "explained": len(tally.disagreed) - len(tally.unexplained),
            "unexplained": len(tally.unexplained),
        }
        for peer, tally in tallies.items()
    }


if __name__ == "__main__":
    sys.exit(main())
