# SPDX-License-Identifier: Apache-2.0
"""The secrets of a request, searched for in every process of a guest that lives on after it.

While an answer is under way its key is where it must be, so the search can find it: in the worker,
and in the keyholder, which is to seal the end. Nobody else ever has it, and then nobody.
"""

from __future__ import annotations

import functools
import http.client
from collections import Counter
from urllib.parse import urlsplit

import pytest

from guest.door import Process
from lab.memscan.forms import Needle
from lab.memscan.search import Search
from tests.flow import processes
from tests.flow.canaries import stopped
from tests.flow.client import PATIENCE_S, key_configs, message, rewrite_message
from tests.flow.site import Site
from tests.guest.keyholder.residue import RESPONSE_KEY, needles
from wire.api import EVENT_STREAM
from wire.chunked import ChunkedRequestSealer
from wire.kem import encap
from wire.keyconfig import KeyConfig, target, write_key_config
from wire.ohttp import Mode, response_nonce_bytes

ROUNDS = 3


class Asked:
    """A request under way, and everything secret about it."""

    def __init__(self, url: str, config: KeyConfig, plain: bytes) -> None:
        made = encap(config.kem, config.public_key)
        body = ChunkedRequestSealer(config, encapsulation=made).seal_message(plain)
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=PATIENCE_S
        )
        where = f"/t/{target(write_key_config(config))}"
        headers = {"Content-Type": Mode.CHUNKED.value}
        self._connection.request("POST", where, body, headers)
        self._response = self._connection.getresponse()
        (suite,) = config.suites
        nonce = self._response.read(response_nonce_bytes(suite))
        self.needles: list[Needle] = needles(config.kem.name, config, made, nonce)

    def end(self) -> None:
        """Read the rest of the answer."""
        assert self._response.read()
        self._connection.close()


def found(site: Site, wanted: list[Needle]) -> dict[Process, Counter[str]]:
    """What is found in init, gate, keyholder and zygote."""
    search = Search(wanted)
    pids = {Process.INIT: site.init, **site.pids()}
    return {
        process: Counter(hit.form for hit in search.process(pid)) for process, pid in pids.items()
    }


def only_the_key(site: Site, wanted: list[Needle]) -> bool:
    """Whether the keyholder has what seals the answer, and nothing that it was made from."""
    return set(found(site, wanted)[Process.KEYHOLDER]) == {RESPONSE_KEY}


@pytest.mark.slow
def test_while_it_is_answered_only_the_worker_and_the_keyholder_have_a_key(house: Site) -> None:
    house.is_idle()
    for config in key_configs(house.lab.relay_url).values():
        asked = Asked(house.lab.relay_url, config, rewrite_message("Call me. " * 40, EVENT_STREAM))
        (worker,) = processes.until("a worker", lambda: processes.workers(house.init))
        with stopped(worker):
            in_worker = {hit.form for hit in Search(asked.needles).process(worker)}
            processes.until("the broom", functools.partial(only_the_key, house, asked.needles))
            others = found(house, asked.needles)
        assert RESPONSE_KEY in in_worker
        del others[Process.KEYHOLDER]
        assert {process: set(forms) for process, forms in others.items()} == {
            process: set() for process in others
        }
        asked.end()


@pytest.mark.slow
def test_after_it_was_answered_no_process_has_anything(house: Site) -> None:
    house.is_idle()
    wanted: list[Needle] = []
    for _ in range(ROUNDS):
        for config in key_configs(house.lab.relay_url).values():
            asked = Asked(house.lab.relay_url, config, message("/v1/nothing", b"{}"))
            asked.end()
            wanted += asked.needles
    house.is_idle()
    processes.until("the broom", lambda: not found(house, wanted)[Process.KEYHOLDER])
    assert not any(forms for forms in found(house, wanted).values())
