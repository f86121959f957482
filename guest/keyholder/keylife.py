# SPDX-License-Identifier: Apache-2.0
"""The life of an epoch's keys, as a table. Nothing else in the guest assigns such a state.

Keys are born in memory, attested, published, retired and erased (design §3). Every state can fall
to ERASED at once; from ERASED nothing leads anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where an epoch stands."""

    BORN = "born"  # in memory, known to nobody
    ATTESTED = "attested"  # named in a statement that the platform has signed
    PUBLISHED = "published"  # clients may encrypt to it
    RETIRED = "retired"  # no longer handed out; answers what is still under way
    ERASED = "erased"


class Event(StrEnum):
    """What can happen to an epoch."""

    EVIDENCE_MADE = "evidence-made"
    ANNOUNCED = "announced"
    ENDED = "ended"  # its not_after has come
    DRAINED = "drained"  # its grace is over
    PANIC = "panic"


TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.BORN: {Event.EVIDENCE_MADE: State.ATTESTED, Event.PANIC: State.ERASED},
    State.ATTESTED: {Event.ANNOUNCED: State.PUBLISHED, Event.PANIC: State.ERASED},
    State.PUBLISHED: {Event.ENDED: State.RETIRED, Event.PANIC: State.ERASED},
    State.RETIRED: {Event.DRAINED: State.ERASED, Event.PANIC: State.ERASED},
    State.ERASED: {},
}

ANSWERING: Final = frozenset({State.PUBLISHED, State.RETIRED})


class IllegalTransitionError(RuntimeError):
    """An event that the table does not list: a bug here, and nothing has changed."""


def step(state: State, event: Event) -> State:
    """The state that follows.

    Raises:
        IllegalTransitionError: the table has no such row.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransitionError(f"{event} while {state}") from None
