# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.fuzz [--seconds N] [TARGET ...]`: run fuzz targets one after the other.

Each runs in a process of its own, under a limit of memory and of time for one input, from the seeds
and from what earlier runs found (build/fuzz/TARGET/corpus). Printed is one row per target; what
broke a target lies beside its corpus, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build" / "fuzz"
MEMORY_MAX_MIB = 512
INPUT_MAX_S = 10
SECONDS = 60


@dataclass(frozen=True)
class Run:
    """What a run came to. ``edges`` is libFuzzer's count of what the inputs reached."""

    name: str
    executions: int
    edges: int
    peak_mib: int
    status: int

    @property
    def row(self) -> str:
        """For a table in Markdown."""
        outcome = "nothing found" if self.status == 0 else f"FAILED, status {self.status}"
        return f"| {self.name} | {self.executions} | {self.edges} | {self.peak_mib} | {outcome} |"


def fuzz(target: Target, seconds: int) -> Run:
    """Run one target."""
    folder = PLACE / target.name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / sha256(seed).hexdigest()).write_bytes(seed)
    command = [
        *(sys.executable, "-m", "tests.fuzz.one", target.name),
        *(str(corpus), f"-artifact_prefix={folder}/"),
        *(f"-max_total_time={seconds}", f"-max_len={target.most}"),
        *(f"-rss_limit_mb={MEMORY_MAX_MIB}", f"-timeout={INPUT_MAX_S}", "-print_final_stats=1"),
    ]
    log = folder / "log"
    with log.open("wb") as sink:
        status = subprocess.run(command, cwd=ROOT, stdout=sink, stderr=sink, check=False).returncode
    text = log.read_text(errors="replace")
    return Run(
        target.name,
        executions=_last(r"stat::number_of_executed_units: (\d+)", text),
        edges=_last(r"cov: (\d+)", text),
        peak_mib=_last(r"stat::peak_rss_mb: +(\d+)", text),
        status=status,
    )


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    args = parser.parse_args()
    if unknown := sorted(set(args.targets) - TARGETS.keys()):
        parser.error(f"no target {', '.join(unknown)}")
    print("| target | executions | edges | peak MiB | outcome |\n|---|---|---|---|---|", flush=True)
    failed = False
    for name in args.targets or TARGETS:
        run = fuzz(TARGETS[name], args.seconds)
        print(run.row, flush=True)
        failed = failed or run.status != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
