# SPDX-License-Identifier: Apache-2.0
"""Attacks by the host: another configuration, another model, another guest, an old ciphertext."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Final

from aiohttp import web

from attest import Reason
from lab.attack.alone import Alone, control, running
from lab.attack.site import LabSite
from lab.documents import sha256_of, write_config
from lab.memscan import children
from sealroom.attack.attack import Attack, Needs, UnclearError, Verdict, refused, succeeded
from sealroom.attack.evidence import sent_to
from sealroom.attack.middle import Middle, serving
from sealroom.attack.own_key import OwnKey
from sealroom.attack.requests import control as answered
from sealroom.attack.requests import none_answered
from sealroom.attack.sealed import ByHand
from sealroom.attack.target import Target, ask, deceived
from sealroom.errors import AlteredError, SealroomError, StaleKey, Unreachable

SECOND: Final = "second"
LIMIT_S: Final = 120.0
BACK_S: Final = 60.0
POLL_S: Final = 0.2


async def other_configuration(site: LabSite) -> Verdict:
    """A guest that was started with another document than the published one."""
    house = await site.shared(SECOND)
    target, plan = house.target, house.lab.plan
    model = sha256_of(house.folder / "stub.gguf")
    published = write_config(replace(plan, slots=plan.slots + 1), model)
    digest = hashlib.sha256(published).digest()
    statement = replace(target.trust.policy.statement, configurations=frozenset({digest}))
    trust = replace(target.trust, policy=replace(target.trust.policy, statement=statement))
    await ask(target)
    given = Target(target.relay, trust)
    return await sent_to(given, Middle(target.relay), OwnKey(), Reason.UNKNOWN_CONFIGURATION)


async def model_changed(site: LabSite) -> Verdict:
    """One bit of the model changed after its digest was written into the configuration."""
    await control(site)
    guest = Alone(site)
    data = bytearray(guest.model.read_bytes())
    data[len(data) // 2] ^= 1
    guest.model.write_bytes(data)
    async with running(guest):
        refusal = await guest.until("model-refused")
        if guest.is_ready:
            return succeeded("the guest started with the changed model")
        if not refusal:
            raise UnclearError(f"it did not start, for another reason: {guest.journal[-200:]}")
    return refused("model-refused; the guest did not become ready")


async def diversion(site: LabSite) -> Verdict:
    """A request for one guest is carried to another, with other keys."""
    house = await site.shared(SECOND)
    elsewhere = await ByHand.of(house.target)
    there = await answered(elsewhere)
    middle = Middle(site.target.relay)

    async def divert(_request: web.Request, body: bytes) -> web.StreamResponse:
        reply = await elsewhere.post(f"/t/{there.target}", body)
        return web.Response(status=reply.status, body=reply.body, headers=reply.fields)

    middle.on_post = divert
    async with serving(middle):
        return await deceived(site.target, middle.url, (Unreachable, StaleKey, AlteredError))


async def replay_after_restart(site: LabSite) -> Verdict:
    """The keyholder is killed, and with it what it remembers; then an old ciphertext comes."""
    house = await site.shared(SECOND)
    client = await ByHand.of(house.target)
    old = await answered(client)
    before = _keyholder(house)
    os.kill(before, signal.SIGKILL)
    end = asyncio.get_running_loop().time() + BACK_S
    while True:
        try:
            if _keyholder(house) != before:
                await answered(await ByHand.of(house.target))
                break
        except (SealroomError, UnclearError, OSError):
            if asyncio.get_running_loop().time() > end:
                raise
        await asyncio.sleep(POLL_S)
    return none_answered([await client.send(old)], "ciphertexts for the keys before the restart")


def _keyholder(house: LabSite) -> int:
    """Its process id, by the module that it runs."""
    for pid in children(house.lab.pid("guest")):
        if b"keyholder" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise UnclearError("there is no keyholder")


ATTACKS: Final[tuple[Attack[LabSite], ...]] = (
    Attack(
        "other-configuration",
        "TOB-WAPI-13; dstack #615 (what is not measured)",
        "start the real guest with another configuration than the published one",
        "the document's digest is attested: guest.config, attest.rules (B6)",
        other_configuration,
        LIMIT_S,
        Needs.LAB,
    ),
    Attack(
        "model-changed",
        "dstack #615 (what is not measured); CWE-367",
        "change one bit of the model file behind the guest's back",
        "what was hashed is what is mapped: guest.worker.modelfile",
        model_changed,
        LIMIT_S,
        Needs.LAB,
    ),
    Attack(
        "diversion",
        "CVE-2026-33697 (diversion to another endpoint)",
        "carry a device's request to another guest than the one it has verified",
        "a request opens with the key it was sealed to and with no other: wire.hpke",
        diversion,
        LIMIT_S,
        Needs.LAB,
    ),
    Attack(
        "replay-after-restart",
        "RFC 9458 §6.5; CWE-294",
        "kill the process that remembers what was answered, and send it again",
        "keys die with what they remember: guest.keyholder",
        replay_after_restart,
        LIMIT_S,
        Needs.LAB,
    ),
)
