# SPDX-License-Identifier: Apache-2.0
"""Requests at the same time: each gets its own answer, the one it would get alone, bit for bit."""

import pytest

from sealroom import Room, Tone
from sealroom.task import Task, rewrite, summarize
from tests.flow.site import Site, together
from wire.api import Message

pytestmark = pytest.mark.slow

TASKS = (
    rewrite("Where is the key? I need it now.", Tone.FRIENDLY),
    summarize((Message("Ana", "", "Dinner at eight?"), Message("Ben", "", "Yes, at my place."))),
    rewrite("gonna be late, start without me", Tone.PROFESSIONAL),
    rewrite("Thank you for the flowers.", Tone.REPHRASE),
)


def text(room: Room, asked: Task) -> str:
    return room.ask(asked).text


# Of two slots: all run at once, or some wait.
@pytest.mark.parametrize("clients", [2, 4])
def test_requests_at_once_get_the_answers_they_get_alone(house: Site, clients: int) -> None:
    assert house.plan.slots == 2
    tasks = TASKS[:clients]
    with house.room() as room, together(clients) as pool:
        alone = [text(room, asked) for asked in tasks]
        at_once = list(pool.map(lambda asked: text(room, asked), tasks))
    assert at_once == alone
    assert len(set(at_once)) == clients


def test_the_same_request_twice_at_once_gets_the_same_answer_twice(house: Site) -> None:
    with house.room() as room, together(2) as pool:
        one, other = pool.map(lambda asked: text(room, asked), [TASKS[0]] * 2)
    assert one == other
