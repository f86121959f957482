# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.ttft``: does the first token come sooner for a request that was made before?

A cache of prompts that is shared between users tells, by time, what others asked. Here the same
request is made again and again, between requests that nobody made before, each in a fork of the
process that holds the model, as in the guest. All have the same number of tokens. The two samples
are compared by two permutation tests that swap within a pair, since pairs were measured side by
side: of the mean difference of ranks (Wilcoxon, Mann and Whitney), and of the largest distance of
their distributions (Kolmogorov and Smirnov). As a control the same is done with what a shared cache
would do: the repeated request was learned, as the public prefix is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.models import in_child
from guest.worker import tasks
from guest.worker.engine import Engine
from guest.worker.prompts import load_prefix
from lab.model import default_model
from wire.api import SUMMARIZE, Message, SummarizeRequest, write_summarize

RESULTS: Final = Path(__file__).parent / "results" / "ttft.json"
PAIRS: Final = 60
SHUFFLES: Final = 10_000
SEED: Final = 4
NAMES: Final = ("Ana", "Ben", "Max", "Tom", "Kim", "Eva", "Lee", "Sam")
WORDS: Final = (
    *("car", "lake", "train", "dinner", "key", "dog", "letter", "house", "book", "school"),
    *("garden", "bread", "phone", "ticket", "river", "table", "doctor", "market", "window", "coat"),
)
LINES: Final = 6
CACHED: Final = "a request, learned as a shared cache would"


def main() -> int:
    """Measure, test, keep every time."""
    parser = argparse.ArgumentParser(prog="python -m bench.ttft", description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"default {PAIRS}")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    with default_model().open("rb") as file:
        engine = Engine.load(file.fileno())
    prefix = load_prefix(tasks.SUMMARIZE_PREFIX)
    engine.learn(tasks.SUMMARIZE_PREFIX, prefix)
    chance = random.Random(SEED)
    requests = _requests(engine, chance)
    repeated = next(requests)
    engine.learn(CACHED, prefix + repeated[:-1])
    ways: dict[str, Callable[[], float]] = {
        "repeated": lambda: _first_token_ms(engine, tasks.SUMMARIZE_PREFIX, repeated),
        "new": lambda: _first_token_ms(engine, tasks.SUMMARIZE_PREFIX, next(requests)),
        "cached": lambda: _first_token_ms(engine, CACHED, repeated[-1:]),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(given.pairs):
        for way in chance.sample([*ways], len(ways)):
            times[way].append(ways[way]())
    result = {
        "command": " ".join(["python -m bench.ttft", *sys.argv[1:]]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release()},
        "tokens": engine.count(repeated),
        "pairs": given.pairs,
        "seed": SEED,
        "shuffles": SHUFFLES,
        "median_ms": {way: round(statistics.median(each), 2) for way, each in times.items()},
        "repeated against new": compare(times["repeated"], times["new"]),
        "cached against new (control)": compare(times["cached"], times["new"]),
        "ms": {way: [round(each, 3) for each in found] for way, found in times.items()},
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    shown = {key: value for key, value in result.items() if key not in ("ms", "machine")}
    print(json.dumps(shown, indent=1))
    return 0


def compare(one: Sequence[float], other: Sequence[float]) -> dict[str, float]:
    """Two-sided p-values: how often chance alone makes a pair of samples differ as much."""
    chance = random.Random(SEED)
    pairs = len(one)
    times = [
        (ms, side, pair)
        for side, sample in enumerate((one, other))
        for pair, ms in enumerate(sample)
    ]
    order = [(pair, side) for _, side, pair in sorted(times)]
    seen = _differences(order, [0] * pairs)
    more = [0, 0]
    for _ in range(SHUFFLES):
        swapped = [chance.getrandbits(1) for _ in range(pairs)]
        found = _differences(order, swapped)
        more = [
            count + (each >= least) for count, each, least in zip(more, found, seen, strict=True)
        ]
    ranks, distance = ((count + 1) / (SHUFFLES + 1) for count in more)
    return {
        "rank difference": round(seen[0] / pairs, 3),
        "p by ranks": round(ranks, 4),
        "largest distance": round(seen[1] / pairs, 3),
        "p by distance": round(distance, 4),
    }


def _differences(order: Sequence[tuple[int, int]], swapped: Sequence[int]) -> tuple[int, int]:
    """How far apart the ranks of both samples are, and the samples' distributions, in counts.

    `order` names the pair and the side of each time, the shortest first; a pair that is swapped
    counts for the other side.
    """
    ranks, ahead, largest = 0, 0, 0
    for rank, (pair, side) in enumerate(order):
        step = 1 if side ^ swapped[pair] else -1
        ranks += step * rank
        ahead += step
        largest = max(largest, abs(ahead))
    return abs(ranks), largest


def _requests(engine: Engine, chance: random.Random) -> Iterator[str]:
    """Requests laid out for the model, all different, all of as many tokens as the first."""
    tokens = None
    while True:
        messages = tuple(
            Message(chance.choice(NAMES), "", " ".join(chance.sample(WORDS, 8)))
            for _ in range(LINES)
        )
        body = write_summarize(SummarizeRequest(messages))
        nonce = tasks.make_nonce(b"bench", body)
        text = tasks.build_prompt(SUMMARIZE, body, nonce=nonce, meter=engine).text
        tokens = tokens or engine.count(text)
        if engine.count(text) == tokens:
            yield text


def _first_token_ms(engine: Engine, name: str, text: str) -> float:
    """From before the fork until the first token, with the prompt tokenised and read between."""
    started = time.perf_counter()

    def first() -> dict[str, Any]:
        for _ in engine.generate(name, text, max_tokens=1, abort=lambda: False):
            continue
        return {"ms": (time.perf_counter() - started) * 1000}

    found: float = in_child(first)["ms"]
    return found


if __name__ == "__main__":
    sys.exit(main())
