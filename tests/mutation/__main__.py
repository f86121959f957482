# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.mutation [--kinds rule,check] [MODULE ...]`: which changes does no test notice?

For each change a fresh child of this process imports the module changed, and everything else as it
is, and runs the tests that should notice until the first fails. No file is written. A change that
lets every test pass is alive; it is printed, and the exit status is 1. The same tests must pass
without a change, which is seen to first.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from typing_extensions import override

from tests.mutation.mutants import Kind, mutate, sites

ROOT = Path(__file__).parents[2]
CHILD_MAX_S = 300
# Imported before the children are made, so that each starts soon. None of them is ours.
OTHERS = ("aiohttp", "cryptography.x509", "hypothesis.strategies", "pyhpke", "rfc8785", "yaml")
# A test that says what it is about must notice: random cases and sweeps are left out.
OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "--ignore-glob=*/test_sweep.py"),
    *("-m", "not slow and not sweep and not interop and not hardware and not hypothesis"),
)

# The tests that should notice, by the beginning of a module's name; the longest that fits. They are
# asked one after the other, the module's own before them all (`attest.snp.chain`: test_chain.py).
LIMITS, POLICY = "tests/attest/test_limits.py", "tests/attest/test_policy.py"
TESTS = {
    "attest": ("tests/attest",),
    "attest.azure": ("tests/attest/test_azure.py", LIMITS),
    "attest.log": ("tests/attest/log",),
    "attest.snp": ("tests/attest/test_verify.py", LIMITS, POLICY, "tests/attest/snp"),
    "attest.snp.gaps": ("tests/attest/test_lint.py",),
    "attest.snp.launch": (LIMITS, "tests/attest/snp/launch"),
    "attest.tdx": ("tests/attest/tdx/test_verify.py", LIMITS, "tests/attest/tdx"),
    "attest.tdx.gaps": ("tests/attest/test_lint.py",),
    "attest.tdx.launch": ("tests/attest/tdx/launch",),
}


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    path: Path
    number: int
    kind: Kind
    line: int
    text: str

    @property
    def code(self) -> CodeType:
        """The module with the change."""
        tree = mutate(self.path.read_text(encoding="utf-8"), self.number)
        return compile(tree, str(self.path), "exec")

    @property
    def row(self) -> str:
        """For people."""
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.kind}: {self.text}"


class Loader(importlib.machinery.SourceFileLoader):
    """Loads one module with one change; nothing is cached."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.module, str(mutant.path))
        self.mutant = mutant

    @override
    def get_code(self, fullname: str) -> CodeType:
        return self.mutant.code


class Finder(importlib.abc.MetaPathFinder):
    """Finds the module that is changed, and no other."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.mutant.module:
            return None
        loader = Loader(self.mutant)
        return importlib.util.spec_from_file_location(fullname, self.mutant.path, loader=loader)


def mutants(modules: Sequence[str], kinds: frozenset[Kind]) -> list[Mutant]:
    """Every change of these kinds in these modules and what is in them."""
    found = []
    for path in sorted((ROOT / "attest").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if any(module == wanted or module.startswith(f"{wanted}.") for wanted in modules):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [
                Mutant(module, path, number, site.kind, site.line, site.text)
                for number, site in enumerate(sites(tree))
                if site.kind in kinds
            ]
    return found


def asked(module: str) -> list[str]:
    """What should notice a change of this module, in the order in which it is asked."""
    *room, name = module.split(".")
    own = "/".join(("tests", *room, f"test_{name}.py"))
    fitting = [name for name in TESTS if module == name or module.startswith(f"{name}.")]
    before = (own,) * (ROOT / own).is_file()
    return list(dict.fromkeys(before + TESTS[max(fitting, key=len)]))


def run_tests(tests: str, mutant: Mutant | None) -> int:
    """Run tests in a child of this process, which has imported nothing of ours.

    Returns:
        What pytest came to: 0 when all passed; a signal that ended the child is negative.

    Raises:
        RuntimeError: there are no such tests.
    """
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        signal.alarm(CHILD_MAX_S)
        sys.dont_write_bytecode = True
        if mutant is not None:
            sys.meta_path.insert(0, Finder(mutant))
        os._exit(int(pytest.main([*OPTIONS, tests])))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status in {pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED}:
        raise RuntimeError(f"{tests}: pytest ended with {status}")
    return status


def alive(mutant: Mutant) -> bool:
    """Whether no test notices."""
    return all(run_tests(tests, mutant) == 0 for tests in asked(mutant.module))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--kinds", default="rule", help=f"of {', '.join(Kind)}; all for each")
    parser.add_argument("--every", type=int, default=1, help="only each Nth change")
    parser.add_argument("modules", nargs="*", default=["attest"], metavar="MODULE")
    args = parser.parse_args()
    kinds = frozenset(Kind) if args.kinds == "all" else frozenset(map(Kind, args.kinds.split(",")))
    chosen = mutants(args.modules, kinds)[:: args.every]
    for name in OTHERS:
        importlib.import_module(name)
    for tests in sorted({tests for mutant in chosen for tests in asked(mutant.module)}):
        if status := run_tests(tests, None):
            parser.error(f"{tests} must pass unchanged, and ended with {status}")
    begun = time.monotonic()
    left = 0
    for mutant in chosen:
        if alive(mutant):
            left += 1
            print(f"alive: {mutant.row}", flush=True)
    counts = Counter(mutant.kind for mutant in chosen)
    told = ", ".join(f"{count} of kind {kind}" for kind, count in counts.items())
    seconds = time.monotonic() - begun
    print(f"{len(chosen)} changes ({told}): {left} alive, {seconds:.0f} s")
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(main())
