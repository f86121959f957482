# SPDX-License-Identifier: Apache-2.0
"""What a policy leaves open: one row for each thing that it might have demanded and does not.

A gap is no error: to accept the machines at hand, a policy may have to have some. It is said, with
what is known about it, so that nobody accepts one unread. The rows are in `attest.snp.gaps`,
`attest.tdx.gaps` and, for the statement, in `attest.lint`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that a policy leaves open.

    Attributes:
        rule: its name, which does not change.
        where: the policy's field, by its path.
        means: what may then be accepted.
        references: CVEs, bulletins, papers; the specification where there is no attack to name.
    """

    rule: str
    where: str
    means: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GapRule(Generic[P]):
    """One row: open or not for a policy, and the gap that it then is."""

    rule: str
    where: str
    is_open: Callable[[P], bool]
    means: str
    references: tuple[str, ...]

    @property
    def gap(self) -> Gap:
        """What to say when it is open."""
        return Gap(self.rule, self.where, self.means, self.references)
