# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.models``: which form of the default model, by speed and by summary quality.

Each form answers in forks of one process, as in the guest, on one thread. Rounds of all forms are
interleaved, so that a noisy neighbour hits all of them; the best round counts, and all are kept.
Quality is ROUGE of summaries of our own dialogues (`data/dialogues.jsonl`, none of them an example
in a prompt) against two references of our own each; "first two lines" is what no model at all gets.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.rouge import Rouge, rouge
from guest.worker import tasks
from guest.worker.engine import CONTEXT_TOKENS, Engine
from guest.worker.outward import shown
from lab.model import QUANTS, make_model
from wire.api import SUMMARIZE, Message, SummarizeRequest, write_summarize

HERE: Final = Path(__file__).parent
DIALOGUES: Final = HERE / "data" / "dialogues.jsonl"
RATE_DIALOGUES: Final = 4  # joined into one request of about 500 tokens
RATE_TOKENS: Final = 48
# Delimiters differ from boot to boot and sway a small model: quality is told for each.
SECRETS: Final = (b"bench", b"bench 2", b"bench 3")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One of our own, with two summaries."""

    body: bytes
    first_lines: str
    summaries: list[str]


def main() -> int:
    """Measure, print a table, keep the raw numbers."""
    parser = argparse.ArgumentParser(prog="python -m bench.models", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of speed (default 5)")
    parser.add_argument(
        "--wheel", type=Path, help="the wheel with the model (default: as installed)"
    )
    parser.add_argument("--out", type=Path, default=HERE / "results" / "models.json")
    given = parser.parse_args()
    dialogues = [dialogue(json.loads(line)) for line in DIALOGUES.read_text().splitlines()]
    engines, result = {}, dict[str, Any]()
    for quant in QUANTS:
        engines[quant], result[quant] = _load(make_model(wheel=given.wheel, quant=quant))
    for _ in range(given.rounds):
        for quant, engine in engines.items():
            result[quant].setdefault("rounds", []).append(_round(engine, long_request(dialogues)))
    for quant, engine in engines.items():
        result[quant]["rouge"] = [
            in_child(partial(_quality, engine, dialogues, secret)) for secret in SECRETS
        ]
    first = _mean([rouge(each.first_lines, each.summaries) for each in dialogues])
    written = {
        "command": " ".join(["python -m bench.models", f"--rounds {given.rounds}"]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "simd": simd(),
            "load": os.getloadavg()[0],
        },
        "dialogues": len(dialogues),
        "rouge of the first two lines": first,
        "models": result,
    }
    given.out.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    _print(result, first)
    return 0


def dialogue(row: dict[str, Any]) -> Dialogue:
    """A row of `DIALOGUES`."""
    messages = tuple(Message(sender, "", text) for sender, text in row["messages"])
    return Dialogue(
        body=write_summarize(SummarizeRequest(messages)),
        first_lines=" ".join(f"{message.sender}: {message.text}" for message in messages[:2]),
        summaries=row["summaries"],
    )


def long_request(dialogues: list[Dialogue]) -> bytes:
    """One request of about 500 tokens."""
    bodies = (json.loads(each.body)["messages"] for each in dialogues[:RATE_DIALOGUES])
    return json.dumps({"messages": [message for body in bodies for message in body]}).encode()


def _load(path: Path) -> tuple[Engine, dict[str, Any]]:
    started = time.perf_counter()
    before = _memory_mb()
    with path.open("rb") as file:
        engine = Engine.load(file.fileno(), context_tokens=CONTEXT_TOKENS, threads=1)
    loaded = time.perf_counter()
    for name, prefix in tasks.prefixes().items():
        engine.learn(name, prefix)
    learned = time.perf_counter()
    tokens = sum(CONTEXT_TOKENS - engine.room(name) for name in tasks.PREFIXES)
    after = _memory_mb()
    return engine, {
        "file_mb": round(path.stat().st_size / 1e6),
        "load_ms": round((loaded - started) * 1000),
        "learn_ms": round((learned - loaded) * 1000),
        "prefix_tokens": tokens,
        "zygote_rss_mb": after["Rss"] - before["Rss"],
    }


def _round(engine: Engine, body: bytes) -> dict[str, float]:
    """What a fork and a prefix cost, how fast a request is read and an answer written."""
    first = in_child(partial(_first_token, engine, tasks.SUMMARIZE_PREFIX))
    return {
        "first_token_ms": first["ms"],
        **in_child(partial(_rates, engine, body)),
    }


def _first_token(engine: Engine, name: str) -> dict[str, float]:
    started = time.perf_counter()
    for _ in engine.generate(name, " Ana", max_tokens=1, abort=_never):
        continue
    return {"ms": (time.perf_counter() - started) * 1000}


def _rates(engine: Engine, body: bytes) -> dict[str, float]:
    nonce = tasks.make_nonce(SECRETS[0], body)
    prompt = tasks.build_prompt(SUMMARIZE, body, nonce=nonce, meter=engine)
    for _ in engine.generate(prompt.prefix, prompt.text, max_tokens=RATE_TOKENS, abort=_never):
        continue
    return {
        "prefill_tokens_per_s": engine.tokens_in / engine.prefill_ms * 1000,
        "decode_tokens_per_s": engine.tokens_out / engine.decode_ms * 1000,
        "private_mb": _memory_mb()["Private_Dirty"],
    }


def _quality(engine: Engine, dialogues: list[Dialogue], secret: bytes) -> dict[str, Any]:
    texts = [_summary(engine, each.body, secret) for each in dialogues]
    pairs = zip(texts, dialogues, strict=True)
    return {**_mean([rouge(text, each.summaries) for text, each in pairs]), "summaries": texts}


def _summary(engine: Engine, body: bytes, secret: bytes) -> str:
    """As the worker makes it (`guest.worker.request`), without sealing."""
    nonce = tasks.make_nonce(secret, body)
    prompt = tasks.build_prompt(SUMMARIZE, body, nonce=nonce, meter=engine)
    said = engine.generate(
        prompt.prefix,
        prompt.text,
        max_tokens=prompt.max_tokens,
        stop=prompt.stop,
        abort=_never,
    )
    return "".join(
        shown(said, begins=prompt.begins, max_chars=prompt.max_chars, carried=prompt.carried)
    )


def _mean(scores: list[Rouge]) -> dict[str, float]:
    return {
        "rouge1": round(statistics.fmean(score.one for score in scores), 3),
        "rouge2": round(statistics.fmean(score.two for score in scores), 3),
        "rougeL": round(statistics.fmean(score.longest for score in scores), 3),
    }


def in_child(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` returns in a fork, and how long the fork took."""
    reading, writing = os.pipe()
    before = time.monotonic_ns()
    pid = os.fork()
    if pid == 0:
        fork_ms = (time.monotonic_ns() - before) / 1e6
        try:
            with os.fdopen(writing, "w") as pipe:
                json.dump({"fork_ms": fork_ms, **work()}, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    found: dict[str, Any] = json.loads(text)
    return found


def _memory_mb() -> dict[str, int]:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) // 1024 for line in lines}


def simd() -> list[str]:
    """What this processor says of its vector instructions."""
    flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[-1].split("\n", 1)[0].split()
    return sorted(flag for flag in flags if flag.startswith(("avx", "amx", "f16c", "fma")))


def _never() -> bool:
    return False


def _print(result: dict[str, Any], first: dict[str, float]) -> None:
    columns = ("file MB", "load ms", "learn ms", "prefill t/s", "decode t/s", "R-1", "R-2", "R-L")
    print(f"{'':22}" + "".join(f"{column:>12}" for column in columns))
    for quant, found in result.items():
        rounds, scores = found["rounds"], found["rouge"]
        speed = [found["file_mb"], found["load_ms"], found["learn_ms"]]
        speed += [
            round(max(each[key] for each in rounds))
            for key in ("prefill_tokens_per_s", "decode_tokens_per_s")
        ]
        for each in scores:
            cells = [*speed, *(each[key] for key in first)]
            print(f"{quant:22}" + "".join(f"{cell:>12}" for cell in cells))
    print(f"{'first two lines':22}" + " " * 60 + "".join(f"{cell:>12}" for cell in first.values()))


if __name__ == "__main__":
    sys.exit(main())
