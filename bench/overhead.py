# SPDX-License-Identifier: Apache-2.0
"""What the room costs beside inference: the same prompt through everything, and on llama.cpp alone.

Both are run in turn in one run, so that a noisy neighbour hits both. "Alone" is the same engine on
the same prompt from the same evaluated prefix, without fork, seal, relay, gate or receipt. A batch
answer is compared: a streamed one waits for the tick of its padding, which is a choice, not a
cost.
"""

from __future__ import annotations

import os
import secrets
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from guest.worker import tasks
from guest.worker.engine import Engine
from guest.worker.modelfile import seal_model
from lab.deployment import EVIDENCE_PATH, Deployment
from lab.documents import GuestPlan, sha256_of
from sealroom import Room, Trust, connect, read_chat
from sealroom.evidence import verify_evidence
from wire.api import JSON, SUMMARIZE, Message, SummarizeRequest, write_summarize
from wire.kem import PrivateKey
from wire.keyconfig import KeyConfig
from wire.ohttp import RequestOpener, RequestSealer
from wire.suites import DEFAULT

CHAT: Final = Path("examples") / "chats" / "incident.txt"
PREFIX: Final = "summarize"
FORKS: Final = 50
REPEATS: Final = 200
FETCH_MAX_S: Final = 10


def measure(model: Path, *, rounds: int) -> dict[str, Any]:
    """Samples and medians, in milliseconds."""
    messages = read_chat(CHAT.read_bytes()).messages
    plan = GuestPlan(slots=1, threads=1)
    engine, prompt = _alone(model, plan, messages)
    with (
        tempfile.TemporaryDirectory(prefix="sealroom-bench-") as folder,
        Deployment(Path(folder), model, plan) as lab,
    ):
        trust = Trust.load(lab.trust)
        with connect(trust=trust) as room:
            _round(engine, prompt, room, messages)  # warms both; not counted
            samples = [_round(engine, prompt, room, messages) for _ in range(rounds)]
        with urllib.request.urlopen(lab.relay_url + EVIDENCE_PATH, timeout=FETCH_MAX_S) as reply:
            evidence = reply.read()
    now = datetime.now(UTC)
    return {
        "chat": CHAT.name,
        "rounds": rounds,
        "samples_ms": samples,
        "median_ms": {key: statistics.median(s[key] for s in samples) for key in samples[0]},
        "single_ms": {
            "verify evidence": _repeat(lambda: verify_evidence(evidence, trust, now=now)),
            **_crypto(),
            "fork and reap the loaded engine": _forks(),
        },
    }


def _alone(
    model: Path, plan: GuestPlan, messages: Sequence[Message]
) -> tuple[Engine, tasks.Prompt]:
    """An engine of our own with the summary prefix, and the prompt a guest would make."""
    sealed = seal_model(os.open(model, os.O_RDONLY | os.O_CLOEXEC), sha256_of(model))
    engine = Engine.load(sealed, context_tokens=plan.context_tokens, threads=plan.threads)
    engine.learn(PREFIX, tasks.prefixes()[PREFIX])
    content = write_summarize(SummarizeRequest(tuple(messages)))
    return engine, tasks.build_prompt(
        SUMMARIZE, content, nonce=tasks.make_nonce(secrets.token_bytes(32), content), meter=engine
    )


def _round(
    engine: Engine, prompt: tasks.Prompt, room: Room, messages: Sequence[Message]
) -> dict[str, float]:
    """One request alone, one through everything."""
    started = time.perf_counter()
    written = engine.generate(
        prompt.prefix,
        prompt.text,
        max_tokens=prompt.max_tokens,
        stop=prompt.stop,
        abort=lambda: False,
    )
    for _ in written:
        continue
    alone = (time.perf_counter() - started) * 1000
    alone_tokens = engine.tokens_in + engine.tokens_out
    started = time.perf_counter()
    answer = room.summarize(messages)
    sealed = (time.perf_counter() - started) * 1000
    inference = answer.done.ms.prefill + answer.done.ms.decode
    return {
        "alone": round(alone, 1),
        "alone_tokens": alone_tokens,
        "sealroom": round(sealed, 1),
        "sealroom_tokens": answer.done.tokens_in + answer.done.tokens_out,
        "sealroom_inference": inference,
        "overhead": round(sealed - inference, 1),
        "overhead_share": round((sealed - inference) / sealed, 4),
        "seal": answer.timing.seal,
        "open": answer.timing.open,
        "erased": answer.timing.erased,
    }


def _crypto() -> dict[str, dict[str, float]]:
    """Sealing on the device, and decapsulation with opening in the guest, for 4 KiB."""
    key = PrivateKey.generate(DEFAULT.kem)
    config = KeyConfig(1, DEFAULT.kem, key.public_bytes, ((DEFAULT.kdf, DEFAULT.aead),))
    message = JSON.encode("ascii").ljust(4096, b"\0")

    def open_one() -> None:
        sealed, _ = RequestSealer(config).seal(message)
        opener = RequestOpener(sealed)
        opener.open(key.decap(opener.enc))

    return {
        "seal 4 KiB (X-Wing)": _repeat(lambda: RequestSealer(config).seal(message)),
        "seal, decapsulate and open 4 KiB (X-Wing)": _repeat(open_one),
    }


def _forks() -> dict[str, float]:
    """Fork of this process, which has the model and its evaluated prefix, and its reaping."""

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)

    return _repeat(fork, FORKS)


def _repeat(what: Callable[[], object], times: int = REPEATS) -> dict[str, float]:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        what()
        taken.append((time.perf_counter() - started) * 1000)
    taken.sort()
    return {
        "least": round(taken[0], 3),
        "median": round(statistics.median(taken), 3),
        "p90": round(taken[int(len(taken) * 0.9)], 3),
        "times": times,
    }
