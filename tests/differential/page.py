# SPDX-License-Identifier: Apache-2.0
"""docs/differential.md, from the table of explanations and the counts of one whole run."""

from __future__ import annotations

from collections.abc import Iterable

from tests.differential.compared import Disagreement, Tally
from tests.differential.explained import Explanation
from tests.differential.items import Origin
from tests.differential.peers import PEERS, Peer
from tests.differential.table import EXPLANATIONS

EXAMPLES = 2

HEAD = """\
# Other verifiers, and where we differ

`make differential` builds five libraries and programs of others, asks each of them and us about the
same evidence, and fails on any difference that the table below does not explain. This page is
written by that command (`python -m tests.differential --write`); the rows are data, in
`tests/differential/rows_snp.py` and `rows_tdx.py`. Nothing is fetched while verdicts are given:
certificates, CRLs and collateral come with the question, and so does the clock.

What is compared is what each verifier demands by itself. Our policy is the widest that there is for
an item, and a peer's options leave its caller's wishes open. Two refusals agree, whatever reason
each gives. In quotation marks stands a specification's own wording; without them, what it lays down
in ours.

One difference was ours to mend: go-sev-guest refuses a report whose committed firmware is newer
than the firmware that runs, and we did not; rule S11 now does.
"""

ORIGINS = {
    Origin.REAL: "evidence as it was sent",
    Origin.CROSSED: "real parts that do not belong together",
    Origin.MUTATED: "real evidence with one change",
    Origin.MINTED: "evidence signed by a mock AMD or Intel that all are told to believe",
}


def write_page(tallies: dict[Peer, Tally]) -> str:
    """The page; the same run gives the same bytes."""
    parts = [HEAD, _peers(), _counts(tallies)]
    parts += [_rows(peer, tally) for peer, tally in tallies.items()]
    return "\n".join(parts)


def _peers() -> str:
    rows = (f"| {peer} | {facts.version} | {facts.how} |" for peer, facts in PEERS.items())
    return _lines(
        "## Who is asked, and how", "", "| peer | version | how |", "|---|---|---|", *rows
    )


def _counts(tallies: dict[Peer, Tally]) -> str:
    heads = " | ".join(Origin)
    meanings = (f"- {origin}: {meaning}" for origin, meaning in ORIGINS.items())
    rows = (f"| {peer} | {_cells(tally)} |" for peer, tally in tallies.items())
    return _lines(
        "## What came of it",
        "",
        "Verdicts that agree, of all that were given:",
        "",
        f"| peer | {heads} | all | explained | unexplained |",
        "|---" * (len(Origin) + 4) + "|",
        *rows,
        "",
        *meanings,
    )


def _cells(tally: Tally) -> str:
    cells = []
    for origin in Origin:
        differing = sum(d.item.origin is origin for d in tally.disagreed)
        cells.append(f"{tally.agreed[origin]} of {tally.agreed[origin] + differing}")
    agreed = sum(tally.agreed.values())
    explained = len(tally.disagreed) - len(tally.unexplained)
    cells.append(f"{agreed} of {agreed + len(tally.disagreed)}")
    return " | ".join([*cells, str(explained), str(len(tally.unexplained))])


def _rows(peer: Peer, tally: Tally) -> str:
    rows = (_row(row, tally.uses(row)) for row in EXPLANATIONS if row.peer is peer)
    return _lines(
        f"## {peer}",
        "",
        "| what happens | items | who refuses | what the specification says | it supports |",
        "|---|---|---|---|---|",
        *rows,
    )


def _row(row: Explanation, uses: list[Disagreement]) -> str:
    cells = (
        f"{row.what} {_examples(uses)}",
        str(len(uses)),
        _who(row),
        f"{row.words.text} ({row.words.source})",
        str(row.right),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _examples(uses: list[Disagreement]) -> str:
    """Real items first, for they weigh most."""
    order = list(Origin)
    chosen = sorted(uses, key=lambda d: order.index(d.item.origin))[:EXAMPLES]
    return f"({'; '.join(f'{d.item.origin}: `{d.item.name}`' for d in chosen)})"


def _who(row: Explanation) -> str:
    codes = ", ".join(f"`{reason}`" for reason in sorted(row.reasons))
    ratings = ", ".join(sorted(row.statuses))
    return f"{row.side}" + (f": {codes}" if codes else "") + (f", as {ratings}" if ratings else "")


def _lines(*lines: str | Iterable[str]) -> str:
    return "\n".join(str(line) for line in lines) + "\n"
