# SPDX-License-Identifier: Apache-2.0
"""Carrying attacks out one after the other, each within its time; a result for each.

What an attack cannot cope with (an error of the SDK, of HTTP or of the system) makes it unclear.
An error of any other kind is a defect of ours and ends the command.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Final, TypeVar

import aiohttp

from sealroom.attack.attack import Attack, Outcome, UnclearError, Verdict
from sealroom.errors import SealroomError
from sealroom.timing import milliseconds

REASON_MAX_CHARACTERS: Final = 300
EXPECTED: Final = Outcome.REFUSED

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Result:
    """One attack and what came of it. The names of the fields are those of `--json`."""

    name: str
    reference: str
    expected: Outcome
    outcome: Outcome
    reason: str
    ms: int

    def as_json(self) -> dict[str, object]:
        """The result as data."""
        return asdict(self)


def result(attack: Attack[S], verdict: Verdict, ms: int = 0) -> Result:
    """What is told of an attack."""
    reason = " ".join(verdict.reason.split())[:REASON_MAX_CHARACTERS]
    return Result(attack.name, attack.reference, EXPECTED, verdict.outcome, reason, ms)


async def carry_out(attack: Attack[S], site: S) -> Result:
    """Run one attack against `site`."""
    clock = asyncio.get_running_loop().time
    started = clock()
    verdict = await _within(attack.limit_s, lambda: attack.run(site))
    return result(attack, verdict, milliseconds(clock() - started))


async def _within(limit_s: float, run: Callable[[], Awaitable[Verdict]]) -> Verdict:
    try:
        async with asyncio.timeout(limit_s):
            return await run()
    except TimeoutError:
        return Verdict(Outcome.UNCLEAR, f"it was not over within {limit_s:g} s")
    except UnclearError as error:
        return Verdict(Outcome.UNCLEAR, str(error))
    except (SealroomError, aiohttp.ClientError, OSError) as error:
        return Verdict(Outcome.UNCLEAR, f"{type(error).__name__}: {error}")
