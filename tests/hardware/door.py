# SPDX-License-Identifier: Apache-2.0
"""What must hold of a guest of our image, asked from its host, through its one door.

Production has no shell and no console, so this is all that can be asked of it, and all that anybody
else can ask.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from attest.endorsements import Endorsements, SnpEndorsements
from attest.evidence import Evidence, parse_evidence
from attest.policy import read_policy
from attest.result import VerifiedGuest
from attest.roots import Roots
from attest.snp.claims import Claims
from attest.snp.verify import parse_all
from attest.statement import PRODUCT, Platform, Variant, parse_statement
from attest.tdx.quote import parse_quote
from attest.verify import verify
from guestapi.guest_pb2 import EvidenceReply
from sealroom.measurement import LAUNCH_DIGEST
from sealroom.policy_drafts import pinned, pinned_snp
from sealroom.tdx_drafts import pinned_tdx
from services.ingress.address import GuestAddress, Transport
from services.ingress.guest import Guest
from services.limits import Limits
from tests.hardware.checks import Check, line_of_vek
from tests.hardware.subject import CheckError, NotHereError, wanted_registers

CLOSED_PORTS = (1, 22, 80, 1024, 4050, 5001, 5002, 8080, 9999)
CONNECT_S = 5.0
REFUSED = {errno.ECONNRESET, errno.ECONNREFUSED, errno.ETIMEDOUT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A guest's door, and what its evidence is held against; see `tests.hardware.subject`."""

    address: GuestAddress
    roots: Roots
    expected: Mapping[str, bytes]
    now: datetime

    def ask(self) -> EvidenceReply:
        """Its evidence.

        Raises:
            services.problems.Refused: it does not answer.
        """
        return asyncio.run(_ask(self.address))

    def evidence(self) -> tuple[Evidence, Endorsements]:
        """Its evidence, taken apart."""
        return parse_evidence(self.ask().evidence)


def target_of(key_config: bytes) -> str:
    """The name under which a guest takes what is sealed to this key."""
    return hashlib.sha256(key_config).hexdigest()[:16]


async def _ask(address: GuestAddress) -> EvidenceReply:
    guest = Guest(address, Limits())
    try:
        return await guest.evidence()
    finally:
        guest.close()


def answers(door: Door) -> str:
    """The guest gives evidence, and accepts exactly the keys that the evidence names."""
    reply = door.ask()
    evidence, _ = parse_evidence(reply.evidence)
    keys = parse_statement(evidence.statement).key_configs
    wanted = {target_of(key) for key in keys}
    if not wanted <= set(reply.targets):
        raise CheckError("targets", ", ".join(sorted(wanted)), ", ".join(reply.targets))
    return f"{len(reply.evidence)} bytes of evidence, {len(keys)} keys"


def is_verified(door: Door) -> str:
    """The statement is vouched for by a report that leads to the roots."""
    guest = _verify(door)
    return f"{guest.platform} on {guest.product_line}; {guest.tcb}"


def is_published(door: Door) -> str:
    """The measurement is the published one of this launch."""
    if not door.expected:
        raise NotHereError("nothing was given to compare with (--expected)")
    guest = _verify(door)
    if guest.platform is Platform.SEV_SNP:
        wanted, got = door.expected.get(LAUNCH_DIGEST, b""), guest.measurement
        if wanted != got:
            raise CheckError(LAUNCH_DIGEST, wanted.hex() or "one was given", got.hex())
        return f"{LAUNCH_DIGEST} as published"
    body = parse_quote(door.evidence()[0].report).body
    registers = wanted_registers(door.expected)
    for name, value in registers.items():
        if getattr(body, name) != value:
            raise CheckError(name, value.hex(), getattr(body, name).hex())
    if not registers:
        raise CheckError("registers", "some were given", "none")
    return f"{', '.join(registers)} as published; rtmr0 {body.rtmr0.hex()}"


def is_production(door: Door) -> str:
    """It says of itself that it is our production image and lacks nothing."""
    statement = _verify(door).statement
    if (statement.product, statement.variant) != (PRODUCT, Variant.PRODUCTION):
        got = f"{statement.product}, {statement.variant}"
        raise CheckError("product and variant", f"{PRODUCT}, {Variant.PRODUCTION}", got)
    if statement.lacking:
        raise CheckError("lacking", "nothing", ", ".join(statement.lacking))
    return f"{statement.product}, {statement.variant}, lacking nothing"


def has_one_door(door: Door) -> str:
    """Nothing else listens."""
    if door.address.transport is not Transport.VSOCK:
        raise NotHereError("not over vsock")
    for port in CLOSED_PORTS:
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as link:
            link.settimeout(CONNECT_S)
            got = link.connect_ex((int(door.address.host), port))
        if got not in REFUSED:
            raise CheckError(f"port {port}", "refused", f"errno {got}")
    return f"{len(CLOSED_PORTS)} other ports refuse"


CHECKS = (
    Check("door", "a guest that does not answer shows nothing", answers),
    Check("evidence", "the whole chain, by the product's own verifier", is_verified),
    Check("measurement", "what runs is what was published", is_published),
    Check("production", "research and test images say so", is_production),
    Check("one-door", "a second door would be one that nobody looked at", has_one_door),
)


def _verify(door: Door) -> VerifiedGuest:
    """Verify under a policy that accepts what the evidence claims, if it hangs together."""
    evidence, endorsements = door.evidence()
    statement = parse_statement(evidence.statement)
    if isinstance(endorsements, SnpEndorsements):
        parsed = parse_all(evidence.report, endorsements)
        claims = Claims(parsed.report, parsed.vek, line_of_vek(parsed.vek))
        document = pinned(pinned_snp(claims), None, statement)
    else:
        tdx, _ = pinned_tdx(evidence.report, endorsements.collateral)
        document = pinned(None, tdx, statement)
    policy = read_policy(document)
    return verify(evidence, endorsements, policy, roots=door.roots, now=door.now)
