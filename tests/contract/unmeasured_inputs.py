# SPDX-License-Identifier: Apache-2.0
"""The table of what the host can say to a guest, read from its JSON and written as its Markdown.

`python -m tests.contract.unmeasured_inputs` writes the Markdown's tables anew from the JSON.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DATA: Final = ROOT / "docs" / "unmeasured-inputs.json"
PAGE: Final = ROOT / "docs" / "unmeasured-inputs.md"
UNDEFENDED: Final = "not defended, because "
NOTHING: Final = "\N{EN DASH}"
HEAD: Final = (
    "| input | what the host may do | measured | defence | shown by | what is left |\n"
    "|---|---|---|---|---|---|\n"
)
TABLE: Final = re.compile(r"<!-- table: (\w+) -->\n((?:\|.*\n)*)")


@dataclass(frozen=True, slots=True)
class Input:
    """One row.

    Attributes:
        group: the table that it stands in.
        input: what comes from the host.
        host: what the host may do with it.
        measured: where, or "no".
        defence: what is done about it; empty if nothing is.
        tests: that show the defence.
        left: what remains; it begins with `UNDEFENDED` where nothing is shown.
    """

    group: str
    input: str
    host: str
    measured: str
    defence: str
    tests: tuple[str, ...]
    left: str

    def line(self) -> str:
        """The row in Markdown."""
        shown = ", ".join(f"`{test}`" for test in self.tests) or NOTHING
        cells = (self.input, self.host, self.measured, self.defence or NOTHING, shown, self.left)
        return "| " + " | ".join(cells) + " |\n"


def load() -> tuple[Input, ...]:
    """All rows; a field too many or too few is a TypeError."""
    rows = json.loads(DATA.read_text(encoding="ascii"))
    return tuple(Input(**{**row, "tests": tuple(row["tests"])}) for row in rows)


def table(group: str) -> str:
    """One table in Markdown."""
    return HEAD + "".join(row.line() for row in load() if row.group == group)


def main() -> None:
    """Write the page's tables anew."""
    page = PAGE.read_text(encoding="utf-8")
    new = TABLE.sub(lambda match: f"<!-- table: {match[1]} -->\n{table(match[1])}", page)
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
