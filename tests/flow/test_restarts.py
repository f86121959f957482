# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed come back with other keys, and health names who is missing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from guest.door import Process
from guestapi.guest_pb2 import DEGRADED, READY
from tests.flow import processes
from tests.flow.client import key_configs, rewrite_message, seal
from tests.flow.site import Site
from tests.flow.test_busy import health
from tests.flow.test_exhaustion import MARK, echo, echo_again, echo_program
from wire.suites import Kem

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with echo_program(tmp_path_factory.mktemp("restarts")) as standing_site:
        yield standing_site


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    processes.until("its end", lambda: processes.gone(pid))


@pytest.mark.parametrize("spent", [True, False], ids=["answered before", "never sent before"])
def test_a_ciphertext_to_the_keyholder_before_opens_nowhere_however_often_it_comes(
    site: Site, spent: bool
) -> None:
    """There is no window for a replay: the cache is gone, and so is the key."""
    assert echo_again(site)
    url = site.lab.relay_url
    old = seal(key_configs(url)[Kem.XWING], rewrite_message(f"echo {MARK} 3"))
    if spent:
        assert old.opens(old.post(url))
    kill(site.pids()[Process.KEYHOLDER])
    assert echo_again(site)
    replies = [old.post(url) for _ in range(2)]
    assert [(reply.status, reply.word) for reply in replies] == [(422, "unknown-key")] * 2


def test_a_zygote_that_falls_again_and_again_is_missed_by_name_and_comes_back(site: Site) -> None:
    assert echo_again(site)
    zygotes = set()
    for _ in range(3):
        processes.until("a zygote", lambda: health(site).state == READY)
        zygotes.add(zygote := site.pids()[Process.ZYGOTE])
        kill(zygote)
        reply = processes.until("that it is missed", lambda: missed(site))
        assert reply == DEGRADED
    assert echo_again(site)
    assert len(zygotes) == 3
    journal = [json.loads(line) for line in site.lab.log("guest").read_text().splitlines()]
    which = list(Process).index(Process.ZYGOTE)
    fell = [e["restarts"] for e in journal if e["event"] == "fell" and e["process"] == which]
    assert fell[-3:] == [fell[-3] + step for step in range(3)]


def missed(site: Site) -> int | None:
    """The state while health names the zygote as missing."""
    reply = health(site)
    return reply.state if "zygote" in reply.missing else None


def test_all_three_killed_at_once_come_back(site: Site) -> None:
    assert echo_again(site)
    before = site.pids()
    for pid in before.values():
        kill(pid)
    assert echo_again(site)
    assert not set(before.values()) & set(site.pids().values())
    assert echo(site)
