# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.imports``: what importing attest costs, each time in a fresh interpreter.

The interpreter's own start is not in it. Every candidate is run in turn, round by round, so that a
busy machine slows all alike; the import of `cryptography` alone, which is another's work, stands
beside ours as the measure of the machine. Modules are compiled before, for Python keeps them so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from attest.statement import Platform
from tests.attest.whole import whole

RESULTS: Final = Path(__file__).parent / "results" / "imports.json"
ROUNDS: Final = 20

IMPORT: Final = "import attest"
NAMES: Final = IMPORT + "\nfor name in attest.__all__: getattr(attest, name)"
VERIFY: Final = (
    NAMES
    + """
import base64, json
from datetime import datetime
from attest.roots import read_roots
case = json.loads(text)
policy, roots = attest.read_policy(case["policy"]), read_roots(case["roots"])
evidence, endorsements = attest.parse_evidence(base64.b64decode(case["evidence"]))
now = datetime.fromisoformat(case["now"])
attest.verify(evidence, endorsements, policy, roots=roots, now=now)"""
)
CRYPTOGRAPHY: Final = (
    "from cryptography.hazmat.primitives import hashes, serialization\n"
    "from cryptography.hazmat.primitives.asymmetric import ec"
)
STANDARD: Final = "import dataclasses, datetime, enum, hashlib, hmac, json, typing"

# What is timed, and the platform whose evidence it needs.
CANDIDATES: Final[dict[str, tuple[str, Platform | None]]] = {
    "import attest": (IMPORT, None),
    "and every public name": (NAMES, None),
    "and a first SEV-SNP guest": (VERIFY, Platform.SEV_SNP),
    "and a first TDX guest": (VERIFY, Platform.TDX),
    "cryptography alone": (CRYPTOGRAPHY, None),
    "the standard modules alone": (STANDARD, None),
}
# What a fresh interpreter is given: the case if there is one, the clock, the candidate.
TIMED: Final = """
import sys, time
{given}
wall, cpu = time.perf_counter(), time.process_time()
{code}
sys.stdout.write("%r %r" % (time.perf_counter() - wall, time.process_time() - cpu))
"""
GIVEN: Final = "text = sys.stdin.read()"


def once(code: str, case: str | None) -> tuple[float, float]:
    """Seconds on the wall and on the processor, in one fresh interpreter."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    run = subprocess.run(
        [sys.executable, "-c", TIMED.format(given="" if case is None else GIVEN, code=code)],
        input=case,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    wall, cpu = map(float, run.stdout.split())
    return wall, cpu


def measure(rounds: int) -> dict[str, Any]:
    """Least and median of each candidate in milliseconds, and every single time."""
    cases = {platform: json.dumps(whole(platform)) for platform in Platform}
    asked = [
        (name, code, None if of is None else cases[of]) for name, (code, of) in CANDIDATES.items()
    ]
    for _, code, case in asked:
        once(code, case)  # compiles, and fills the page cache
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CANDIDATES}
    for _ in range(rounds):
        for name, code, case in asked:
            times[name].append(once(code, case))
    rows: dict[str, Any] = {}
    for name, pairs in times.items():
        wall, cpu = ([1000 * seconds for seconds in column] for column in zip(*pairs, strict=True))
        rows[name] = {
            "wall_ms": {"min": round(min(wall), 1), "median": round(statistics.median(wall), 1)},
            "cpu_ms": {"min": round(min(cpu), 1), "median": round(statistics.median(cpu), 1)},
            "all_wall_ms": [round(value, 2) for value in wall],
        }
    machine = rows["cryptography alone"]["wall_ms"]["min"]
    for row in rows.values():
        row["of_cryptography"] = round(row["wall_ms"]["min"] / machine, 2)
    return rows


def main() -> int:
    """Measure, print a table, keep the raw numbers."""
    parser = argparse.ArgumentParser(prog="python -m bench.imports", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    rows = measure(given.rounds)
    result = {
        "command": "python -m bench.imports " + " ".join(sys.argv[1:]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "load": load_before},
        "versions": {
            "python": platform.python_version(),
            "cryptography": version("cryptography"),
        },
        "rounds": given.rounds,
        "rows": rows,
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(f"{'milliseconds, of fresh interpreters':38} {'least':>7} {'median':>7} {'cpu':>7}")
    for name, row in rows.items():
        wall, cpu = row["wall_ms"], row["cpu_ms"]
        print(f"   {name:35} {wall['min']:>7} {wall['median']:>7} {cpu['min']:>7}")
    print(f"\nraw numbers: {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
