# SPDX-License-Identifier: Apache-2.0
"""The tables of `docs/processes.md`, from the code they describe: ``python -m lab.tables``.

Each table stands between two marker comments. Without ``--write`` the command says which are not
current and exits 1, which is also what a test does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from guest.door import DOORS
from guest.keyholder.keylife import TRANSITIONS
from guest.sandbox import NOT_YET, POLICY, WHERE_POSSIBLE
from guestapi import REFUSALS

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "processes.md"


def doors() -> str:
    """Who may say what to whom."""
    rows = ["| from | to | says | at most | descriptors | once |", "|---|---|---|---|---|---|"]
    for (speaker, listener), rules in DOORS.items():
        for say, rule in rules.items():
            once = "yes" if rule.once else ""
            size = f"{rule.body_max_bytes} bytes"
            rows.append(f"| {speaker} | {listener} | {say.name} | {size} | {rule.fds} | {once} |")
    return "\n".join(rows)


def sandbox() -> str:
    """What each process gives up."""
    steps = {step.name: step for policy in POLICY.values() for step in policy}
    rows = [f"| step | {' | '.join(POLICY)} |", "|---" * (len(POLICY) + 1) + "|"]
    for name, step in steps.items():
        marks = " | ".join("yes" if step in policy else "" for policy in POLICY.values())
        where = " (where the kernel has it)" if name in WHERE_POSSIBLE else ""
        rows.append(f"| {name}: {step.describe}{where} | {marks} |")
    return "\n".join([*rows, "", f"Not yet: {', '.join(NOT_YET)}."])


def keylife() -> str:
    """The life of an epoch's keys."""
    rows = ["| state | event | next |", "|---|---|---|"]
    for state, events in TRANSITIONS.items():
        rows += [f"| {state} | {event} | {after} |" for event, after in events.items()]
    return "\n".join(rows)


def refusals() -> str:
    """The words of a refused exchange."""
    rows = ["| word | gRPC status | HTTP status |", "|---|---|---|"]
    for reason, row in REFUSALS.items():
        rows.append(f"| {reason} | {row.grpc.name} | {row.http} |")
    return "\n".join(rows)


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "doors": doors,
    "sandbox": sandbox,
    "keylife": keylife,
    "refusals": refusals,
}


def current(text: str) -> str:
    """``text`` with every table between its markers made anew.

    Raises:
        ValueError: a marker is missing.
    """
    for name, table in TABLES.items():
        begin, end = f"<!-- table: {name} -->\n", "\n<!-- end -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{DOCUMENT.name}: no table {name}")
        text = before + begin + table() + end + after
    return text


def main() -> int:
    """Exit codes: 0 all current, 1 not."""
    parser = argparse.ArgumentParser(prog="python -m lab.tables", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the tables into the document")
    given = parser.parse_args()
    old = DOCUMENT.read_text("utf-8")
    new = current(old)
    if given.write:
        DOCUMENT.write_text(new, "utf-8")
    elif new != old:
        print(f"{DOCUMENT.name} is not current: run python -m lab.tables --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
