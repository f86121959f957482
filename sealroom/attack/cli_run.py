# SPDX-License-Identifier: Apache-2.0
"""`sealroom attack`: runs the attacks of `sealroom.attack` and says what came of each.

Without `--trust` they run against a fresh deployment of the package `lab`, where that is installed.
With a trust file they run against the relay it names, as any client could; what would need the
inside of that deployment is `skipped`. Only `refused` is what one wants to read: an attack that
`succeeded` ends the command with 70, one that is `unclear` with 71.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from sealroom.attack.attack import Attack, Outcome, UnclearError
from sealroom.attack.lab_part import LabPart, lab_part
from sealroom.attack.plan import attack_lab, attack_target, rows
from sealroom.attack.runner import Result
from sealroom.attack.target import Target
from sealroom.cli_report import printable
from sealroom.errors import (
    EXIT_ATTACK_SUCCEEDED,
    EXIT_ATTACK_UNCLEAR,
    EXIT_OK,
    UsageError,
)
from sealroom.trust import Trust

_CLEAR_LINE = "\r\x1b[K"
_NO_LAB = "the package lab is not installed: give the trust file of a deployment"


def attack(args: argparse.Namespace) -> int:
    """Runs the attacks; the exit code says whether all were refused."""
    lab = lab_part()
    try:
        chosen = rows(lab, args.only)
    except ValueError as error:
        raise UsageError("--only", str(error)) from error
    if args.list:
        _list(chosen, lab, as_json=args.json)
        return EXIT_OK
    try:
        results = asyncio.run(_collect(chosen, lab, args))
    except UnclearError as error:
        print(f"sealroom: {printable(str(error))}", file=sys.stderr)
        return EXIT_ATTACK_UNCLEAR
    if args.json:
        print(json.dumps({"attacks": [one.as_json() for one in results]}, indent=2))
    else:
        print(_sum(results))
    return _exit_code(results)


def _exit_code(results: Sequence[Result]) -> int:
    outcomes = {one.outcome for one in results}
    if Outcome.SUCCEEDED in outcomes:
        return EXIT_ATTACK_SUCCEEDED
    return EXIT_ATTACK_UNCLEAR if Outcome.UNCLEAR in outcomes else EXIT_OK


async def _collect(
    chosen: Sequence[Attack[Any]], lab: LabPart | None, args: argparse.Namespace
) -> list[Result]:
    """All results, each shown when it is there."""
    show = _Progress(len(chosen), quiet=args.json)
    results = []
    async with aclosing(_results(chosen, lab, args, show)) as running:
        async for one in running:
            show.result(one)
            results.append(one)
    return results


def _results(
    chosen: Sequence[Attack[Any]], lab: LabPart | None, args: argparse.Namespace, show: _Progress
) -> AsyncGenerator[Result, None]:
    if args.trust is not None:
        trust = Trust.load(args.trust)
        return attack_target(chosen, Target(args.relay or trust.relay, trust), show.tell)
    if lab is None:
        raise UsageError("--trust", _NO_LAB)
    return attack_lab(chosen, lab, show.tell)


class _Progress:
    """Rows to stdout as they come; what is being done to a terminal's last line."""

    def __init__(self, count: int, *, quiet: bool) -> None:
        self._count = count
        self._quiet = quiet
        self._done = 0
        self._on_terminal = sys.stderr.isatty()

    def tell(self, text: str) -> None:
        """What is being done now."""
        if self._on_terminal:
            line = f"{_CLEAR_LINE}[{self._done}/{self._count}] {text} …"
            print(line, end="", file=sys.stderr, flush=True)

    def result(self, one: Result) -> None:
        """What came of an attack."""
        self._done += 1
        if self._on_terminal:
            print(_CLEAR_LINE, end="", file=sys.stderr, flush=True)
        if not self._quiet:
            print(printable(_line(one)), flush=True)


def _line(one: Result) -> str:
    return f"{one.outcome:9}  {one.name:34}  {one.ms:6} ms  {one.reference}\n{'':11}{one.reason}"


def _sum(results: Sequence[Result]) -> str:
    counts = Counter(one.outcome for one in results)
    told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome])
    return f"{len(results)} attacks: {told}"


def _list(chosen: Sequence[Attack[Any]], lab: LabPart | None, *, as_json: bool) -> None:
    if as_json:
        told = [
            {
                "name": one.name,
                "reference": one.reference,
                "tries": one.tries,
                "defence": one.defence,
                "needs": one.needs,
            }
            for one in chosen
        ]
        print(json.dumps({"attacks": told}, indent=2))
        return
    for one in chosen:
        print(f"{one.name} ({one.needs})")
        print(f"    tries:   {one.tries}\n    against: {one.defence}\n    see:     {one.reference}")
    if lab is None:
        print("sealroom: the attacks of the package lab are not installed", file=sys.stderr)
