# SPDX-License-Identifier: Apache-2.0
"""Policies about logs: read as C2SP writes them, and refused where they would mean nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import FormatError, UnsupportedError
from attest.log.keys import KeyType
from attest.log.policy import (
    GROUPS_MAX,
    LINES_MAX,
    LOGS_MAX,
    POLICY_MAX_BYTES,
    WITNESSES_MAX,
    parse_log_policy,
)
from tests.attest.log.small_log import EAST, LOG, POLICY, SOUTH, WEST, Signer

PROOF = json.loads((Path(__file__).parents[2] / "vectors/tlog/proof.json").read_text())
KEYS = [EAST.key, WEST.key, SOUTH.key]
HEAD = f"log {LOG.vkey}\nwitness east {EAST.vkey}\nwitness west {WEST.vkey}\n"


def witness(number: int) -> Signer:
    return Signer(f"w{number}.example", KeyType.COSIGNATURE_ED25519)


def test_a_policy_is_read() -> None:
    policy = parse_log_policy(POLICY)
    assert policy.logs == (LOG.key,)
    assert [item.name for item in policy.witnesses] == ["east", "west", "south"]
    assert policy.quorum.name == "two"


def test_a_policy_of_another_maker_is_read() -> None:
    assert parse_log_policy(PROOF["policy"].encode()).quorum.name == "both"


@pytest.mark.parametrize("count", range(4))
def test_a_quorum_is_reached_by_as_many_as_it_asks_for(count: int) -> None:
    policy = parse_log_policy(POLICY)
    for chosen in combinations(KEYS, count):
        assert policy.quorum.seen(set(chosen)) is (count >= 2)


@pytest.mark.parametrize(
    ("lines", "enough"),
    [
        ("quorum east\n", {"east"}),
        ("group g all east west\nquorum g\n", {"east", "west"}),
        ("group g any east west\nquorum g\n", {"west"}),
        ("group a any east\ngroup g all a west\nquorum g\n", {"east", "west"}),
    ],
)
def test_groups_are_made_of_witnesses_and_groups(lines: str, enough: set[str]) -> None:
    quorum = parse_log_policy((HEAD + lines).encode()).quorum
    keys = {"east": EAST.key, "west": WEST.key}
    assert quorum.seen({keys[name] for name in enough})
    for name in enough:
        assert not quorum.seen({keys[other] for other in enough - {name}})


def test_a_quorum_of_nobody_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="got none"):
        parse_log_policy((HEAD + "quorum none\n").encode())


QUORUM = "quorum east\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "a log and a quorum", id="nothing"),
        pytest.param(HEAD, "a log and a quorum", id="no-quorum"),
        pytest.param(f"witness east {EAST.vkey}\n{QUORUM}", "a log and a quorum", id="no-log"),
        pytest.param(HEAD + QUORUM + QUORUM, "one quorum", id="two-quorums"),
        pytest.param(HEAD + "quorum north\n", "a line above", id="an-unknown-quorum"),
        pytest.param(HEAD + "quorum\n", "1 to 1 words", id="no-name"),
        pytest.param(HEAD + "quorum east west\n", "1 to 1 words", id="two-names"),
        pytest.param(HEAD + "group g 1\n" + QUORUM, "words", id="a-group-of-nobody"),
        pytest.param(HEAD + "group g 0 east\n" + QUORUM, "1 to 1 of them", id="none-of-one"),
        pytest.param(HEAD + "group g 2 east\n" + QUORUM, "1 to 1 of them", id="two-of-one"),
        pytest.param(HEAD + "group g 01 east\n" + QUORUM, "decimal", id="a-leading-zero"),
        pytest.param(HEAD + "group g some east\n" + QUORUM, "decimal", id="some"),
        pytest.param(HEAD + "group g all east east\n" + QUORUM, "once", id="a-member-twice"),
        pytest.param(
            HEAD + "group g all east\ngroup h all east\n" + QUORUM, "once", id="in-two-groups"
        ),
        pytest.param(HEAD + "group east all west\n" + QUORUM, "its own", id="a-name-twice"),
        pytest.param(HEAD + "group none all west\n" + QUORUM, "its own", id="the-name-none"),
        pytest.param(HEAD + "group g all none\n" + QUORUM, "a line above", id="none-in-a-group"),
        pytest.param(HEAD + f"log {LOG.vkey}\n" + QUORUM, "each key once", id="a-log-twice"),
        pytest.param(
            HEAD + f"witness e {EAST.vkey}\n" + QUORUM, "each key once", id="a-witness-twice"
        ),
        pytest.param(
            HEAD + f"witness l {Signer(LOG.name, KeyType.COSIGNATURE_ED25519).vkey}\n" + QUORUM,
            "each key once",
            id="the-log-as-a-witness",
        ),
        pytest.param(HEAD + f"log {EAST.vkey}\n" + QUORUM, "of type 1 or 6", id="a-cosigning-log"),
        pytest.param(
            f"log {LOG.vkey}\nwitness l {Signer('x', KeyType.ED25519).vkey}\n",
            "of type 4 or 6",
            id="a-witness-that-signs-as-a-log",
        ),
        pytest.param(HEAD + "witness x y\n" + QUORUM, "line 4", id="no-vkey"),
        pytest.param(HEAD + "mirror x\n" + QUORUM, "or a comment", id="another-word"),
        pytest.param(HEAD + "quorum east", "newline", id="no-last-newline"),
        pytest.param(HEAD + "\r\n" + QUORUM, "control characters", id="carriage-return"),
        pytest.param("\n" * (LINES_MAX + 1), "lines", id="too-many-lines"),
        pytest.param("#" * POLICY_MAX_BYTES + "\n", "bytes", id="too-long"),
    ],
)
def test_what_is_no_policy_is_refused(text: str, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        parse_log_policy(text.encode())


def test_the_longest_policy_is_read() -> None:
    rest = HEAD + QUORUM
    long = "#" * (POLICY_MAX_BYTES - len(rest) - 1) + "\n" + rest
    many = "\n" * (LINES_MAX - rest.count("\n")) + rest
    assert parse_log_policy(long.encode()) == parse_log_policy(many.encode())


def test_a_name_is_what_is_written_and_nothing_like_it() -> None:
    kelvin = HEAD.replace("witness east", "witness K") + "quorum \u212a\n"
    with pytest.raises(FormatError, match="a line above"):
        parse_log_policy(kelvin.encode())


@pytest.mark.parametrize(
    ("line", "most"),
    [
        (lambda number: f"log {Signer(f'l{number}.example', KeyType.ED25519).vkey}\n", LOGS_MAX),
        (lambda number: f"witness w{number} {witness(number).vkey}\n", WITNESSES_MAX),
        (lambda number: f"group g{number} all {f'g{number - 1}' if number else 'w'}\n", GROUPS_MAX),
    ],
    ids=["logs", "witnesses", "groups"],
)
def test_there_is_a_limit_to_each(line: Callable[[int], str], most: int) -> None:
    head = f"log {LOG.vkey}\nwitness w {EAST.vkey}\n"
    taken = {"log": 1, "witness": 1, "group": 0}[line(0).split()[0]]
    lines = [line(number) for number in range(most - taken)]
    assert parse_log_policy((head + "".join(lines) + "quorum w\n").encode()).quorum.name == "w"
    lines.append(line(most - taken))
    with pytest.raises(FormatError, match=f"at most {most}"):
        parse_log_policy((head + "".join(lines) + "quorum w\n").encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_policy_or_an_error(data: bytes) -> None:
    with pytest.raises(FormatError):  # no key of 32 bytes comes of itself
        parse_log_policy(data)


@given(st.data())
def test_a_policy_with_other_bytes_is_one_or_an_error(data: st.DataObject) -> None:
    changed = bytearray(POLICY)
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        policy = parse_log_policy(bytes(changed))
    except FormatError:
        return
    assert policy.logs
    assert policy.quorum.seen(set()) is False
