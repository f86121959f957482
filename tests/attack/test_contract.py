# SPDX-License-Identifier: Apache-2.0
"""Each attack has a defence that can be taken away, or a stated reason why none can."""

from collections import Counter

from lab.attack.environment import NAMES as VARIABLES
from lab.attack.table import ATTACKS as FROM_INSIDE
from sealroom.attack.attack import Needs
from sealroom.attack.table import ATTACKS as FROM_OUTSIDE
from tests.attack.defences import DEFENCES, REASONS

NAMES = [one.name for one in FROM_OUTSIDE] + [one.name for one in FROM_INSIDE]


def test_each_attack_has_a_defence_or_a_reason() -> None:
    covered = Counter(name for defence in DEFENCES for name in defence.attacks)
    covered.update(REASONS.keys())
    assert covered == Counter(NAMES)


def test_reasons_are_few_and_given_in_words() -> None:
    assert len(REASONS) <= len(NAMES) // 10
    assert all(len(reason.split()) > 5 for reason in REASONS.values())


def test_what_an_attack_needs_is_what_its_table_has() -> None:
    assert {one.needs for one in FROM_OUTSIDE} == {Needs.RELAY}
    assert {one.needs for one in FROM_INSIDE} == {Needs.LAB}


def test_the_environment_is_attacked_by_at_least_forty_names() -> None:
    assert len(VARIABLES) >= 40
