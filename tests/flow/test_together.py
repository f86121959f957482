# SPDX-License-Identifier: Apache-2.0
"""Requests at the same time: each gets its own answer, the one it would get alone, bit for bit."""

import pytest

from sealroom import Room, Tone
from sealroom.task import Task, rewrite, summarize
from tests.flow.site import Site, together
from wire.api import Message

TASKS = (
    rewrite("Where is the key? I need it now.", Tone.FRIENDLY),
    summarize((Message("Ana", "", "Dinner at eight?"), Message("Ben", "", "Yes, at my place."))),
    rewrite("gonna be late, start without me", Tone.PROFESSIONAL),
    rewrite("Thank you for the flowers.", Tone.REPHRASE),
)


def text(room: Room, asked: Task) -> str:
    return room.ask(asked).text


@pytest.fixture(scope="module")
def alone(house: Site) -> list[str]:
    """The answer to each request when nothing else runs."""
    with house.room() as room:
        return [text(room, asked) for asked in TASKS]


@pytest.mark.parametrize("clients", [2, 4])  # of two slots: all run at once, or some wait
def test_requests_at_once_get_the_answers_they_get_alone(
    house: Site, alone: list[str], clients: int
) -> None:
    assert house.plan.slots == 2
    with house.room() as room, together(clients) as pool:
        answers = list(pool.map(lambda asked: text(room, asked), TASKS[:clients]))
    assert answers == alone[:clients]
    assert len(set(answers)) == clients


def test_the_same_request_twice_at_once_gets_the_same_answer(house: Site, alone: list[str]) -> None:
    with house.room() as room, together(2) as pool:
        answers = list(pool.map(lambda asked: text(room, asked), [TASKS[0]] * 2))
    assert answers == [alone[0]] * 2
