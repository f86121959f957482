# SPDX-License-Identifier: Apache-2.0
"""What the operator's metrics show, and that one request cannot be seen in them."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress import Ingress
from services.ingress.metrics import HISTOGRAMS, PERIOD_S, RESULTS, ROUTES, STEP, Metrics, Stage
from services.ingress.metrics_server import MEDIA, METRICS_PATH, MeasuredIngress
from services.observer import COMPLETE, CUT, Observation
from services.problems import PROBLEMS
from services.resources import Kind
from tests.services.peer import Peer, listening
from tests.services.plain_http import CHUNKED, PATH, PATIENCE_S, ask

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="[^"]*",?)+)\})? ([0-9.]+)')
OUTCOMES = [COMPLETE, CUT, *(problem.word for problem in PROBLEMS)]
COUNTS = ("sealroom_ingress_requests", "http_server")
CANARY = "zebra-quartz-5417-mango"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def numbers(text: str) -> dict[str, float]:
    """Every sample of a reading, by its name and labels."""
    samples = {}
    for line in text.splitlines():
        if not line.startswith("# TYPE "):
            match = LINE.fullmatch(line)
            assert match is not None, line
            samples[f"{match[1]}{{{match[2] or ''}}}"] = float(match[3])
    return samples


def counts(metrics: Metrics) -> dict[str, float]:
    """A reading less what is not a count of requests."""
    samples = numbers(metrics.text(guests_answering=1))
    return {name: value for name, value in samples.items() if name.startswith(COUNTS)}


observations = st.builds(
    Observation,
    kind=st.sampled_from(["", *Kind]),
    outcome=st.sampled_from(OUTCOMES),
    bytes_in=st.integers(0, 1 << 20),
    bytes_out=st.integers(0, 1 << 24),
)
histories = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0, 200)),
        st.tuples(st.just("read"), st.none()),
        st.tuples(st.integers(1, 25), observations),
    ),
    max_size=60,
)


def test_every_outcome_has_a_stage_of_its_own() -> None:
    assert set(RESULTS) == set(OUTCOMES)
    assert set(RESULTS.values()) == set(Stage)
    assert set(ROUTES) == {"", *Kind}


@given(histories)
def test_whatever_happens_what_is_shown_moves_in_steps_and_only_at_beats(
    history: list[tuple[object, object]],
) -> None:
    clock = Clock()
    metrics = Metrics(clock=clock)
    began, last_beat, before = clock.now, 0, counts(metrics)
    for what, argument in history:
        if isinstance(argument, float):
            clock.now += argument
        elif isinstance(argument, Observation) and isinstance(what, int):
            for _ in range(what):
                metrics.observe(argument)
                metrics.took(argument.kind, argument.bytes_in / 1000)
        now = counts(metrics)
        beat = int((clock.now - began) // PERIOD_S)
        assert now.keys() == before.keys()
        assert all(value % STEP == 0 for value in now.values())
        assert all(now[name] >= before[name] for name in now)
        if beat == last_beat:
            assert now == before
        last_beat, before = beat, now


@given(st.lists(observations, max_size=80))
def test_a_count_is_what_was_counted_until_the_last_beat_rounded_down(
    seen: list[Observation],
) -> None:
    clock = Clock()
    metrics = Metrics(clock=clock)
    for observation in seen:
        metrics.observe(observation)
    clock.now += PERIOD_S
    for _ in range(3 * STEP):  # after the beat: not to be seen yet
        metrics.observe(Observation(Kind.EXCHANGE, COMPLETE, 1, 1))
    shown = counts(metrics)
    true = Counter((ROUTES[each.kind], each.outcome) for each in seen)
    for route in ROUTES.values():
        for result, stage in RESULTS.items():
            labels = f'http_route="{route}",stage="{stage}",result="{result}"'
            wanted = true[route, result] // STEP * STEP
            assert shown[f"sealroom_ingress_requests_total{{{labels}}}"] == wanted


@given(st.lists(observations, max_size=40), st.randoms(use_true_random=False))
def test_the_order_within_a_period_is_not_to_be_seen(
    seen: list[Observation], random: Random
) -> None:
    shuffled = list(seen)
    random.shuffle(shuffled)
    readings = []
    for history in (seen, shuffled):
        clock = Clock()
        metrics = Metrics(clock=clock)
        for at, observation in enumerate(history):
            clock.now = 1000.0 + at  # at most 40 s: one period
            metrics.observe(observation)
        clock.now = 1000.0 + PERIOD_S
        readings.append(metrics.text(guests_answering=1))
    assert readings[0] == readings[1]


@given(st.lists(observations, max_size=STEP - 1))
def test_fewer_than_a_step_show_nothing(seen: list[Observation]) -> None:
    clock = Clock()
    metrics = Metrics(clock=clock)
    for observation in seen:
        metrics.observe(observation)
    clock.now += 10 * PERIOD_S
    assert set(counts(metrics).values()) <= {0}


def test_the_buckets_of_a_histogram_add_up() -> None:
    clock = Clock()
    metrics = Metrics(clock=clock)
    for size in (1, 9000, 40000, 200000, 600000):
        for _ in range(STEP):
            metrics.observe(Observation(Kind.EXCHANGE, COMPLETE, size, 0))
    clock.now += PERIOD_S
    shown = counts(metrics)
    name = "http_server_request_body_size_bytes"
    bounds = [*(f"{bound:g}" for bound in HISTOGRAMS[name]), "+Inf"]
    route = 'http_route="/t/{target}"'
    assert [shown[f'{name}_bucket{{{route},le="{bound}"}}'] for bound in bounds] == [
        10,
        20,
        30,
        40,
        50,
    ]
    assert shown[f"{name}_count{{{route}}}"] == 50
    assert not any("_sum" in name for name in shown)


def test_what_nobody_knows_is_counted_as_other() -> None:
    clock = Clock()
    metrics = Metrics(clock=clock)
    for _ in range(STEP):
        metrics.observe(Observation(CANARY, CANARY, 0, 0))
    clock.now += PERIOD_S
    text = metrics.text(guests_answering=0)
    assert CANARY not in text
    assert 'http_route="other",stage="unknown",result="failed"} 10' in text


@pytest.mark.parametrize(("step", "period_s"), [(1, 60.0), (0, 60.0), (10, 0.0)])
def test_metrics_that_would_show_single_requests_are_refused(step: int, period_s: float) -> None:
    with pytest.raises(ValueError, match="wanted a step"):
        Metrics(clock=Clock(), step=step, period_s=period_s)


def test_requests_are_counted_and_what_they_said_is_not_shown() -> None:
    async def run() -> None:
        clock = Clock()
        ports: list[int] = []
        peer = Peer()
        metrics = Metrics(clock=clock)
        async with asyncio.timeout(PATIENCE_S), listening(peer) as guest:
            ingress = Ingress([guest], metrics=metrics)
            measured = MeasuredIngress(
                ingress, metrics, host="127.0.0.1", port=0, on_ready=ports.append
            )
            async with measured:
                for _ in range(STEP):
                    await ask(
                        measured.port, "POST", PATH, {"Content-Type": CHUNKED}, CANARY.encode()
                    )
                    await ask(measured.port, "GET", f"/{CANARY}", {"X-Said": CANARY})
                clock.now += PERIOD_S
                head, text = await ask(ports[0], "GET", METRICS_PATH)
                assert (head.status, head["content-type"]) == (200, MEDIA)
                shown = text.decode("ascii")
                assert CANARY not in shown
                assert 'http_route="/t/{target}",stage="answer",result="complete"} 10' in shown
                assert 'http_route="other",stage="request",result="not-found"} 10' in shown
                assert 'http_server_request_duration_seconds_count{http_route="other"} 10' in shown
                assert "sealroom_ingress_guests_answering 1" in shown
                assert (await ask(measured.port, "GET", METRICS_PATH))[0].status == 404
                assert (await ask(ports[0], "GET", "/healthz"))[0].status == 404
                assert (await ask(ports[0], "POST", METRICS_PATH))[0].status == 405

    asyncio.run(run())


def test_the_command_shows_metrics_only_where_it_was_told() -> None:
    command = [sys.executable, "-m", "services.ingress", "--listen=127.0.0.1:0"]
    guest = "--guest=tcp:127.0.0.1:1"
    with subprocess.Popen(
        [*command, guest, "--metrics=127.0.0.1:0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.terminate()
    assert [line.rpartition(":")[0] for line in lines] == [
        "metrics on 127.0.0.1",
        "listening on 127.0.0.1",
    ]
