# SPDX-License-Identifier: Apache-2.0
"""What may be encrypted to: a verified guest and nothing that looks like one."""

import ast
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

import sealroom
from attest import parse_evidence
from sealroom import InputError, Trust
from sealroom.evidence import verify_evidence
from sealroom.exchange import seal
from tests.sealroom.guest import Guest
from wire.padding import REQUEST_BUCKETS_BYTES


def test_a_verified_guest_is_sealed_to(guest: Guest, trust: Trust) -> None:
    verified = verify_evidence(guest.evidence, trust, now=datetime.now(UTC))
    sealed = seal(verified, "/v1/x", b"content", media="a/b", accept="c/d")
    request = guest.open(sealed.body).request
    assert (sealed.target, request.content) == (guest.target, b"content")
    assert b"content" not in sealed.body
    assert "content" not in repr(sealed)


def test_a_content_that_fits_no_bucket_is_not_sealed(guest: Guest, trust: Trust) -> None:
    verified = verify_evidence(guest.evidence, trust, now=datetime.now(UTC))
    with pytest.raises(InputError):
        seal(verified, "/v1/x", b"x" * REQUEST_BUCKETS_BYTES[-1], media="a/b", accept="c/d")


def test_an_attested_key_of_an_unknown_kem_is_passed_over() -> None:
    newer = Guest(others=(b"\x01\x77\x77\x00",))
    trust = Trust.parse(newer.trust_file())
    verified = verify_evidence(newer.evidence, trust, now=datetime.now(UTC))
    sealed = seal(verified, "/v1/x", b"", media="a/b", accept="c/d")
    assert sealed.target == newer.target


def test_nothing_else_is_sealed_to(guest: Guest) -> None:
    evidence, _ = parse_evidence(guest.evidence)
    lookalike = SimpleNamespace(key_configs=(guest.key_config,), statement=guest.statement)
    for wrong in (lookalike, guest.statement, evidence, guest.key_config, None):
        with pytest.raises(TypeError):
            seal(wrong, "/v1/x", b"", media="a/b", accept="c/d")  # type: ignore[arg-type]  # the point


def test_only_one_file_of_the_sdk_encrypts() -> None:
    sealers = {"RequestSealer", "ChunkedRequestSealer", "setup_sender", "encap"}
    folder = Path(sealroom.__file__).parent
    users = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and sealers & {alias.name for alias in node.names}
    }
    # The attacker of `sealroom attack` seals to a key of his own, and to no guest's.
    assert users == {"exchange.py", "attack/own_key.py"}
