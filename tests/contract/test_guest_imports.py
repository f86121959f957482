# SPDX-License-Identifier: Apache-2.0
"""What stands next to the guest's packages only because of their metadata is never imported."""

import re
import subprocess
import sys

from tests.contract.repository import ROOT, files, text

# Each of them is imported by its distribution's name.
NOWHERE = re.compile(r"^\| `([a-z0-9-]+)` \| \d+ \| nowhere \|", re.MULTILINE)
IMPORT_ALL = """
import importlib, sys
for name in sys.stdin.read().split():
    importlib.import_module(name)
from guest.worker.binding import load_llama
load_llama()
print("llama_cpp.llama_cpp" in sys.modules, *sys.modules)
"""


def test_the_guest_imports_nothing_that_the_adr_places_nowhere() -> None:
    nowhere = NOWHERE.findall(text("docs/adr/0004-dependencies-in-the-guest.md"))
    modules = [
        str(path.with_suffix("")).removesuffix("/__init__").replace("/", ".")
        for path in files("guest/*.py")
        if path.name != "__main__.py"
    ]
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        input=" ".join(modules),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    bound, *imported = run.stdout.split()
    assert bound == "True"
    assert len(nowhere) > 0
    assert set(nowhere) & set(imported) == set()
