# SPDX-License-Identifier: Apache-2.0
"""To a guest whose evidence did not come or did not verify, nothing is ever sent."""

import asyncio
import dataclasses

import pytest
from aiohttp import web

from attest import Stage
from attest.evidence import EVIDENCE_MAX_BYTES
from sealroom import Trust, aio
from sealroom.errors import (
    Deadline,
    NotTrusted,
    Unreachable,
)
from tests.sealroom.asking import SHORT, failure
from tests.sealroom.guest import Guest
from tests.sealroom.relay import Relay, always, serving, stream
from wire.suites import PLAIN


def spoilt(guest: Guest) -> bytes:
    """Evidence whose report has another signature (at byte 672 of the report, 896 of its text)."""
    data = bytearray(guest.evidence)
    at = data.index(b'"report":"') + len(b'"report":"') + 904
    data[at] = ord("A") if data[at] != ord("A") else ord("B")
    return bytes(data)


def test_to_a_guest_that_is_not_trusted_nothing_is_sent(guest: Guest, trust: Trust) -> None:
    evidence = always(lambda: web.Response(body=spoilt(guest)))

    relay = Relay(guest, on_evidence=evidence)
    error = failure(relay, trust)
    assert isinstance(error, NotTrusted)
    assert error.stage is Stage.SIGNATURE
    assert error.findings
    assert relay.posts == []


def test_malformed_evidence_is_not_trusted(guest: Guest, trust: Trust) -> None:
    evidence = always(lambda: web.Response(body=guest.evidence + b" "))

    relay = Relay(guest, on_evidence=evidence)
    error = failure(relay, trust)
    assert isinstance(error, NotTrusted)
    assert (error.stage, error.findings) == (Stage.FORMAT, ())
    assert relay.posts == []


def test_evidence_over_the_limit_is_not_read_to_its_end(guest: Guest, trust: Trust) -> None:
    async def evidence(request: web.Request, _body: bytes) -> web.StreamResponse:
        return await stream(request, [b" " * EVIDENCE_MAX_BYTES, b" "], "application/json")

    relay = Relay(guest, on_evidence=evidence)
    assert isinstance(failure(relay, trust), Unreachable)
    assert relay.posts == []


def test_evidence_that_does_not_come_in_time_is_a_deadline(guest: Guest, trust: Trust) -> None:
    evidence = always(web.Response, after_s=2)

    patience = dataclasses.replace(SHORT, evidence_s=0.3)
    relay = Relay(guest, on_evidence=evidence)
    assert isinstance(failure(relay, trust, timeouts=patience), Deadline)


def test_a_redirect_of_the_evidence_is_not_followed(guest: Guest, trust: Trust) -> None:
    again = {"Location": "/.well-known/sealroom-evidence"}
    evidence = always(lambda: web.Response(status=302, headers=again))

    relay = Relay(guest, on_evidence=evidence)
    error = failure(relay, trust)
    assert isinstance(error, Unreachable)
    assert error.status == 302
    assert relay.fetched == 1


def test_a_guest_without_the_one_suite_is_not_sealed_to() -> None:
    guest = Guest(PLAIN)
    relay = Relay(guest)
    error = failure(relay, Trust.parse(guest.trust_file()))
    assert isinstance(error, Unreachable)
    assert relay.posts == []


def test_a_relay_that_is_not_there_is_unreachable(guest: Guest, trust: Trust) -> None:
    async def run() -> None:
        async with serving(Relay(guest)) as relay:
            url = relay.url
        async with aio.connect(url, trust=trust, timeouts=SHORT):
            pass

    with pytest.raises(Unreachable):
        asyncio.run(run())
