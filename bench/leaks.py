# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.leaks``: thousands of requests, then a search of everything for what they said.

Two runs: short requests of every kind to an engine that is a stub, and real ones to the real model.
Each ends with the search and its positive controls (`tests.flow.leaks`). The exit code is 1 if a
canary was found where it must not be, or was not where it must be. Run it as root: else the guest
runs less one step of its sandbox, so that its memory may be read, and the report says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lab.documents import GuestPlan
from lab.model import ModelError, default_model
from tests.flow.canaries import Canaries
from tests.flow.leaks import controls, examine, found_where_it_must_not_be
from tests.flow.site import SCANNABLE, standing
from tests.flow.soak import REAL, SHORT, Soak

RESULTS: Final = Path(__file__).parent / "results" / "leaks.json"
STUB: Final = "stub"
MODEL: Final = "model"
# One row per run: what is sent, and how many requests the guest takes at once.
RUNS: Final = {
    STUB: (SHORT, GuestPlan(slots=4, waiting_max=128)),
    MODEL: (REAL, GuestPlan(slots=2, waiting_max=128)),
}


def main() -> int:
    """Run, search, write the report, print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.leaks", description=__doc__)
    parser.add_argument("--stub", type=int, default=10_000, help="requests to the stub engine")
    parser.add_argument("--real", type=int, default=200, help="requests to the real model")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    try:
        model = default_model() if given.real else None
    except ModelError as error:
        print(f"bench.leaks: {error}", file=sys.stderr)
        return 2
    commit = _commit()
    runs = {}
    if given.stub:
        runs[STUB] = _run(STUB, given.stub, None)
    if model is not None:
        runs[MODEL] = _run(MODEL, given.real, model)
    result = {
        "command": "python -m bench.leaks " + " ".join(sys.argv[1:]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "root": _is_root()},
        "runs": runs,
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    for name, run in runs.items():
        _print(name, run)
    print(f"report: {given.out}")
    return int(any(run["leaks"] or not run["controls_hold"] for run in runs.values()))


def _run(name: str, count: int, model: Path | None) -> dict[str, Any]:
    """One soak against a deployment of its own."""
    kinds, plan = RUNS[name]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sealroom-leaks-")))
        programs = {} if _is_root() else dict(SCANNABLE)
        stands_for_it = folder / "stands-for-the-model"
        if model is None:
            stands_for_it.write_bytes(b"no model")
            programs["zygote"] = "tests.flow.programs.stub"
        site = stack.enter_context(
            standing(folder / "site", model or stands_for_it, plan, programs)
        )
        room = stack.enter_context(site.room())
        soak = Soak(site, room, Canaries(model, digests=True), Canaries(digests=True))
        began = time.monotonic()
        soak.run(count, kinds)
        sent_s = time.monotonic() - began
        report = examine(soak)
        held = controls(soak)
        return {
            "requests": count,
            "seconds": {"sent": round(sent_s), "all": round(time.monotonic() - began)},
            "outcomes": {kind: dict(ends) for kind, ends in soak.outcomes.items()},
            "needles": len(soak.sealed.search.needles),
            "forms": sorted({needle.form for needle in soak.sealed.search.needles}),
            "searched": report,
            "leaks": found_where_it_must_not_be(report),
            "controls": held,
            "controls_hold": all(each["planted"] == each["found"] for each in held.values()),
        }


def _print(name: str, run: dict[str, Any]) -> None:
    """The table of `docs/leak-search.md`."""
    print(f"\n{name}: {run['requests']} requests, {run['needles']} needles")
    print("| place | bytes | hits, sealed | hits, in the clear |\n|---|---|---|---|")
    sealed, clear = run["searched"]["sealed"], run["searched"]["clear"]
    for place, counts in sealed.items():
        print(f"| {place} | {counts['bytes']} | {counts['hits']} | {clear[place]['hits']} |")
    print("\n| control | planted | found |\n|---|---|---|")
    for what, counts in run["controls"].items():
        print(f"| {what} | {counts['planted']} | {counts['found']} |")
    print(*(f"LEAK: {leak}" for leak in run["leaks"]), sep="\n")


def _is_root() -> bool:
    return os.geteuid() == 0


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
