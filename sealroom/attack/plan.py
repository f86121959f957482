# SPDX-License-Identifier: Apache-2.0
"""Which attacks run against what: a given deployment, or a fresh one of the lab.

Before anything is attacked an honest request must be answered, and after everything one more: what
does not work for an honest client cannot be said to have refused an attacker.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from sealroom.attack.attack import Attack, Needs, Outcome, UnclearError, Verdict
from sealroom.attack.lab_part import SKIPPED, LabPart, Site
from sealroom.attack.runner import Result, carry_out, result
from sealroom.attack.table import ATTACKS
from sealroom.attack.target import Target, ask
from sealroom.errors import SealroomError

Tell = Callable[[str], None]


def rows(lab: LabPart | None, only: Sequence[str] = ()) -> tuple[Attack[Any], ...]:
    """The rows to run, in order: all that are installed, or the ones named.

    Raises:
        ValueError: there is no row of such a name.
    """
    found: tuple[Attack[Any], ...] = ATTACKS if lab is None else ATTACKS + lab.ATTACKS
    if unknown := sorted(set(only) - {attack.name for attack in found}):
        raise ValueError(f"no attack {', '.join(unknown)}; --list names them")
    return tuple(attack for attack in found if not only or attack.name in only)


async def attack_target(
    chosen: Sequence[Attack[Any]], target: Target, tell: Tell
) -> AsyncGenerator[Result, None]:
    """Attack a given deployment; what needs the inside of one is skipped.

    Raises:
        SealroomError: an honest request is not answered, before or after.
    """
    await ask(target)
    for attack in chosen:
        if attack.needs is Needs.LAB:
            yield result(attack, Verdict(Outcome.SKIPPED, SKIPPED))
        else:
            tell(attack.name)
            yield await carry_out(attack, target)
    await ask(target)


async def attack_lab(
    chosen: Sequence[Attack[Any]], lab: LabPart, tell: Tell
) -> AsyncGenerator[Result, None]:
    """Bring a deployment up and attack it from outside and from inside.

    Raises:
        UnclearError: it did not come up.
        SealroomError: an honest request is not answered, before or after.
    """
    async with lab.fresh(tell) as site:
        await ask(site.target)
        for attack in chosen:
            tell(attack.name)
            against: Target | Site = site if attack.needs is Needs.LAB else site.target
            yield await carry_out(attack, against)
        await _still_serves(site)


async def _still_serves(site: Site) -> None:
    try:
        await ask(site.target)
    except SealroomError as error:
        raise UnclearError(f"after the attacks an honest request got: {error}") from error
