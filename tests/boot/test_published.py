# SPDX-License-Identifier: Apache-2.0
"""The test image as it is published, with the model it is published for: its evidence verifies.

No file has anything laid over it, and what the device believes in is the launch digest of the
committed manifest. What the mock says of the launch is computed from the very files that the
machine is started with (`lab.vm.launch`), so that the two are one is part of what is shown. The
guest attests before its model has read the public prefixes, which would take an hour here; nobody
waits for that, and no other boot can be asked for an answer by this model.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from attest.snp.launch.cpu import cpu_signature
from attest.statement import Variant
from image import measure, overlay
from lab.documents import GuestPlan, sha256_of, write_config, write_trust
from lab.mocktsm import MockTsm
from lab.vm.deployment import LACKING
from lab.vm.launch import CPU, FEATURES, measured
from lab.vm.machine import Machine
from lab.vm.plan import PROCESSORS, Disk, MachinePlan
from lab.vm.release import MODEL, load_image
from lab.vm.tools import Tools
from lab.vm.vsock import Shuttle
from sealroom import Trust
from sealroom.evidence import verify_evidence
from sealroom.release.manifest import parse_manifest
from services.ingress.address import parse_address
from services.ingress.guest import Guest
from services.limits import Limits
from services.problems import Refused

COMMITTED = measure.MEASUREMENTS / overlay.version() / "manifest.json"
RELAY = "https://relay.invalid"  # of the trust file; nobody asks it
EVIDENCE_MAX_S = 60.0  # from the first key to a gate that has it
ASK_AGAIN_S = 0.5


def published_digest() -> bytes:
    """The launch digest of the test image on the machine that `lab.vm.launch` is told of."""
    rows = parse_manifest(COMMITTED.read_bytes()).images.test.snp.rows
    wanted = (cpu_signature(CPU), FEATURES)
    (row,) = [row for row in rows if (row.signature, row.features) == wanted]
    return row.digests[PROCESSORS - 1]


async def evidence_at(address: str) -> bytes:
    """The evidence of the guest there, asked for until it has some."""
    guest = Guest(parse_address(f"tcp:{address}"), Limits(connect_s=EVIDENCE_MAX_S))
    until = time.monotonic() + EVIDENCE_MAX_S
    try:
        while True:
            try:
                return bytes((await guest.evidence()).evidence)
            except Refused:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(ASK_AGAIN_S)
    finally:
        guest.close()


def test_the_published_image_verifies_by_the_published_digest(tmp_path: Path, tools: Tools) -> None:
    image = load_image("test")
    plan = measured(GuestPlan(endorsements=None), image)
    model = sha256_of(MODEL)
    config = write_config(plan, model)
    (tmp_path / "config").write_bytes(config)
    disks = (Disk(MODEL), Disk(tmp_path / "config"))
    machine = MachinePlan(
        kernel=image.kernel, initrd=image.initrd, cmdline=image.cmdline, disks=disks
    )
    with Machine(machine, tools, mock=MockTsm(plan.hardware())) as running:
        running.wait_event("key-state")
        with Shuttle(running.places.vsock) as shuttle:
            evidence = asyncio.run(evidence_at(shuttle.address))
    believed = replace(plan, measurement=published_digest())
    trust = write_trust(believed, relay=RELAY, model=model, config=config, lacking=LACKING)
    guest = verify_evidence(evidence, Trust.parse(trust), now=datetime.now(UTC))
    assert guest.report.measurement == published_digest()
    assert guest.statement.variant is Variant.MOCK
    assert guest.statement.model == model
