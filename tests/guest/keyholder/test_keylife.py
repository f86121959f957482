# SPDX-License-Identifier: Apache-2.0
"""The life of keys: every pair of state and event is a row or is refused."""

import pytest

from guest.keyholder.keylife import (
    ANSWERING,
    TRANSITIONS,
    Event,
    IllegalTransitionError,
    State,
    step,
)

LIFE = [
    (State.BORN, Event.EVIDENCE_MADE, State.ATTESTED),
    (State.ATTESTED, Event.ANNOUNCED, State.PUBLISHED),
    (State.PUBLISHED, Event.ENDED, State.RETIRED),
    (State.RETIRED, Event.DRAINED, State.ERASED),
]
LIVING = [state for state in State if state is not State.ERASED]
UNLISTED = [(state, event) for state in State for event in Event if event not in TRANSITIONS[state]]


@pytest.mark.parametrize(("state", "event", "then"), LIFE)
def test_a_life_goes_from_birth_to_erasure(state: State, event: Event, then: State) -> None:
    assert step(state, event) is then


@pytest.mark.parametrize("state", LIVING)
def test_panic_erases_from_every_living_state(state: State) -> None:
    assert step(state, Event.PANIC) is State.ERASED


@pytest.mark.parametrize(("state", "event"), UNLISTED)
def test_an_event_that_is_not_in_the_table_is_refused(state: State, event: Event) -> None:
    with pytest.raises(IllegalTransitionError, match=f"{event} while {state}"):
        step(state, event)


def test_the_table_holds_the_life_and_panic_and_nothing_else() -> None:
    rows = {
        (state, event, then) for state, row in TRANSITIONS.items() for event, then in row.items()
    }
    assert rows == {*LIFE, *((state, Event.PANIC, State.ERASED) for state in LIVING)}


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_only_keys_that_were_published_answer() -> None:
    assert set(ANSWERING) == {State.PUBLISHED, State.RETIRED}
