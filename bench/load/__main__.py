# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.load``: a thousand requests while parts are disturbed; zeros, and curves."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.load.plot import plot
from bench.load.run import Load, measure
from lab.model import ModelError, default_model

ROOT: Final = Path(__file__).parents[2]
RESULT: Final = ROOT / "bench" / "results" / "load.json"
FOUND_MAX: Final = 10  # printed; all are kept
PICTURE: Final = ROOT / "docs" / "load.svg"


def main() -> int:
    """Run it, keep the numbers and the picture; 1 if anything is not zero that must be."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--requests", type=int, default=Load.requests)
    parser.add_argument("--seed", type=int, default=Load.seed)
    parser.add_argument(
        "--model",
        choices=("echo", "real"),
        default="echo",
        help="echo: an engine that repeats what it is told; real: what `make model` made",
    )
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    given = parser.parse_args()
    try:
        model = default_model() if given.model == "real" else None
    except ModelError as error:
        print(f"bench.load: {error}", file=sys.stderr)
        return 1
    load = Load(requests=given.requests, seed=given.seed, model=model)
    machine = {"cores": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="sealroom-load-") as folder:
        measured = measure(load, Path(folder))
    result = {
        "command": "python -m bench.load " + " ".join(sys.argv[1:]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        **measured,
    }
    given.out.write_text(_compact(result), "utf-8")
    given.picture.write_text(plot(result), "utf-8")
    for title in ("outcomes", "growth_kib", "zeros"):
        print(title.replace("_", " "))
        for name, count in result[title].items():
            print(f"   {name:44} {count:>7}")
    for line in result["found"][:FOUND_MAX]:
        print(f"found: {line}")
    print(f"{result['requests']} requests in {result['took_s']} s; raw numbers: {given.out}")
    return int(any(result["zeros"].values()))


def _compact(result: dict[str, object]) -> str:
    """Indented, but one line for each moment."""
    head = {key: value for key, value in result.items() if key != "moments"}
    moments = result["moments"]
    rows = [json.dumps(moment) for moment in moments] if isinstance(moments, list) else []
    text = json.dumps(head, indent=1).removesuffix("\n}")
    return text + ',\n "moments": [\n  ' + ",\n  ".join(rows) + "\n ]\n}\n"


if __name__ == "__main__":
    sys.exit(main())
