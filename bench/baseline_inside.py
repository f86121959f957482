# SPDX-License-Identifier: Apache-2.0
"""Run by the image's own interpreter: how fast one build of llama.cpp reads and writes.

The guest's engine, on one thread, with the public prefix of a summary before the request. Each line
of standard input asks for a round, each line of standard output is one. Times are processor time of
this process, in which a neighbour counts less; the clock's are beside them.

    baseline_inside.py PACKAGES     # the first line of input: [model, request, tokens]
"""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(sys.argv[1])

from guest.worker import tasks
from guest.worker.engine import CONTEXT_TOKENS, Engine
from wire.api import SUMMARIZE

SECRET = b"bench"


def load(path: str) -> Engine:
    """The model, with what comes before every request for a summary."""
    with Path(path).open("rb") as file:
        engine = Engine.load(file.fileno(), context_tokens=CONTEXT_TOKENS, threads=1)
    engine.learn(tasks.SUMMARIZE_PREFIX, tasks.prefixes()[tasks.SUMMARIZE_PREFIX])
    return engine


def measure(engine: Engine, text: str, tokens: int) -> dict[str, Any]:
    """One answer: what reading the request cost, and what all tokens did."""
    times = [now()]

    def abort() -> bool:
        """Asked while the request is read, and before each token: the first has no work behind."""
        if engine.prefill_ms and len(times) == 1:
            times.append(now())
        return False

    pieces = engine.generate(tasks.SUMMARIZE_PREFIX, text, max_tokens=tokens, abort=abort)
    said = "".join(pieces)
    begin, read, end = [*times, now()]
    return {
        "tokens_in": engine.tokens_in,
        # The last is chosen and not evaluated.
        "tokens_out": engine.tokens_out - 1,
        "prefill_s": read[0] - begin[0],
        "decode_s": end[0] - read[0],
        "prefill_clock_s": read[1] - begin[1],
        "decode_clock_s": end[1] - read[1],
        "answer_sha256": hashlib.sha256(said.encode()).hexdigest(),
    }


def now() -> tuple[float, float]:
    """Seconds of the processor's time in this process, and of the clock."""
    return time.process_time(), time.perf_counter()


def main() -> None:
    """Measure a round for each line that comes."""
    model, body, tokens = json.loads(sys.stdin.readline())
    engine = load(model)
    nonce = tasks.make_nonce(SECRET, body.encode())
    prompt = tasks.build_prompt(SUMMARIZE, body.encode(), nonce=nonce, meter=engine)
    for _ in sys.stdin:
        print(json.dumps(measure(engine, prompt.text, tokens)), flush=True)


if __name__ == "__main__":
    main()
