# SPDX-License-Identifier: Apache-2.0
"""An entry is in a log that witnesses have seen, or there is a reason why that is not shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.findings import Reason, Refused, Stage
from attest.log.merkle import PATH_MAX
from attest.log.policy import parse_log_policy
from attest.log.proof import EXTRA_MAX_BYTES, PROOF_MAX_BYTES
from attest.log.verify import CLOCK_SKEW_S, Logged, verify_logged
from tests.attest.log.breaks import BREAKS, ENTRY, FOLLOWS, GOOD, INDEX
from tests.attest.log.small_log import (
    EAST,
    LOG,
    NOW,
    POLICY,
    SOUTH,
    SmallLog,
    b64,
)

PROOF = json.loads((Path(__file__).parents[2] / "vectors/tlog/proof.json").read_text())
TRUSTED = parse_log_policy(POLICY)


def verify(log: SmallLog = GOOD, *, entry: bytes = ENTRY, index: int = INDEX) -> Logged:
    return verify_logged(entry, log.proof(index), TRUSTED, now=NOW)


def reasons(proof: bytes, entry: bytes = ENTRY) -> list[Reason]:
    with pytest.raises(Refused) as refused:
        verify_logged(entry, proof, TRUSTED, now=NOW)
    assert refused.value.stage is Stage.LOG
    return [finding.reason for finding in refused.value.findings]


@pytest.mark.parametrize("size", range(1, 10))
def test_every_entry_of_a_log_is_found(size: int) -> None:
    log = SmallLog([bytes([number]) for number in range(size)])
    for index in range(size):
        logged = verify(log, entry=bytes([index]), index=index)
        assert (logged.origin, logged.index, logged.size) == (LOG.name, index, size)


def test_who_has_seen_it_and_when_is_told() -> None:
    cosigned = dict(verify().cosigned)
    assert cosigned == {name: NOW - timedelta(seconds=60) for name in ("east", "west")}


def test_a_cosigner_need_not_say_when() -> None:
    assert dict(verify(replace(GOOD, time_s=0)).cosigned) == {"east": None, "west": None}


def test_of_two_cosignatures_the_later_one_is_told() -> None:
    log = replace(GOOD, more=[EAST.sign(GOOD.text(), GOOD.time_s + 30)])
    assert dict(verify(log).cosigned)["east"] == NOW - timedelta(seconds=30)


def test_a_proof_with_a_cosignature_by_ml_dsa_that_was_checked_elsewhere_verifies() -> None:
    policy = parse_log_policy(PROOF["policy"].encode())
    entry, proof = PROOF["entry_utf8"].encode(), PROOF["tlog_proof"].encode()
    logged = verify_logged(entry, proof, policy, now=datetime(2026, 11, 22, tzinfo=UTC))
    assert [witness.name for witness in logged.cosigned] == ["ed", "pq"]


def test_signatures_of_keys_that_nobody_knows_are_passed_over() -> None:
    stranger = replace(SOUTH, name="stranger.example").sign(GOOD.text(), GOOD.time_s)
    assert verify(replace(GOOD, more=[stranger])).size == 5


def test_extra_data_is_passed_over() -> None:
    proof = GOOD.proof(INDEX).replace(b"\nindex", b"\nextra eA==\nindex", 1)
    assert verify_logged(ENTRY, proof, TRUSTED, now=NOW).index == INDEX


@pytest.mark.parametrize("reason", BREAKS)
def test_one_broken_thing_is_refused_by_its_reason(reason: Reason) -> None:
    assert reasons(BREAKS[reason]) == [reason, *FOLLOWS.get(reason, [])]


def test_an_origin_longer_than_any_name_is_an_unknown_log() -> None:
    assert Reason.UNKNOWN_LOG in reasons(
        replace(GOOD, origin="o" * 300, signers=(LOG,)).proof(INDEX)
    )


def test_whose_signatures_came_is_told() -> None:
    with pytest.raises(Refused, match=r"got signatures of east\.example, log\.example/releases"):
        verify(replace(GOOD, signers=(LOG, EAST)))
    with pytest.raises(Refused, match="got signatures of nobody"):
        verify(replace(GOOD, signers=(replace(SOUTH, name="stranger.example"),)))


def test_one_witness_twice_is_one_witness() -> None:
    got = reasons(replace(GOOD, signers=(LOG, EAST, EAST)).proof(INDEX))
    assert got == [Reason.WITNESS_QUORUM]


def test_a_clock_may_be_a_little_ahead() -> None:
    assert verify(replace(GOOD, time_s=int(NOW.timestamp()) + CLOCK_SKEW_S)).size == 5


def test_another_entry_is_not_in_the_log() -> None:
    assert reasons(GOOD.proof(INDEX), b"another") == [Reason.NOT_LOGGED]


def test_an_index_outside_of_the_tree_is_refused() -> None:
    proof = GOOD.proof(INDEX).replace(b"index 2", b"index 5", 1)
    assert reasons(proof) == [Reason.NOT_LOGGED]


HEAD, CHECKPOINT = GOOD.proof(INDEX).split(b"\n\n", 1)
LINES = HEAD.split(b"\n")


def proof(*lines: bytes) -> bytes:
    return b"\n".join(lines) + b"\n\n" + CHECKPOINT


def of_size(size: int) -> bytes:
    """A good proof that is so long because a stranger with a long name signed, too."""
    line = "\u2014 {} AAAAAAE=\n"
    room = size - len(GOOD.proof(INDEX)) - len(line.format("").encode())
    return replace(GOOD, more=[line.format("n" * room)]).proof(INDEX)


def test_the_longest_proof_is_read() -> None:
    data = of_size(PROOF_MAX_BYTES)
    assert len(data) == PROOF_MAX_BYTES
    assert verify_logged(ENTRY, data, TRUSTED, now=NOW).size == 5


def test_the_longest_path_is_read() -> None:
    assert reasons(proof(*LINES[:2], *[LINES[2]] * PATH_MAX)) == [Reason.NOT_LOGGED]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD + b"\n", id="no-checkpoint"),
        pytest.param(proof(*LINES).replace(b"@v1", b"@v2"), id="another-version"),
        pytest.param(proof(LINES[0]), id="no-index"),
        pytest.param(proof(LINES[0], *LINES[2:]), id="hashes-without-index"),
        pytest.param(proof(LINES[0], b"2", *LINES[2:]), id="a-bare-index"),
        pytest.param(proof(LINES[0], b"index 02", *LINES[2:]), id="a-leading-zero"),
        pytest.param(proof(LINES[0], b"extra ", *LINES[1:]), id="no-extra"),
        pytest.param(proof(LINES[0], b"extra x", *LINES[1:]), id="extra-that-is-no-base64"),
        pytest.param(proof(*LINES[:2], b"extra eA==", *LINES[2:]), id="extra-later"),
        pytest.param(proof(*LINES, b64(bytes(31)).encode()), id="a-short-hash"),
        pytest.param(proof(*LINES[:2], *[LINES[2]] * (PATH_MAX + 1)), id="too-many-hashes"),
        pytest.param(proof(LINES[0], b"\xff", *LINES[1:]), id="not-ascii"),
        pytest.param(
            proof(LINES[0], b"extra " + b64(bytes(EXTRA_MAX_BYTES + 1)).encode(), *LINES[1:]),
            id="too-much-extra",
        ),
        pytest.param(of_size(PROOF_MAX_BYTES + 1), id="too-long"),
        pytest.param(HEAD + b"\n\n" + CHECKPOINT[:-1], id="a-cut-checkpoint"),
    ],
)
def test_what_is_no_proof_is_refused(data: bytes) -> None:
    assert reasons(data) == [Reason.MALFORMED_LOG_PROOF]


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert reasons(data) == [Reason.MALFORMED_LOG_PROOF]


@given(st.data())
def test_a_proof_with_one_other_bit_is_refused_or_says_the_same(data: st.DataObject) -> None:
    """What a signature covers cannot change; who else is said to have signed can."""
    changed = bytearray(GOOD.proof(INDEX))
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        logged = verify_logged(ENTRY, bytes(changed), TRUSTED, now=NOW)
    except Refused:
        return
    assert (logged.origin, logged.index, logged.size) == (LOG.name, INDEX, 5)
