# SPDX-License-Identifier: Apache-2.0
"""A kept receipt holds as it was written, and with nothing altered, left out or replaced."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.receipt import Ended, Fact, Kernel, parse_receipt, write_receipt
from sealroom.cli import main
from sealroom.receipts import SIGNED_RECEIPT_MAX_BYTES, SignedReceipt
from tests.sealroom.guest import Guest, base64url

GUEST = Guest.fixed()
KEPT = GUEST.kept()
PARTS = SignedReceipt.parse(KEPT)
RECEIPT = parse_receipt(PARTS.receipt)
WHOLE_LIFE = datetime.fromtimestamp(GUEST.statement.not_before, UTC)

MALFORMED, NOT_SIGNED, UNREADABLE = 10, 64, 65

OTHER: dict[str, Any] = {
    "epoch": RECEIPT.epoch + 1,
    "exchange": b"x" * 32,
    "ended": Ended.UNKNOWN,
    "code": 1,
    "lived_ms": RECEIPT.lived_ms + 1,
    "erased_ms": RECEIPT.erased_ms + 1,
    "kernel": replace(RECEIPT.kernel, swap=Fact.ON),
}


@pytest.fixture
def trust(tmp_path: Path) -> list[str]:
    """The options that name a trust file which trusts the guest."""
    path = tmp_path / "trust.yaml"
    path.write_bytes(GUEST.trust_file())
    return ["--trust", str(path)]


def judged(folder: Path, data: bytes, *options: str) -> int:
    path = folder / "receipt.json"
    path.write_bytes(data)
    return main(["verify-receipt", str(path), *options])


def test_what_was_kept_reads_back_and_holds(tmp_path: Path, trust: list[str]) -> None:
    assert SignedReceipt.parse(PARTS.write()) == PARTS
    assert PARTS.verify(GUEST.statement) == RECEIPT
    assert judged(tmp_path, KEPT) == 0
    assert judged(tmp_path, KEPT, *trust) == 0


def test_every_field_of_a_receipt_is_altered_below() -> None:
    assert OTHER.keys() | {"format"} == set(RECEIPT.__slots__)
    assert set(Kernel.__slots__) == {"init_on_free", "swap", "core_dumps"}


@pytest.mark.parametrize("field", OTHER)
def test_a_field_that_was_altered_afterwards_is_found(
    field: str, tmp_path: Path, trust: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    altered = write_receipt(replace(RECEIPT, **{field: OTHER[field]}))
    assert altered != PARTS.receipt
    data = replace(PARTS, receipt=altered).write()
    assert judged(tmp_path, data) == judged(tmp_path, data, *trust) == NOT_SIGNED
    assert "not signed by the key" in capsys.readouterr().err


@pytest.mark.parametrize("fact", Kernel.__slots__)
def test_a_fact_of_the_kernel_that_was_altered_is_found(fact: str, tmp_path: Path) -> None:
    kernel = replace(RECEIPT.kernel, **{fact: Fact.UNKNOWN})
    data = replace(PARTS, receipt=write_receipt(replace(RECEIPT, kernel=kernel))).write()
    assert judged(tmp_path, data) == NOT_SIGNED


@pytest.mark.parametrize("at", range(0, 64, 9))
def test_a_signature_that_was_altered_is_found(at: int, tmp_path: Path) -> None:
    spoiled = bytearray(PARTS.signature)
    spoiled[at] ^= 1
    assert judged(tmp_path, replace(PARTS, signature=bytes(spoiled)).write()) == NOT_SIGNED


def test_a_signature_of_another_length_is_found(tmp_path: Path) -> None:
    assert judged(tmp_path, replace(PARTS, signature=PARTS.signature[:-1]).write()) == NOT_SIGNED


def test_the_evidence_of_another_guest_is_found(tmp_path: Path) -> None:
    other = Guest()
    assert judged(tmp_path, replace(PARTS, evidence=other.evidence).write()) == NOT_SIGNED


def test_the_key_of_another_guest_is_found(tmp_path: Path) -> None:
    other = Guest()
    assert (
        judged(tmp_path, replace(PARTS, signature=other.sign(PARTS.receipt)).write()) == NOT_SIGNED
    )


def test_a_guest_of_ones_own_making_is_found_by_the_policy(
    tmp_path: Path, trust: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = json.loads(GUEST.evidence)
    statement = json.loads(base64.urlsafe_b64decode(evidence["statement"] + "=="))
    forger = Guest()
    key = forger.statement.receipt_key
    told = json.dumps(statement | {"receipt_key": key.hex()}, separators=(",", ":"), sort_keys=True)
    written = json.dumps(
        evidence | {"statement": base64url(told.encode())}, separators=(",", ":"), sort_keys=True
    )
    forged = SignedReceipt(PARTS.receipt, forger.sign(PARTS.receipt), written.encode()).write()
    assert judged(tmp_path, forged) == 0  # the signature holds, and nobody has judged the guest
    assert "not judged" in capsys.readouterr().out
    assert judged(tmp_path, forged, *trust) == 50
    assert "report-data-mismatch" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes",
    [
        {"ended": Ended.KILLED, "code": 9},
        {"ended": Ended.SIGNALLED, "code": 11},
        {"ended": Ended.UNKNOWN},
        {"code": 1},
        {"epoch": 8},
    ],
    ids=str,
)
def test_a_signed_receipt_of_another_end_or_epoch_is_none(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    assert judged(tmp_path, GUEST.kept(**changes)) == NOT_SIGNED


@pytest.mark.parametrize("length", [0, 1, len(KEPT) // 2, len(KEPT) - 1])
def test_a_truncated_file_is_malformed(length: int, tmp_path: Path) -> None:
    assert judged(tmp_path, KEPT[:length]) == MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        KEPT + b"\n",
        KEPT.replace(b"receipt/1", b"receipt/2"),
        KEPT.replace(b'{"', b'{ "', 1),
        KEPT.replace(b'"signature":"', b'"signature":"=', 1),
        KEPT[:-1] + b',"z":1}',
        PARTS.receipt,
        GUEST.evidence,
    ],
    ids=["newline", "version", "space", "padding", "field", "bare", "evidence"],
)
def test_another_spelling_is_malformed(data: bytes, tmp_path: Path) -> None:
    assert data != KEPT
    assert judged(tmp_path, data) == MALFORMED


def test_evidence_that_is_none_is_malformed(tmp_path: Path) -> None:
    assert judged(tmp_path, replace(PARTS, evidence=b"{}").write()) == MALFORMED


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    assert judged(tmp_path, b" " * (SIGNED_RECEIPT_MAX_BYTES + 1)) == UNREADABLE


def test_a_guest_is_judged_at_the_time_that_is_given(tmp_path: Path, trust: list[str]) -> None:
    late = (WHOLE_LIFE + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert judged(tmp_path, KEPT, *trust, "--at", late) == 30


def test_a_report_policy_is_none_for_a_receipt(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    document = json.loads(GUEST.trust_file())["policy"]
    report = {k: v for k, v in document.items() if k != "statement"}
    policy.write_text(json.dumps(report | {"format": "sealroom-report-policy/1"}))
    assert judged(tmp_path, KEPT, "--policy", str(policy)) == 1


def test_a_policy_and_roots_in_files_of_their_own_do_as_well(tmp_path: Path) -> None:
    whole = json.loads(GUEST.trust_file())
    policy, roots = tmp_path / "policy.yaml", tmp_path / "roots.yaml"
    policy.write_text(json.dumps(whole["policy"]))
    roots.write_text(json.dumps(whole["roots"]))
    options = ["--policy", str(policy)]
    assert judged(tmp_path, KEPT, *options, "--roots", str(roots)) == 0
    assert judged(tmp_path, KEPT, *options) == 20


@given(offset=st.integers(0, len(KEPT) - 1), value=st.binary(min_size=1, max_size=3))
def test_any_change_gives_a_signed_receipt_or_a_format_error(offset: int, value: bytes) -> None:
    changed = KEPT[:offset] + value + KEPT[offset + len(value) :]
    try:
        assert SignedReceipt.parse(changed).write() == changed
    except FormatError as error:
        assert error.what.startswith("signed receipt")
