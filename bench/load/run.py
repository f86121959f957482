# SPDX-License-Identifier: Apache-2.0
"""The load run: clients at the concurrency that the queue allows, killed workers, changing keys.

What must be zero stands in ``zeros``: answers that are wrong or hold another's words, failures
without a type, processes, descriptors and memory that are still held at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench.load.census import GROWTH_MAX_BYTES, Census, more_descriptors
from bench.load.middle import middlemen
from bench.load.traffic import REPLAYS, Client, Tally, errands
from guest.door import Process
from lab.documents import GuestPlan
from lab.memscan import children
from sealroom.aio import connect
from tests.flow.site import SCANNABLE, Site, standing

PLAN: Final = GuestPlan(
    slots=4, waiting_max=12, tick_ms=50, life_s=8, overlap_s=4, grace_s=6, deadline_s=60
)
ECHO: Final = {**SCANNABLE, "zygote": "tests.flow.programs.echo"}
KILL_EVERY_S: Final = 0.7
WARM_UP: Final = 16


@dataclass(frozen=True)
class Load:
    """How much, and from which seed."""

    requests: int = 1000
    seed: int = 1
    concurrency: int = PLAN.slots + PLAN.waiting_max - REPLAYS  # a replay is several at once
    model: Path | None = None  # a GGUF; without one the engine repeats what it is told


def measure(load: Load, folder: Path) -> dict[str, Any]:
    """Run it; the result is ready for JSON."""
    with _site(load, folder) as site, middlemen(site.lab.guest_address, folder) as middle:
        others = {"ingress": middle.ingress, "relay": middle.relay}
        tally = Tally()
        asyncio.run(_warm_up(load, site, middle.url))
        with Census(site.init, others) as census:
            before = census.settled(census.now())
            started = time.monotonic()
            asyncio.run(_storm(load, site, middle.url, tally, census.pids["zygote"]))
            took_s = time.monotonic() - started
            after = census.settled(before)
            pids = {str(name): pid for name, pid in site.pids().items()}
            unwanted = _unwanted(site, pids, census.pids)
        growth = census.growth_kib()
    return {
        "requests": load.requests,
        "seed": load.seed,
        "engine": "echo" if load.model is None else load.model.name,
        "concurrency": load.concurrency,
        "took_s": round(took_s, 1),
        "workers_killed": tally.killed,
        "epochs": len(tally.epochs),
        "outcomes": dict(sorted(tally.outcomes.items())),
        "growth_kib": growth,
        "zeros": {
            "wrong answers": len(tally.wrong),
            "untyped failures": len(tally.untyped),
            "leaked processes": len(unwanted),
            "leaked descriptors": sum(more_descriptors(before, after).values()),
            "processes that grew": sum(g * 1024 > GROWTH_MAX_BYTES for g in growth.values()),
        },
        "found": [*tally.wrong, *tally.untyped, *unwanted],
        "before": asdict(before),
        "after": asdict(after),
        "moments": census.plain(),
    }


@contextlib.contextmanager
def _site(load: Load, folder: Path) -> Iterator[Site]:
    model, programs = load.model, dict(SCANNABLE)
    if model is None:
        model, programs = folder / "no-model", ECHO
        model.write_bytes(b"the echo needs no model")
    with standing(folder / "site", model, PLAN, programs) as site:
        yield site


async def _warm_up(load: Load, site: Site, url: str) -> None:
    """Fill the pools that are meant to be filled, so that only what grows afterwards is a leak."""
    async with connect(url, trust=site.trust) as room:
        client = Client(room, url, Tally(), exact=load.model is None)
        await asyncio.gather(*map(client.run, errands(WARM_UP, random.Random(load.seed))))


async def _storm(load: Load, site: Site, url: str, tally: Tally, zygote: int) -> None:
    """Every request of the run, while workers are killed."""
    chance = random.Random(load.seed)
    queue = errands(load.requests, chance)
    async with connect(url, trust=site.trust) as room:
        client = Client(room, url, tally, exact=load.model is None)

        async def one_after_another() -> None:
            while queue:
                await client.run(queue.pop())

        killing = asyncio.create_task(_kill_workers(zygote, chance, tally))
        await asyncio.gather(*(one_after_another() for _ in range(load.concurrency)))
        killing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await killing


async def _kill_workers(zygote: int, chance: random.Random, tally: Tally) -> None:
    while True:
        await asyncio.sleep(chance.uniform(0, 2 * KILL_EVERY_S))
        if workers := children(zygote):
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
                tally.killed += 1


def _unwanted(site: Site, pids: dict[str, int], expected: dict[str, int]) -> list[str]:
    """Processes of the guest that should not be, or that are not the ones of the start."""
    found = [f"{name} was started again" for name, pid in pids.items() if pid != expected[name]]
    found += [
        f"a child of {name} is left"
        for name in (Process.GATE, Process.KEYHOLDER, Process.ZYGOTE)
        for _ in children(pids[str(name)])
    ]
    return found + ["a child of init is left"] * (len(children(site.init)) - len(pids))
