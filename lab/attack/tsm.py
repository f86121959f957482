# SPDX-License-Identifier: Apache-2.0
"""Attacks by a host that meddles with report requests between the keyholder and its platform.

A keyholder runs alone, as init starts it; we stand where init and the gate are. What the host wants
is a guest that publishes evidence for something else than its own keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from os import getpid
from pathlib import Path
from typing import Final

from guest import sandbox
from guest.channel import Channel, pair
from guest.config import parse_config
from guest.door import Process, Say
from guest.environment import ENVIRONMENT
from guest.publication import Publication
from guest.settings import Identity, write_sections
from guest.worker.tasks import prompts_digest
from lab.attack.site import LabSite
from lab.documents import GuestPlan, write_config, write_trust
from lab.mocktsm import FaultKind
from sealroom import NotTrusted, Trust
from sealroom.attack.attack import Attack, Needs, UnclearError, Verdict, refused, succeeded
from sealroom.evidence import verify_evidence

ALWAYS: Final = "always"
ATTEMPT_S: Final = 40.0  # retries included
LIMIT_S: Final = 90.0
POLL_S: Final = 0.05
MODEL: Final = hashlib.sha256(b"no model is needed here").digest()
PLAN: Final = GuestPlan()
GAVE_UP: Final = "attestation-failed"
PUBLISHES: Final = "an honest keyholder publishes"


@dataclass
class Keyholder:
    """One keyholder, from the gate's side."""

    gate: Channel
    log: Path

    async def publishes(self) -> Publication | None:
        """What it publishes first; None once it has given up."""
        end = asyncio.get_running_loop().time() + ATTEMPT_S
        while asyncio.get_running_loop().time() < end:
            while (parcel := self.gate.hear(wait=False)) is not None:
                if parcel.say is Say.PUBLISH and parcel.body:
                    return Publication.parse(parcel.body)
            if GAVE_UP in self.log.read_text():
                return None
            await asyncio.sleep(POLL_S)
        raise UnclearError("the keyholder neither published nor gave up")


@asynccontextmanager
async def keyholder(site: LabSite, fault: FaultKind | None) -> AsyncIterator[Keyholder]:
    """Run the lab's keyholder on a platform with the fault."""
    read = parse_config(write_config(PLAN, MODEL))
    identity = Identity(
        variant=read.variant,
        model=MODEL,
        prompts=prompts_digest(),
        configuration=read.digest,
        lacking=sandbox.missing(),
    )
    mock = json.dumps({**PLAN.mock(), "faults": {fault: ALWAYS} if fault else {}})
    log = site.new_folder() / "keyholder.log"
    module = site.programs.get("keyholder", "lab.keyholder")
    init_end, door_end = pair()
    gate_end, link_end = pair()
    with log.open("wb") as journal, door_end:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", module),
            *(str(door_end.fileno()), str(getpid()), mock),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stderr=journal,
            pass_fds=(door_end.fileno(),),
        )
    init = Channel(init_end, us=Process.INIT, them=Process.KEYHOLDER)
    gate = Channel(gate_end, us=Process.GATE, them=Process.KEYHOLDER)
    try:
        init.say(Say.CONFIG, body=write_sections(read.keys, read.stapling, identity))
        with link_end:
            init.say(Say.LINK, body=Process.GATE.encode("ascii"), fds=(link_end.fileno(),))
        yield Keyholder(gate, log)
    finally:
        process.kill()
        await process.wait()
        init.close()
        gate.close()


async def _control(site: LabSite, trust: Trust) -> None:
    """A keyholder without a fault publishes evidence that verifies.

    Raises:
        UnclearError: it publishes nothing.
    """
    if PUBLISHES in site.kept:
        return
    async with keyholder(site, None) as good:
        published = await good.publishes()
    if published is None:
        raise UnclearError("a keyholder without a fault publishes nothing")
    verify_evidence(published.evidence, trust, now=datetime.now(UTC))
    site.kept[PUBLISHES] = "and it verifies"


async def meddled(site: LabSite, fault: FaultKind) -> Verdict:
    """Whether the keyholder publishes what does not vouch for its keys."""
    config = write_config(PLAN, MODEL)
    trust = Trust.parse(write_trust(PLAN, relay="http://127.0.0.1:9", model=MODEL, config=config))
    await _control(site, trust)
    async with keyholder(site, fault) as one:
        published = await one.publishes()
    if published is None:
        return refused(f"{GAVE_UP}; nothing was published")
    try:
        verify_evidence(published.evidence, trust, now=datetime.now(UTC))
    except NotTrusted as error:
        return succeeded(f"the guest published what vouches for something else: {error}")
    return refused("the evidence vouches for the keyholder's own keys all the same")


_ROWS: Final = (
    (
        FaultKind.MEDDLING_WRITER,
        "tsm-race",
        "go-configfs-tsm #11 (generation); CWE-362",
        "write another request between the guest's write and its read",
        "the generation is compared: guest.keyholder.tsm",
    ),
    (
        FaultKind.LOST_COMMIT,
        "tsm-lost-write",
        "kernel: Documentation/ABI/testing/configfs-tsm; CWE-754",
        "lose the guest's request without an error, so that an older report comes back",
        "the generation must have moved: guest.keyholder.tsm",
    ),
    (
        FaultKind.SHORT_BLOB,
        "tsm-cut-report",
        "CWE-130",
        "cut the report off",
        "a report has one size: guest.keyholder.tsm, guest.keyholder.attesting",
    ),
    (
        FaultKind.WRONG_PROVIDER,
        "tsm-other-provider",
        "dstack #562, #563 (another provider by configuration)",
        "let another driver answer",
        "the provider is a table: guest.keyholder.attesting",
    ),
    (
        FaultKind.BUSY,
        "tsm-always-busy",
        "dstack #565 (wait without a bound); CWE-835",
        "never let a request through, so that the guest waits for ever or goes on without",
        "retries and time are bounded: guest.keyholder.tsm",
    ),
)


def _row(fault: FaultKind, name: str, reference: str, tries: str, defence: str) -> Attack[LabSite]:
    async def run(site: LabSite) -> Verdict:
        return await meddled(site, fault)

    return Attack(name, reference, tries, defence, run, LIMIT_S, Needs.LAB)


ATTACKS: Final[tuple[Attack[LabSite], ...]] = tuple(_row(*row) for row in _ROWS)
