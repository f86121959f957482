# SPDX-License-Identifier: Apache-2.0
"""One row: an item, what is expected of it, what we make of it; and when the two agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from attest import Reason, Refused, Stage
from attest.result import VerifiedReport

ACCEPTED = "accepted"
NONE = "-"
HEAD = "| item | what it is | clock | expected | verdict | status | advisories | reasons | agree |"
RULER = "|---|---|---|---|---|---|---|---|---|"

# What a stage that refuses leaves standing: the ones before it held.
BEFORE_RULES = frozenset({Stage.FORMAT, Stage.CHAIN, Stage.SIGNATURE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification came to.

    Attributes:
        stage: the stage that refused, or None.
        reasons: every reason of that stage.
        status: Intel's rating, as far as it is known.
        advisories: those that apply, as far as they are known.
    """

    stage: Stage | None = None
    reasons: tuple[Reason, ...] = ()
    status: str = NONE
    advisories: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """For people."""
        return ACCEPTED if self.stage is None else f"refused: {self.stage}"

    @property
    def signed(self) -> bool:
        """Whether chain and signatures held, whatever the rules say."""
        return self.stage not in BEFORE_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One item of the evidence.

    Attributes:
        item: its path in the evidence directory.
        what: what it is.
        clock: the time that was injected, or None where none matters.
        expected: as the evidence directory says it.
        got: our verdict.
        agrees: whether it is the expected one, by the expected reason.
    """

    item: str
    what: str
    clock: datetime | None
    expected: str
    got: Verdict
    agrees: bool

    @property
    def line(self) -> str:
        """The row in Markdown."""
        clock = NONE if self.clock is None else self.clock.astimezone(UTC).strftime("%Y-%m-%d")
        cells = (
            f"`{self.item}`",
            self.what,
            clock,
            self.expected,
            self.got.text,
            self.got.status,
            " ".join(self.got.advisories) or NONE,
            " ".join(self.got.reasons) or NONE,
            "yes" if self.agrees else "**no**",
        )
        return f"| {' | '.join(cells)} |"


def judge(verify: Callable[[], VerifiedReport]) -> Verdict:
    """What a verification comes to."""
    try:
        report = verify()
    except Refused as refused:
        return Verdict(refused.stage, tuple(finding.reason for finding in refused.findings))
    status = NONE if report.tcb_status is None else str(report.tcb_status)
    return Verdict(status=status, advisories=report.advisories)
