# SPDX-License-Identifier: Apache-2.0
"""What an attack is, and what can come of one.

The rule: an attack counts as refused only if the defence was seen to refuse it, for the reason
that belongs to it. Whatever else happens (the relay was gone, another check came first, time ran
out) is `unclear`, and what was not tried is `skipped`; neither ever counts as refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

LIMIT_S = 30.0

S_contra = TypeVar("S_contra", contravariant=True)


class Outcome(StrEnum):
    """What came of an attack."""

    REFUSED = "refused"  # the defence did what it is there for
    SUCCEEDED = "succeeded"  # the attacker got what the attack is after
    UNCLEAR = "unclear"  # it could not be carried out, so nothing is shown
    SKIPPED = "skipped"  # it was not tried


class Needs(StrEnum):
    """What an attack cannot do without."""

    RELAY = "relay"  # the address of a relay and a trust file: any client has these
    LAB = "lab"  # the inside of a deployment: its platform, its host, its processes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attack found out, and in what it shows."""

    outcome: Outcome
    reason: str


class UnclearError(Exception):
    """The attack could not be carried out; the text says what was in the way."""


@dataclass(frozen=True, slots=True)
class Attack(Generic[S_contra]):
    """One row of the table.

    Attributes:
        name: in small letters with dashes.
        reference: the CVE, audit finding, paper, weakness class or section where it is described.
        tries: what the attacker does.
        defence: what stands against it, and where.
        run: carries it out against a site, within `limit_s` seconds.
        limit_s: seconds; an attack that takes longer is unclear.
        needs: what it cannot do without.
    """

    name: str
    reference: str
    tries: str
    defence: str
    run: Callable[[S_contra], Awaitable[Verdict]]
    limit_s: float = LIMIT_S
    needs: Needs = Needs.RELAY


def refused(reason: str) -> Verdict:
    """The defence held."""
    return Verdict(Outcome.REFUSED, reason)


def succeeded(reason: str) -> Verdict:
    """The attacker got what the attack is after."""
    return Verdict(Outcome.SUCCEEDED, reason)
