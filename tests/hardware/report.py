# SPDX-License-Identifier: Apache-2.0
"""The report of a run on hardware: one file for machines, one for people, and no secret in either.

What goes in is named here, field by field. Reports and quotes themselves name the chip, so they go
in only when their owner asks for it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from guest.keyholder.tsm import TsmReport

FORMAT = "sealroom-hardware-report/1"
TEXT_MAX_CHARACTERS = 2000  # of one fact or problem
LINE_MAX_CHARACTERS = 200  # of what the machine says of itself


class Outcome(StrEnum):
    """What came of a check."""

    HELD = "held"
    FAILED = "failed"
    NOT_HERE = "not here"


@dataclass(frozen=True, slots=True)
class Row:
    """A check and what came of it."""

    name: str
    outcome: Outcome
    text: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine says of itself, unverified."""

    kernel: str
    processor: str
    system: str


@dataclass(frozen=True, slots=True)
class HardwareReport:
    """A whole run. It held only if something did and nothing failed."""

    release: str
    machine: Machine
    rows: tuple[Row, ...]
    evidence: TsmReport | None

    @property
    def holds(self) -> bool:
        """Whether this is a run to be proud of."""
        outcomes = {row.outcome for row in self.rows}
        return Outcome.HELD in outcomes and Outcome.FAILED not in outcomes

    def json(self) -> str:
        """For machines."""
        evidence = self.evidence and {
            "provider": self.evidence.provider,
            "outblob": base64.b64encode(self.evidence.outblob).decode("ascii"),
            "auxblob": base64.b64encode(self.evidence.auxblob).decode("ascii"),
        }
        told = {
            "format": FORMAT,
            "release": self.release,
            "machine": asdict(self.machine),
            "holds": self.holds,
            "checks": [asdict(row) for row in self.rows],
            "evidence": evidence,
        }
        return json.dumps(told, indent=2) + "\n"

    def text(self) -> str:
        """For people."""
        width = max((len(row.name) for row in self.rows), default=0)
        lines = [
            f"Sealroom {self.release} on hardware: {'held' if self.holds else 'DID NOT HOLD'}",
            f"kernel     {self.machine.kernel}",
            f"processor  {self.machine.processor}",
            f"system     {self.machine.system}",
            "",
            *(f"{row.outcome:8}  {row.name:{width}}  {row.text}" for row in self.rows),
            "",
            "With the platform's report in it." if self.evidence else "No report, no chip in it.",
        ]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write both files; the folder is made.

        Raises:
            FileExistsError: there is a report already.
        """
        folder.mkdir(parents=True, exist_ok=True)
        files = folder / "hardware-report.json", folder / "hardware-report.txt"
        for file, text in zip(files, (self.json(), self.text()), strict=True):
            with file.open("x", encoding="utf-8") as new:
                new.write(text)
        return files


def read_machine(root: Path = Path("/")) -> Machine:
    """What this machine says of itself; no serial number, no name that somebody gave it."""
    cpu = _line(root / "proc/cpuinfo", "model name")
    vendor, product = (
        _line(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name")
    )
    return Machine(_line(root / "proc/sys/kernel/osrelease"), cpu, f"{vendor} {product}")


def shortened(text: str) -> str:
    """On one line, and no longer than a report takes."""
    return " ".join(text.split())[:TEXT_MAX_CHARACTERS]


def _line(path: Path, key: str = "") -> str:
    """The first line, or the value of the first line with this key."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    found = (line.partition(":")[2] if key else line for line in lines if line.startswith(key))
    line = next(found, "unknown").strip()
    return "".join(c if c.isprintable() else "?" for c in line)[:LINE_MAX_CHARACTERS]
