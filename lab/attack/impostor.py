# SPDX-License-Identifier: Apache-2.0
"""A machine of the attacker's: a mock platform, and a statement that names the attacker's key.

If the device believed it, it would seal its request to that key, and the attacker would read it.
With nothing wrong it is believed, as its roots are those of the device; that is tried first.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from attest import Reason
from attest.endorsements import Endorsements
from attest.evidence import Evidence, write_evidence
from attest.statement import (
    PRODUCT,
    Platform,
    Statement,
    Variant,
    report_data,
    write_statement,
)
from guest.worker.tasks import prompts_digest
from lab.documents import IN_FORCE, ISSUED_BEFORE, GuestPlan, write_config, write_trust
from lab.mocktsm import MockSnp, SnpFault, TdxFault
from lab.mocktsm.snp_faults import SNP_FAULTS, snp_endorsements, snp_report
from lab.mocktsm.tdx_faults import TDX_FAULTS, tdx_endorsements
from sealroom import Trust
from sealroom.attack.attack import Outcome, UnclearError, Verdict
from sealroom.attack.evidence import sent_to
from sealroom.attack.middle import Middle
from sealroom.attack.own_key import OwnKey
from sealroom.attack.target import Target

NOWHERE: Final = "http://127.0.0.1:9"
MODEL: Final = hashlib.sha256(b"the model that the device wants").digest()
LIFE_S: Final = 1800

Fault = SnpFault | TdxFault
Stating = Callable[[Statement], Statement]


def honestly(statement: Statement) -> Statement:
    """A statement that says what the device wants to hear."""
    return statement


@dataclass
class Impostor:
    """One machine of the attacker's.

    Attributes:
        plan: its platform.
        fault: what is wrong with the platform, if anything.
        stating: what it says otherwise than the device wants.
        endorsed: swaps the endorsements.
    """

    plan: GuestPlan = field(default_factory=GuestPlan)
    fault: Fault | None = None
    stating: Stating = honestly
    endorsed: Callable[[Endorsements], Endorsements] = lambda endorsements: endorsements
    own: OwnKey = field(default_factory=OwnKey)

    @property
    def trust(self) -> Trust:
        """What a device believes that would believe this machine, were nothing wrong with it."""
        config = write_config(self.plan, MODEL)
        return Trust.parse(write_trust(self.plan, relay=NOWHERE, model=MODEL, config=config))

    def evidence(self) -> bytes:
        """Evidence as of now."""
        now = int(time.time())
        statement = Statement(
            product=PRODUCT,
            variant=Variant.MOCK,
            platform=self.plan.platform,
            key_configs=(self.own.config_bytes,),
            not_before=now - 10,
            not_after=now - 10 + LIFE_S,
            epoch=1,
            model=MODEL,
            prompts=prompts_digest(),
            configuration=hashlib.sha256(write_config(self.plan, MODEL)).digest(),
            receipt_key=secrets.token_bytes(32),
            checkpoint=None,
            lacking=(),
        )
        stated = write_statement(self.stating(statement))
        report, endorsements = self._vouched(report_data(stated))
        evidence = Evidence(platform=self.plan.platform, statement=stated, report=report)
        return write_evidence(evidence, self.endorsed(endorsements))

    def _vouched(self, data: bytes) -> tuple[bytes, Endorsements]:
        begin = datetime.now(UTC) - ISSUED_BEFORE
        life = begin, begin + IN_FORCE
        hardware = self.plan.hardware()
        if isinstance(hardware, MockSnp):
            fault = self.fault if isinstance(self.fault, SnpFault) else None
            report = hardware.report(data) if fault is None else snp_report(hardware, fault, data)
            return report, snp_endorsements(hardware, fault, life)
        spoiled = self.fault if isinstance(self.fault, TdxFault) else None
        changes = {} if spoiled is None else TDX_FAULTS[spoiled].quote(hardware)
        return hardware.quote(data, changes), tdx_endorsements(hardware, spoiled, life)

    async def deceives(self, *reasons: Reason, trust: Trust | None = None) -> Verdict:
        """Whether a device seals to this machine."""
        data = self.evidence()

        async def give(_request: web.Request, _body: bytes) -> web.StreamResponse:
            return web.Response(body=data, content_type="application/json")

        async def take(_request: web.Request, _body: bytes) -> web.StreamResponse:
            return web.Response(status=500)

        target = Target(NOWHERE, trust or self.trust)
        middle = Middle(NOWHERE, on_evidence=give, on_post=take)
        return await sent_to(target, middle, self.own, *reasons)


async def caught(impostor: Impostor, *reasons: Reason, trust: Trust | None = None) -> Verdict:
    """Whether the device sees through the impostor, who is believed when nothing is wrong.

    Raises:
        UnclearError: the device believes none of these machines, so a refusal shows nothing.
    """
    good = replace(impostor, fault=None, stating=honestly, endorsed=lambda given: given)
    if (await good.deceives()).outcome is not Outcome.SUCCEEDED:
        raise UnclearError("the device does not believe a machine with which nothing is wrong")
    return await impostor.deceives(*reasons, trust=trust)


def plan_for(fault: Fault) -> GuestPlan:
    """A platform that can have the fault: of the first version of reports that knows of it."""
    if isinstance(fault, TdxFault):
        return GuestPlan(platform=Platform.TDX, quote_version=TDX_FAULTS[fault].version)
    return GuestPlan(version=max(3, SNP_FAULTS[fault].version))


def reasons_of(fault: Fault) -> frozenset[Reason]:
    """What a verifier finds, and nothing else."""
    found = SNP_FAULTS[fault] if isinstance(fault, SnpFault) else TDX_FAULTS[fault]
    return found.reasons
