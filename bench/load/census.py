# SPDX-License-Identifier: Apache-2.0
"""Who lives in a deployment and what it holds, twice a second, and what is left at the end."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from guest.door import Process
from lab.memscan import children
from tests.flow import processes

EVERY_S: Final = 0.5
SETTLE_MAX_S: Final = 30.0
GROWTH_MAX_BYTES: Final = 4 << 20
"""Noise of an allocator. A leak of one request's plaintext or ciphertext, a thousand times, is
several times as much."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What one process holds."""

    rss_kib: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Everybody at one time, in seconds since the start."""

    at_s: float
    holdings: Mapping[str, Holding]
    workers: int


class Census:
    """Counts on a thread of its own until it is closed.

    Args:
        init: the guest's init.
        others: further processes, by name.
    """

    def __init__(self, init: int, others: Mapping[str, int]) -> None:
        guest = processes.guest_processes(init)
        self.pids = {"init": init, **{str(name): pid for name, pid in guest.items()}, **others}
        self.moments: list[Moment] = []
        self._zygote = guest[Process.ZYGOTE]
        self._started = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count)

    def __enter__(self) -> Census:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def now(self) -> Moment:
        """Count once."""
        holdings = {
            name: Holding(processes.resident_bytes(pid) >> 10, processes.descriptors(pid))
            for name, pid in self.pids.items()
        }
        at_s = round(time.monotonic() - self._started, 2)
        return Moment(at_s, holdings, len(children(self._zygote)))

    def _count(self) -> None:
        while not self._over.wait(EVERY_S):
            self.moments.append(self.now())

    def settled(self, before: Moment) -> Moment:
        """The first moment without a worker in which nobody holds more descriptors than before."""
        end = time.monotonic() + SETTLE_MAX_S
        while (now := self.now()).workers or more_descriptors(before, now):
            if time.monotonic() > end:
                break
            time.sleep(EVERY_S)
        return now

    def growth_kib(self) -> dict[str, int]:
        """How much more memory each process holds in the last fifth of the run than in the second.

        The first fifth is for filling pools and caches that are meant to be filled.
        """
        fifth = max(1, len(self.moments) // 5)
        early, late = self.moments[fifth : 2 * fifth], self.moments[-fifth:]
        return {
            name: round(
                statistics.median(moment.holdings[name].rss_kib for moment in late)
                - statistics.median(moment.holdings[name].rss_kib for moment in early)
            )
            for name in self.pids
        }

    def plain(self) -> list[dict[str, object]]:
        """For JSON."""
        return [asdict(moment) for moment in self.moments]


def more_descriptors(before: Moment, after: Moment) -> dict[str, int]:
    """How many more descriptors each process holds, where it is more."""
    more = {
        name: after.holdings[name].descriptors - held.descriptors
        for name, held in before.holdings.items()
    }
    return {name: count for name, count in more.items() if count > 0}
