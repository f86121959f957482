# SPDX-License-Identifier: Apache-2.0
"""The documents of the lab are read back by the very code that reads them in earnest."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attest import Refused, amd_roots, parse_evidence, verify
from attest.findings import Reason
from attest.statement import Platform
from guest.config import parse_config
from guest.keyholder.attesting import Claims, attest
from guest.settings import Identity, StaplingSettings, Variant
from guest.worker.tasks import prompts_digest
from lab.documents import (
    GuestPlan,
    lacking_here,
    sha256_of,
    write_bundle,
    write_config,
    write_trust,
)
from lab.mocktsm import FaultKind, MockTsm, SnpFault
from sealroom import Trust

MODEL = bytes(range(32))
PLAN = GuestPlan()
RELAY = "http://127.0.0.1:1"


def evidence_of(plan: GuestPlan, config: bytes) -> bytes:
    identity = Identity(
        variant=Variant.MOCK,
        model=MODEL,
        prompts=prompts_digest(),
        configuration=hashlib.sha256(config).digest(),
        lacking=tuple(sorted(lacking_here())),
    )
    now = int(datetime.now(UTC).timestamp())
    claims = Claims(
        epoch=1,
        not_before=now - 60,
        not_after=now + 60,
        key_configs=(b"a key",),
        receipt_key=bytes(32),
    )
    stapling = StaplingSettings(
        endorsements=None if plan.endorsements is None else str(plan.endorsements)
    )
    return attest(MockTsm.from_plain(plan.mock()), identity, stapling, claims)


def trust_of(plan: GuestPlan, config: bytes) -> Trust:
    return Trust.parse(
        write_trust(plan, relay=RELAY, model=MODEL, config=config), where="trust.yaml"
    )


def test_the_configuration_is_what_the_plan_says() -> None:
    read = parse_config(write_config(PLAN, MODEL))
    assert read.gate.slots == PLAN.slots
    assert read.model.digest == MODEL
    assert read.keys.life_s == PLAN.life_s
    assert [str(kem) for kem in read.keys.kems] == list(PLAN.kems)


@pytest.mark.parametrize("line", ["Milan", "Genoa", "Turin"])
@pytest.mark.parametrize("version", [3, 5])
def test_the_trust_file_trusts_this_guest(line: str, version: int) -> None:
    plan = replace(PLAN, line=line, version=version)
    config = write_config(plan, MODEL)
    trust = trust_of(plan, config)
    evidence, endorsements = parse_evidence(evidence_of(plan, config))
    guest = verify(evidence, endorsements, trust.policy, roots=trust.roots, now=datetime.now(UTC))
    assert guest.statement.variant == "mock"
    assert guest.product_line == line


@pytest.mark.parametrize("version", [4, 5])
def test_the_trust_file_trusts_this_tdx_guest(version: int, tmp_path: Path) -> None:
    bundle = tmp_path / "endorsements.json"
    plan = replace(PLAN, platform=Platform.TDX, quote_version=version, endorsements=bundle)
    bundle.write_bytes(write_bundle(plan, now=datetime.now(UTC)))
    config = write_config(plan, MODEL)
    trust = trust_of(plan, config)
    evidence, endorsements = parse_evidence(evidence_of(plan, config))
    guest = verify(evidence, endorsements, trust.policy, roots=trust.roots, now=datetime.now(UTC))
    assert (guest.platform, guest.statement.variant) == (Platform.TDX, "mock")


@pytest.mark.parametrize(
    ("faults", "wanted"),
    [
        ({}, None),
        ({FaultKind.NO_CERTIFICATES: 1}, None),
        ({SnpFault.STALE_CRL: "always"}, Reason.CRL_STALE),
        ({SnpFault.ISSUER_REVOKED: "always"}, Reason.REVOKED),
    ],
    ids=["good", "no-certificates", "stale-crl", "issuer-revoked"],
)
def test_the_bundle_brings_what_the_host_does_not(
    faults: dict[str, int | str], wanted: Reason | None, tmp_path: Path
) -> None:
    bundle = tmp_path / "endorsements.json"
    plan = replace(PLAN, faults=faults, endorsements=bundle)
    bundle.write_bytes(write_bundle(plan, now=datetime.now(UTC)))
    config = write_config(plan, MODEL)
    trust = trust_of(plan, config)
    evidence, endorsements = parse_evidence(evidence_of(plan, config))
    found: list[Reason] = []
    try:
        verify(evidence, endorsements, trust.policy, roots=trust.roots, now=datetime.now(UTC))
    except Refused as refused:
        found = [finding.reason for finding in refused.findings]
    assert found == ([] if wanted is None else [wanted])


def test_the_trust_file_refuses_a_guest_that_is_configured_otherwise() -> None:
    trust = trust_of(PLAN, write_config(PLAN, MODEL))
    other = write_config(replace(PLAN, slots=PLAN.slots + 1), MODEL)
    evidence, endorsements = parse_evidence(evidence_of(PLAN, other))
    with pytest.raises(Refused) as refused:
        verify(evidence, endorsements, trust.policy, roots=trust.roots, now=datetime.now(UTC))
    assert [f.reason for f in refused.value.findings] == [Reason.UNKNOWN_CONFIGURATION]


def test_the_same_evidence_is_refused_under_the_production_roots() -> None:
    config = write_config(PLAN, MODEL)
    trust = trust_of(PLAN, config)
    evidence, endorsements = parse_evidence(evidence_of(PLAN, config))
    with pytest.raises(Refused) as refused:
        verify(evidence, endorsements, trust.policy, roots=amd_roots(), now=datetime.now(UTC))
    assert [f.reason for f in refused.value.findings] == [Reason.UNKNOWN_ISSUER]


def test_a_digest_is_of_the_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "model"
    file.write_bytes(b"x" * (3 << 20))
    assert sha256_of(file) == hashlib.sha256(b"x" * (3 << 20)).digest()
