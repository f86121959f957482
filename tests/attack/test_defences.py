# SPDX-License-Identifier: Apache-2.0
"""With every defence in place each attack is refused; with its own taken away it succeeds."""

import asyncio
from typing import Any

import pytest

from lab.attack.site import LabSite
from lab.attack.table import ATTACKS as FROM_INSIDE
from sealroom.attack.attack import Attack, Needs
from sealroom.attack.runner import Result, carry_out
from sealroom.attack.table import ATTACKS as FROM_OUTSIDE
from tests.attack.defences import DEFENCES, Defence

ALL: tuple[Attack[Any], ...] = FROM_OUTSIDE + FROM_INSIDE
ATTACKS = {one.name: one for one in ALL}


async def outcome(name: str, site: LabSite) -> Result:
    attack = ATTACKS[name]
    return await carry_out(attack, site if attack.needs is Needs.LAB else site.target)


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_refused(runner: asyncio.Runner, site: LabSite, name: str) -> None:
    result = runner.run(outcome(name, site))
    assert (result.outcome, result.reason) == ("refused", result.reason)


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.attacks[0])
def test_it_succeeds_without_its_defence(
    runner: asyncio.Runner, site: LabSite, defence: Defence, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def without() -> list[Result]:
        if not defence.programs and not defence.modules:
            defence.without(monkeypatch)
            return [await outcome(name, site) for name in defence.attacks]
        bare = LabSite(site.lab, site.new_folder(), defence.programs, defence.modules)
        async with bare.another() as house:
            try:
                return [await outcome(name, house) for name in defence.attacks]
            finally:
                await house.aclose()

    results = runner.run(without())
    told = {result.name: (result.outcome, result.reason) for result in results}
    assert {name for name, (outcome, _) in told.items() if outcome != "succeeded"} == set(), told
