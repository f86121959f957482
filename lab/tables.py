# SPDX-License-Identifier: Apache-2.0
"""The tables of the documents in `TABLES`, from the code they describe: ``python -m lab.tables``.

Each table stands between two marker comments. Without ``--write`` the command says which are not
current and exits 1, which is also what a test does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from attest.lint import STATEMENT_RULES
from attest.snp.floors import FLOORS
from attest.snp.gaps import CLOSED
from attest.snp.gaps import RULES as SNP_GAP_RULES
from attest.tdx.gaps import RULES as TDX_GAP_RULES
from guest.boot.reasons import MEANINGS
from guest.calls import CALLS
from guest.cgroups import SHARES
from guest.door import DOORS, Process
from guest.keyholder.keylife import TRANSITIONS
from guest.sandbox import INHERITED, LATER, OWN_CGROUP, POLICY, WHERE_POSSIBLE, Step
from guestapi import REFUSALS

DOCS: Final = Path(__file__).parent.parent / "docs"


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
    """What each process gives up, and what of it is left."""
    steps = list(dict.fromkeys(step for policy in POLICY.values() for step in policy))
    rows = [f"| step | {' | '.join(POLICY)} |", "|---" * (len(POLICY) + 1) + "|"]
    for step in steps:
        cells = " | ".join(_cell(step, process) for process in POLICY)
        where = " (where possible)" if step in WHERE_POSSIBLE else ""
        rows.append(f"| {step.name}: {step.describe}{where} | {cells} |")
    shares = {process: _share(process) for process in POLICY}
    rows.append(
        f"| {OWN_CGROUP}: memory of the host, processes; by init (where possible) "
        f"| {' | '.join(shares.values())} |"
    )
    return "\n".join(rows)


def _cell(step: Step, process: Process) -> str:
    if step in POLICY[process]:
        later = ", once the model is loaded" if step in LATER.get(process, ()) else ""
        return step.left(process) + later
    return "by birth" if process is Process.WORKER and step in INHERITED else ""


def _share(process: Process) -> str:
    if process is Process.WORKER:
        return "the zygote's"
    share = SHARES[process]
    return f"{share.memory_percent} %, {share.processes}"


def calls() -> str:
    """Which system calls each process may make."""
    names = sorted({name for table in CALLS.values() for name in table})
    rows = [f"| call | {' | '.join(CALLS)} |", "|---" * (len(CALLS) + 1) + "|"]
    for name in names:
        cells = (
            "" if name not in table else "some" if table[name] else "yes"
            for table in CALLS.values()
        )
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def keylife() -> str:
    """The life of an epoch's keys."""
    rows = ["| state | event | next |", "|---|---|---|"]
    for state, events in TRANSITIONS.items():
        rows += [f"| {state} | {event} | {after} |" for event, after in events.items()]
    return "\n".join(rows)


def reasons() -> str:
    """Why a machine was switched off."""
    rows = ["| number | reason | what it means |", "|---|---|---|"]
    for reason, meaning in MEANINGS.items():
        rows.append(f"| {int(reason)} | {reason.name.lower()} | {meaning} |")
    return "\n".join(rows)


def refusals() -> str:
    """The words of a refused exchange."""
    rows = ["| word | gRPC status | HTTP status |", "|---|---|---|"]
    for reason, row in REFUSALS.items():
        rows.append(f"| {reason} | {row.grpc.name} | {row.http} |")
    return "\n".join(rows)


def floors() -> str:
    """From which firmware on an advisory no longer applies."""
    rows = [
        "| line | advisory | what | security versions, at least | mitigation bit | read in |",
        "|---|---|---|---|---|---|",
    ]
    for floor in FLOORS:
        svns = ", ".join(f"{component} 0x{svn:02x}" for component, svn in floor.svns.items())
        counts = ", ".join(
            f"0x{svn:02x} (model {cpu.model:02x}h stepping {cpu.stepping})"
            for cpu, svn in floor.microcode.items()
        )
        bit = "" if floor.mitigation is None else str(floor.mitigation)
        told = "; ".join(filter(None, (svns, counts and f"microcode {counts}", floor.remark)))
        rows.append(
            f"| {floor.line} | {floor.advisory}, {floor.cve} | {floor.name} | {told} "
            f"| {bit} | {floor.source} |"
        )
    return "\n".join(rows)


def gaps() -> str:
    """What a policy may leave open."""
    rows = ["| rule | field | what may then be accepted | reference |", "|---|---|---|---|"]
    platforms = [rule.gap for rule in SNP_GAP_RULES] + [rule.gap for rule in TDX_GAP_RULES]
    for gap in platforms + [rule.gap for rule in STATEMENT_RULES]:
        references = ", ".join(gap.references)
        rows.append(f"| {gap.rule} | `{gap.where}` | {gap.means} | {references} |")
    return "\n".join(rows)


def closed() -> str:
    """What no policy can leave open."""
    return "\n".join(f"- {what} ({rule})" for what, rule in CLOSED)


TABLES: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    "processes.md": {
        "doors": doors,
        "sandbox": sandbox,
        "calls": calls,
        "keylife": keylife,
        "refusals": refusals,
        "reasons": reasons,
    },
    "firmware-floors.md": {"floors": floors, "gaps": gaps, "closed": closed},
}


def current(document: str, text: str) -> str:
    """``text`` of ``document`` with every table between its markers made anew.

    Raises:
        ValueError: a marker is missing.
    """
    for name, table in TABLES[document].items():
        begin, end = f"<!-- table: {name} -->\n", "\n<!-- end -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{document}: no table {name}")
        text = before + begin + table() + end + after
    return text


def main() -> int:
    """Exit codes: 0 all current, 1 not."""
    parser = argparse.ArgumentParser(prog="python -m lab.tables", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the tables into the documents")
    given = parser.parse_args()
    stale = 0
    for document in TABLES:
        path = DOCS / document
        old = path.read_text("utf-8")
        new = current(document, old)
        if given.write:
            path.write_text(new, "utf-8")
        elif new != old:
            stale = 1
            print(f"{document} is not current: run python -m lab.tables --write", file=sys.stderr)
    return stale


if __name__ == "__main__":
    sys.exit(main())
