# SPDX-License-Identifier: Apache-2.0
"""A keyholder alone, as init starts it, on a platform with a fault: what it publishes to the gate.

The test stands where init and the gate are, at the other ends of the keyholder's doors.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from os import getpid
from pathlib import Path

from guest import sandbox
from guest.channel import Channel, pair
from guest.config import parse_config
from guest.door import Process, Say
from guest.environment import ENVIRONMENT
from guest.publication import Publication
from guest.settings import Identity, write_sections
from guest.worker.tasks import prompts_digest
from lab.documents import GuestPlan, write_config, write_trust
from sealroom import Trust

PROMPTS = prompts_digest()
MODEL = hashlib.sha256(b"no model is needed here").digest()
PLAN = GuestPlan()
PATIENCE_S = 60.0


def trust_of(plan: GuestPlan) -> Trust:
    """What a device must be told to trust the guest of this plan."""
    config = write_config(plan, MODEL)
    return Trust.parse(write_trust(plan, relay="http://127.0.0.1:9", model=MODEL, config=config))


TRUST = trust_of(PLAN)


@dataclass
class Keyholder:
    """One keyholder under one fault."""

    gate: Channel
    log: Path
    pid: int

    def told(self) -> Publication | None:
        """The next thing it publishes; None when that is that there is no key."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            parcel = self.gate.hear(wait=False)
            if parcel is None:
                time.sleep(0.05)
            elif parcel.say is Say.PUBLISH:
                return Publication.parse(parcel.body) if parcel.body else None
        raise AssertionError(f"nothing published: {self.events()}")

    def published(self) -> Publication:
        """The next evidence that it publishes."""
        while (publication := self.told()) is None:
            pass
        return publication

    def has_published(self) -> bool:
        """Whether evidence has come by now."""
        while (parcel := self.gate.hear(wait=False)) is not None:
            if parcel.body:
                return True
        return False

    def events(self) -> list[str]:
        """What it has written into its journal."""
        return [json.loads(line)["event"] for line in self.log.read_text().splitlines()]


@contextmanager
def keyholder(
    folder: Path,
    faults: Mapping[StrEnum, int | str],
    plan: GuestPlan = PLAN,
    program: str = "lab.keyholder",
) -> Iterator[Keyholder]:
    """Run a keyholder's program as planned, on a platform with `faults`."""
    read = parse_config(write_config(plan, MODEL))
    identity = Identity(
        variant=read.variant,
        model=MODEL,
        prompts=PROMPTS,
        configuration=read.digest,
        lacking=sandbox.missing(),
    )
    mock = json.dumps({**plan.mock(), "faults": faults})
    names = (program.rpartition(".")[2], *faults, *map(str, faults.values()))
    log = folder / f"{'-'.join(names)}.log"
    init_end, door_end = pair()
    gate_end, link_end = pair()
    with log.open("wb") as journal, door_end:
        running = subprocess.Popen(
            [
                *(sys.executable, "-I", "-m", program),
                *(str(door_end.fileno()), str(getpid()), mock),
            ],
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
        yield Keyholder(gate, log, running.pid)
    finally:
        running.kill()
        running.wait()
        init.close()
        gate.close()
