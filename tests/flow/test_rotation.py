# SPDX-License-Identifier: Apache-2.0
"""Keys change while requests come: none is lost, and a key answers until its grace is over."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guest.door import Process
from lab.documents import GuestPlan
from sealroom import Tone, connect
from services.ingress import Ingress, parse_address
from tests.flow import processes
from tests.flow.client import key_configs, message, seal
from tests.flow.site import DRILL, Site, standing
from wire.keyconfig import target, write_key_config
from wire.suites import Kem

PLAN = GuestPlan(slots=2, life_s=6, overlap_s=2, grace_s=4)
EPOCHS = 5
REFRESH_S = 0.5  # the ingress's own ten seconds are for keys that live for minutes
GROWTH_MAX_BYTES = 4 << 20

pytestmark = pytest.mark.slow


@contextmanager
def quick_ingress(guest: str) -> Iterator[str]:
    """The URL of an ingress that looks for new keys more often than one for long-lived keys."""
    started = threading.Event()
    where: list[str] = []
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with Ingress([parse_address(f"tcp:{guest}")], refresh_s=REFRESH_S) as ingress:
            where.append(f"http://127.0.0.1:{ingress.port}")
            started.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(processes.PATIENCE_S)
        yield where[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def rotating(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Site]:
    with standing(tmp_path_factory.mktemp("rotating"), model, PLAN, DRILL) as site:
        yield site


def test_requests_go_on_through_every_change_of_keys(rotating: Site) -> None:
    keyholder = rotating.pids()[Process.KEYHOLDER]
    epochs: list[int] = []
    held: list[tuple[int, int]] = []
    with quick_ingress(rotating.lab.guest_address) as url:
        with connect(url, trust=rotating.trust) as room:
            while len(set(epochs)) <= EPOCHS:
                answer = room.rewrite("Call me back today.", Tone.FRIENDLY)
                epochs.append(answer.receipt.epoch)
                held.append((processes.descriptors(keyholder), processes.resident_bytes(keyholder)))
        assert epochs == sorted(epochs)
        settled = len([epoch for epoch in epochs if epoch <= epochs[0] + 1])
        assert max(descriptors for descriptors, _ in held[settled:]) <= held[settled][0]
        assert max(size for _, size in held[settled:]) - held[settled][1] < GROWTH_MAX_BYTES


def test_an_old_key_answers_until_its_grace_is_over(rotating: Site) -> None:
    plain = message("/v1/nothing", b"{}")
    with quick_ingress(rotating.lab.guest_address) as url:
        old = key_configs(url)[Kem.XWING]
        seen_at = time.monotonic()
        statuses = []
        while 422 not in statuses:
            statuses.append(seal(old, plain).post(url).status)
            time.sleep(processes.POLL_S)
        lived_s = time.monotonic() - seen_at
        new = key_configs(url)[Kem.XWING]
    assert set(statuses[:-1]) == {200}
    # It was at most one change of keys old when it was seen.
    assert lived_s > PLAN.overlap_s + PLAN.grace_s - REFRESH_S
    assert target(write_key_config(new)) != target(write_key_config(old))


def test_the_journal_tells_of_every_epoch_from_birth_to_erasure(rotating: Site) -> None:
    log = rotating.lab.log("guest").read_text()
    for epoch in range(1, 1 + EPOCHS - 2):
        told = [line for line in log.splitlines() if f'"epoch":{epoch},' in line]
        assert len(told) == 3, told  # published, retired, erased
