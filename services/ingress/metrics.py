# SPDX-License-Identifier: Apache-2.0
"""What the operator may count: a fixed set of cells, in steps of `STEP`, once a `PERIOD_S`.

This file owns the numbers and decides alone what they may show. Rule: a reading is the same for
every history that differs by fewer than `STEP` requests a cell since the cell's last step, and for
every order of the requests of one period. So one request cannot be seen to come: a cell stays zero
until it has `STEP`, moves by whole steps, and only at the beats of a clock that started with the
process. Every cell is always shown, so none appears. No cell names a client, a guest, a key or a
target, and there are no sums, because the sum of a histogram is exact.

What this does not hide: a reader who can also send requests can bring a cell to one below its step.
Readers of metrics are people with a dashboard; the ingress itself sees every request anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from services.observer import COMPLETE, CUT, Observation
from services.problems import (
    BAD_GATEWAY,
    BUSY,
    DEADLINE,
    FAILED,
    METHOD_GET,
    NOT_FOUND,
    REFUSED,
    TOO_LARGE,
    TOO_SLOW,
    UNAVAILABLE,
    UNKNOWN_KEY,
    UNSUPPORTED_MEDIA,
)
from services.resources import EVIDENCE_PATH, KEYS_PATH, Kind

STEP: Final = 10
"""k: requests by which a cell must grow before it moves."""
PERIOD_S: Final = 60.0
"""Seconds between two moves of anything."""

DURATION_S: Final = (0.25, 1.0, 4.0, 16.0, 64.0)
"""Upper bounds of the duration's cells; the answer's own padding is coarser than they are."""
SIZE_BYTES: Final = (8192, 32768, 131072, 524288)
"""Upper bounds of the size's cells: each holds one padding bucket of the protocol, sealed."""


class Stage(StrEnum):
    """How far a request came."""

    REQUEST = "request"  # its HTTP was refused here
    ROUTING = "routing"  # no guest has its key
    GUEST = "guest"  # a guest refused it or could not be asked
    ANSWER = "answer"  # its answer had begun
    UNKNOWN = "unknown"


RESULTS: Final[Mapping[str, Stage]] = {
    **{
        problem.word: Stage.REQUEST
        for problem in (NOT_FOUND, METHOD_GET, TOO_SLOW, TOO_LARGE, UNSUPPORTED_MEDIA)
    },
    UNKNOWN_KEY.word: Stage.ROUTING,
    **{
        problem.word: Stage.GUEST for problem in (REFUSED, BUSY, DEADLINE, UNAVAILABLE, BAD_GATEWAY)
    },
    COMPLETE: Stage.ANSWER,
    CUT: Stage.ANSWER,
    FAILED.word: Stage.UNKNOWN,
}
"""Every outcome of a request to the stage it came to."""

OTHER: Final = "other"
ROUTES: Final[Mapping[str, str]] = {
    Kind.EXCHANGE: "/t/{target}",
    Kind.EVIDENCE: EVIDENCE_PATH,
    Kind.KEYS: KEYS_PATH,
    "": OTHER,
}
"""The kind of an observation to its `http.route`: a template, never a path that somebody sent."""

REQUESTS: Final = "sealroom_ingress_requests_total"
DURATION: Final = "http_server_request_duration_seconds"
BODY_IN: Final = "http_server_request_body_size_bytes"
BODY_OUT: Final = "http_server_response_body_size_bytes"
HISTOGRAMS: Final[Mapping[str, tuple[float, ...]]] = {
    DURATION: DURATION_S,
    BODY_IN: SIZE_BYTES,
    BODY_OUT: SIZE_BYTES,
}
"""Names as OpenTelemetry's semantic conventions for HTTP, spelled as Prometheus spells them."""

_Cell = tuple[str, str, str]  # the metric, the route, and the result or the place of the bound


class Metrics:
    """The counts of one ingress.

    Args:
        clock: monotonic seconds.
        step: k.
        period_s: seconds between two moves.
    """

    def __init__(
        self, *, clock: Callable[[], float], step: int = STEP, period_s: float = PERIOD_S
    ) -> None:
        if step < 2 or period_s <= 0:
            raise ValueError(f"metrics: wanted a step of 2 or more and a period, got {step}")
        self._clock = clock
        self._step = step
        self._period_s = period_s
        self._started = clock()
        self._period = 0
        self._counts: Counter[_Cell] = Counter()
        self._shown: Mapping[_Cell, int] = {}

    def observe(self, observation: Observation) -> None:
        """Count a finished request; an `services.observer.Observer`."""
        self._move()
        route = ROUTES.get(observation.kind, OTHER)
        result = observation.outcome if observation.outcome in RESULTS else FAILED.word
        self._counts[REQUESTS, route, result] += 1
        self._count(BODY_IN, route, observation.bytes_in)
        self._count(BODY_OUT, route, observation.bytes_out)

    def took(self, kind: str, seconds: float) -> None:
        """Count how long a request was worked on."""
        self._move()
        self._count(DURATION, ROUTES.get(kind, OTHER), seconds)

    def _count(self, name: str, route: str, value: float) -> None:
        place = sum(value > bound for bound in HISTOGRAMS[name])
        self._counts[name, route, str(place)] += 1

    def _move(self) -> None:
        """Show what was counted until the last beat. Called before anything is counted or read."""
        period = int((self._clock() - self._started) // self._period_s)
        if period > self._period:
            self._period = period
            self._shown = {cell: count - count % self._step for cell, count in self._counts.items()}

    def text(self, *, guests_answering: int) -> str:
        """What may be seen now, in Prometheus' text format 0.0.4.

        Args:
            guests_answering: how many guests answered the ingress last; nothing of a client's.
        """
        self._move()
        lines = [f"# TYPE {REQUESTS} counter"]
        for route in ROUTES.values():
            for result, stage in RESULTS.items():
                labels = f'http_route="{route}",stage="{stage}",result="{result}"'
                lines.append(
                    f"{REQUESTS}{{{labels}}} {self._shown.get((REQUESTS, route, result), 0)}"
                )
        for name, bounds in HISTOGRAMS.items():
            lines.append(f"# TYPE {name} histogram")
            for route in ROUTES.values():
                lines += self._histogram(name, route, bounds)
        for name, value in (
            ("sealroom_ingress_guests_answering", guests_answering),
            ("sealroom_ingress_metrics_step", self._step),
            ("sealroom_ingress_metrics_period_seconds", f"{self._period_s:g}"),
        ):
            lines += [f"# TYPE {name} gauge", f"{name} {value}"]
        return "\n".join(lines) + "\n"

    def _histogram(self, name: str, route: str, bounds: tuple[float, ...]) -> list[str]:
        """Cumulative buckets over cells that were rounded one by one."""
        lines = []
        total = 0
        for place, bound in enumerate([*(f"{bound:g}" for bound in bounds), "+Inf"]):
            total += self._shown.get((name, route, str(place)), 0)
            lines.append(f'{name}_bucket{{http_route="{route}",le="{bound}"}} {total}')
        return [*lines, f'{name}_count{{http_route="{route}"}} {total}']
