# SPDX-License-Identifier: Apache-2.0
"""``python -m lab.mocktsm.remint FOLDER``: one row for each item found; 1 if one is not exact."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lab.mocktsm.remint import __doc__ as about
from lab.mocktsm.remint.items import items

DIFFERENCES_SHOWN = 4


def main() -> int:
    """Exit codes: 0 all exact, 1 a difference, 2 nothing found or wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m lab.mocktsm.remint", description=about)
    parser.add_argument("folder", type=Path, help="where the evidence is, at any depth")
    folder: Path = parser.parse_args().folder
    found = differing = 0
    others: list[str] = []
    print("| file | item | equal | free | differences |\n|---|---|---|---|---|")
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        minted = items(path)
        if not minted:
            others.append(str(name))
        for item in minted:
            compared = item.remint(item.data)
            found += 1
            differing += bool(compared.differences)
            told = "; ".join(compared.differences[:DIFFERENCES_SHOWN]) or "none"
            print(f"| {name} | {item.what} | {compared.equal} | {compared.free} | {told} |")
    print(f"\n{found} items, {differing} with differences. Equal and free are bytes of reports,")
    print("quotes and documents, and values of certificates and lists.")
    print(f"Not minted by the mock: {', '.join(others) or 'none'}.")
    return 2 if not found else 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
