# SPDX-License-Identifier: Apache-2.0
"""`python -m lab.evidence_table DIR [--write | --check]`: judge every item of real evidence.

The table is printed; with --write it becomes docs/evidence.md, with --check it must be what stands
there. The exit status is 1 when a verdict is not the expected one, or the document another.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lab.evidence_table import amd, intel
from lab.evidence_table.row import HEAD, RULER, Row

DOCUMENT = Path(__file__).parents[2] / "docs" / "evidence.md"
TITLE = """\
# Real evidence, and what `attest` makes of it

Written by `python -m lab.evidence_table DIR --write`; do not edit. One row for each report, quote,
bundle, HCL report, certificate set, revocation list and negative item of a directory of evidence
from public repositories, at a clock at which it was in force. `expected` is what the directory
says, computed independently of `attest`; the rest is ours.

Each guest is judged by the most permissive policy for that very guest
(`lab/evidence_table/policies.py`), so that a refusal is about the evidence and not about taste. A
quote that came without collateral is judged with another platform's, which its row names: its
certificates and signatures are checked all the same, and a rule then tells what else is wrong with
the pair. `status` is Intel's rating; it is told even where another rule refuses.
"""


def collect(folder: Path) -> dict[str, list[Row]]:
    """Every row, by its heading."""
    return {"AMD SEV-SNP": list(amd.rows(folder)), "Intel TDX": list(intel.rows(folder))}


def document(tables: dict[str, list[Row]]) -> str:
    """All of docs/evidence.md."""
    parts = [TITLE]
    for heading, rows in tables.items():
        lines = [f"## {heading}", "", HEAD, RULER, *(row.line for row in rows), ""]
        parts.append("\n".join(lines))
    rows = [row for rows in tables.values() for row in rows]
    wrong = sum(not row.agrees for row in rows)
    parts.append(f"{len(rows)} items, {wrong} verdicts that are not the expected ones.\n")
    return "\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.evidence_table", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write docs/evidence.md")
    what.add_argument("--check", action="store_true", help="compare with docs/evidence.md")
    args = parser.parse_args(arguments)
    tables = collect(args.folder)
    text = document(tables)
    wrong = [row for rows in tables.values() for row in rows if not row.agrees]
    for row in wrong:
        print(f"not as expected: {row.line}", file=sys.stderr)
    if args.write:
        DOCUMENT.write_text(text, encoding="utf-8")
    elif args.check:
        if DOCUMENT.read_text(encoding="utf-8") != text:
            print(f"{DOCUMENT.name} says something else", file=sys.stderr)
            return 1
    else:
        print(text, end="")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
