# SPDX-License-Identifier: Apache-2.0
"""``python -m bench``: overhead per request beside inference, and its single costs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.overhead import measure
from lab.model import ModelError, default_model

RESULTS: Final = Path(__file__).parent / "results"


def main() -> int:
    """Measure, print a table, keep the raw numbers."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="requests each way (default 12)")
    parser.add_argument("--model", type=Path, help="a GGUF file (default: what `make model` made)")
    parser.add_argument("--out", type=Path, default=RESULTS / "overhead.json")
    given = parser.parse_args()
    try:
        model = given.model or default_model()
    except ModelError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    load_before = os.getloadavg()[0]
    result = {
        "command": "python -m bench " + " ".join(sys.argv[1:]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "load": load_before},
        **measure(model, rounds=given.rounds),
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(f"{'median of one request':44} {'ms':>9}")
    for key, value in result["median_ms"].items():
        print(f"   {key:41} {value:>9}")
    print(f"\n{'single costs, ms':44} {'median':>9} {'p90':>9}")
    for key, value in result["single_ms"].items():
        print(f"   {key:41} {value['median']:>9} {value['p90']:>9}")
    print(f"\nraw numbers: {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
